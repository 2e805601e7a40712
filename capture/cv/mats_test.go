//go:build cgo && !nonative && matprofile

package cv

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"gocv.io/x/gocv"

	"gleaner/capture"
	"gleaner/capture/capturetest"
)

// TestMatsAreFreed opens, reads and closes each kind of source, also when it fails, and demands the Mat count of before.
func TestMatsAreFreed(t *testing.T) {
	clip := filepath.Join(t.TempDir(), "a.avi")
	makeClip(t, clip, 64, 48, 5)
	stream := capturetest.StreamOptions{W: 160, H: 128, FPS: 50}
	for _, c := range []struct{ name, source string }{
		{"clip", "file:" + clip},
		{"no clip", "file:mats_test.go"},
		{"pictures", "images:testdata"},
		{"rtsp", "rtsp://" + rtspServer(t, stream).Addr() + "/a"},
		{"rtsp, absent", "rtsp://" + rtspServer(t, stream).Addr() + "/absent"},
		{"http", "http://" + httpServer(t, stream).Addr() + "/a"},
		{"gstreamer", "gst:videotestsrc num-buffers=3"},
		{"gstreamer, grey", "gst:videotestsrc num-buffers=5 ! video/x-raw,format=GRAY8,width=64,height=48 ! appsink sync=false"},
		{"gstreamer, no element", "gst:nosuchelement"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := gocv.MatProfile.Count()
			for range 3 {
				dev := mustDevice(t, capture.Options{Source: c.source, Pace: "fast"})
				b := dev.NewBuffer()
				src, err := dev.Open(context.Background())
				for range 10 {
					if err != nil {
						break
					}
					_, err = src.Read(context.Background(), b)
				}
				if src != nil {
					err = errors.Join(src.Close())
				}
				if e := b.Close(); e != nil {
					t.Fatal(errors.Join(err, e))
				}
			}
			if n := gocv.MatProfile.Count(); n != before {
				var w bytes.Buffer
				_ = gocv.MatProfile.WriteTo(&w, 1)
				t.Fatalf("%d Mats, were %d:\n%s", n, before, w.String())
			}
		})
	}
}
