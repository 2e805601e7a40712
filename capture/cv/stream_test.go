//go:build cgo && !nonative

package cv

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleaner/capture"
	"gleaner/capture/capturetest"
)

func mustDevice(t testing.TB, o capture.Options) capture.Device {
	t.Helper()
	dev, err := NewDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func rtspServer(t testing.TB, o capturetest.StreamOptions) *capturetest.RTSPServer {
	t.Helper()
	s, err := capturetest.NewRTSPServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func httpServer(t testing.TB, o capturetest.StreamOptions) *capturetest.HTTPServer {
	t.Helper()
	s, err := capturetest.NewHTTPServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	clip := filepath.Join(dir, "영상.avi")
	makeClip(t, clip, 96, 64, 12)
	pictures := filepath.Join(dir, "그림")
	all, err := capturetest.Pictures(48, 32, 7)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		write(t, filepath.Join(pictures, fmt.Sprintf("%d.jpg", i)), p)
	}
	stream := capturetest.StreamOptions{W: 160, H: 128, FPS: 50}
	noLength := stream
	noLength.NoLength = true
	gstPipe := "gst:videotestsrc is-live=true ! video/x-raw,width=162,height=128,framerate=50/1"
	for _, c := range []struct {
		name string
		o    capture.Options
		want capturetest.Options
	}{
		{"clip", capture.Options{Source: "file:" + clip, Pace: "fast"}, capturetest.Options{W: 96, H: 64, Frames: 12, SameTimes: true}},
		{"clip, live", capture.Options{Source: "file:" + clip, Loop: true}, capturetest.Options{W: 96, H: 64}},
		{"pictures", capture.Options{Source: "images:" + pictures, Pace: "fast"}, capturetest.Options{W: 48, H: 32, Frames: 7, SameTimes: true}},
		{"pictures, live", capture.Options{Source: "images:" + pictures, Loop: true, FPS: 100}, capturetest.Options{W: 48, H: 32}},
		{"rtsp", capture.Options{Source: "rtsp://" + rtspServer(t, stream).Addr() + "/a"}, capturetest.Options{W: 160, H: 128, UncancelledRead: true}},
		{"http", capture.Options{Source: "http://" + httpServer(t, stream).Addr() + "/a"}, capturetest.Options{W: 160, H: 128}},
		{"http without lengths", capture.Options{Source: "http://" + httpServer(t, noLength).Addr() + "/a"}, capturetest.Options{W: 160, H: 128}},
		{"gstreamer", capture.Options{Source: gstPipe}, capturetest.Options{W: 162, H: 128}},
	} {
		t.Run(c.name, func(t *testing.T) {
			capturetest.Run(t, func(t *testing.T) capture.Device { return mustDevice(t, c.o) }, c.want)
		})
	}
}

func TestH264OverRTSP(t *testing.T) {
	data, ok, err := capturetest.Encode(320, 240, 25, 50)
	if !ok {
		t.Skip("the ffmpeg program is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	s := rtspServer(t, capturetest.StreamOptions{FPS: 25, H264: data})
	dev, src := mustOpen(t, capture.Options{Source: "rtsp://" + s.Addr() + "/live"})
	b := dev.NewBuffer()
	defer b.Close()
	for range 30 {
		if _, err := src.Read(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if m := b.Image(); m.W != 320 || m.H != 240 {
			t.Fatalf("%d×%d", m.W, m.H)
		}
	}
}

func TestStreamErrors(t *testing.T) {
	stream := capturetest.StreamOptions{W: 160, H: 128, FPS: 25}
	rt, ht := rtspServer(t, stream), httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/secret":
			w.WriteHeader(http.StatusUnauthorized)
		case "/text":
			_, _ = io.WriteString(w, "<html>camera</html>")
		case "/bad":
			w.Header().Set("Content-Type", "multipart/x-mixed-replace")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer ht.Close()
	hole, err := capturetest.NewGate(rt.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	hole.Hole()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	_ = free.Close()
	stall := 1500 * time.Millisecond // time-outs of 1 s
	for _, c := range []struct{ name, source, err string }{
		{"rtsp, nothing listens", "rtsp://u:geheim@" + nobody + "/a", "open stream rtsp://u:***@" + nobody + "/a: connection refused: the host is up, but nothing listens"},
		{"rtsp, no such path", "rtsp://" + rt.Addr() + "/absent", "the host has no stream of this path (404)"},
		{"rtsp, black hole", "rtsp://" + hole.Addr() + "/a", "accepts connections but does not answer within 2s"},
		{"rtsp, password with a percent sign", "rtsp://u:100%geheim@host/a", "in a password write %40 for @"},
		{"http, nothing listens", "http://" + nobody + "/a", "connection refused: the host is up, but nothing listens"},
		{"http, no such path", ht.URL + "/none", "the host has no stream of this path (404)"},
		{"http, no password", ht.URL + "/secret", "wants a user and password (401)"},
		{"http, wrong password", strings.Replace(ht.URL, "://", "://u:geheim@", 1) + "/secret", "refuses the user or password (401)"},
		{"http, a page", ht.URL + "/text", `content type "text/html; charset=utf-8" is no video`},
		{"http, no boundary", ht.URL + "/bad", "has no boundary"},
		{"http, black hole", "http://" + hole.Addr() + "/a", "accepts connections but does not answer within 1s"},
		{"unknown host", "http://camera.invalid/a", "is not known to DNS"},
		{"gstreamer, no such element", "gst:nosuchelement ! videoconvert", `open gst:nosuchelement ! videoconvert: no element "nosuchelement"`},
		{"gstreamer, no pipeline", "gst:videotestsrc ! !", "open gst:videotestsrc ! !: "},
		{"gstreamer, no such file", "gst:filesrc location=/nonexistent ! decodebin", "open gst:filesrc location=/nonexistent ! decodebin: Resource not found"},
		{"camera that is not there", "v4l2:/dev/video-없음", "open camera /dev/video-없음: no such device: "},
		{"camera that is a file", "v4l2:stream_test.go", "not a camera device; a clip is file:stream_test.go"},
		{"device that is no camera", "v4l2:/dev/null", "it is busy, or no capture device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			src, err := mustDevice(t, capture.Options{Source: c.source, Stall: stall}).Open(context.Background())
			if err == nil {
				_ = src.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "geheim") {
				t.Fatalf("error %v, want one with %q and no password", err, c.err)
			}
			// Half a minute would be a native default; anything near the bound passes on a busy machine.
			if took := time.Since(began); took > 15*time.Second {
				t.Fatalf("took %v", took)
			}
		})
	}
}

func TestGStreamerReadErrors(t *testing.T) {
	for _, c := range []struct{ name, pipeline, err string }{
		{"black hole", "udpsrc port=0 ! application/x-rtp,encoding-name=JPEG,payload=26 ! rtpjpegdepay ! jpegdec", "no frame within 1s: the pipeline runs, but nothing comes"},
		{"end", "videotestsrc num-buffers=2", "the pipeline has ended"},
		{"failure in mid-stream", "videotestsrc ! identity error-after=3", "Failed after iterations as requested"},
		{"sink that is not fed pictures", "audiotestsrc ! appsink", "gets no raw video"},
		{"sink that is fed a colour space of its own", "videotestsrc ! video/x-raw,format=I420 ! appsink", "the appsink gets I420: want BGR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev, src := mustOpen(t, capture.Options{Source: "gst:" + c.pipeline, Stall: 1500 * time.Millisecond})
			b := dev.NewBuffer()
			defer b.Close()
			var err error
			for range 100 {
				if _, err = src.Read(context.Background(), b); err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestGStreamerGreyBecomesBGR(t *testing.T) {
	dev, src := mustOpen(t, capture.Options{Source: "gst:videotestsrc pattern=white ! video/x-raw,format=GRAY8,width=65,height=48 ! appsink"})
	b := dev.NewBuffer()
	defer b.Close()
	for range 3 {
		if _, err := src.Read(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if m := b.Image(); m.W != 65 || m.H != 48 || m.Stride != 3*65 || m.Pix[0] < 230 || m.Pix[3*65*48-1] < 230 {
			t.Fatalf("%d×%d, stride %d, first byte %d: want white BGR", m.W, m.H, m.Stride, m.Pix[0])
		}
	}
}

func TestHTTPOpenEndsWithItsContext(t *testing.T) {
	gate, err := capturetest.NewGate("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	gate.Swallow()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	dev := mustDevice(t, capture.Options{Source: "http://" + gate.Addr(), Stall: time.Minute})
	if _, err := dev.Open(ctx); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Fatalf("error %v, want canceled", err)
	}
}

func TestSteadyStreamAllocatesNothing(t *testing.T) {
	stream := capturetest.StreamOptions{W: 160, H: 128, FPS: 200}
	for _, c := range []struct{ name, source string }{
		{"rtsp", "rtsp://" + rtspServer(t, stream).Addr() + "/a"},
		{"http", "http://" + httpServer(t, stream).Addr() + "/a"},
		{"gstreamer", "gst:videotestsrc ! video/x-raw,width=160,height=128"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev, src := mustOpen(t, capture.Options{Source: c.source})
			b := dev.NewBuffer()
			defer b.Close()
			one := func() {
				if _, err := src.Read(context.Background(), b); err != nil {
					t.Fatal(err)
				}
			}
			one()
			// The server lives in this process and allocates too, so only the least of several runs counts.
			least := 1e9
			for range 10 {
				least = min(least, testing.AllocsPerRun(5, one))
			}
			t.Logf("%g allocations per frame, the server's included", least)
			if c.name == "gstreamer" && least != 0 {
				t.Fatalf("%g allocations per frame, want 0", least)
			}
		})
	}
}
