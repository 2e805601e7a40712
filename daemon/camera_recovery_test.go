//go:build cgo && !nonative

package daemon_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gleaner/capture"
	"gleaner/capture/capturetest"
	"gleaner/capture/cv"
	"gleaner/daemon"
)

// TestCameraRecovery loses real streams in each way once and wants frames again. How fast is prove/1-recovery's to show:
// here a generous bound only tells recovery from none.
func TestCameraRecovery(t *testing.T) {
	sizes := []capturetest.StreamOptions{{W: 160, H: 128, FPS: 25}, {W: 128, H: 96, FPS: 25}}
	for _, kind := range []string{"rtsp", "http"} {
		t.Run(kind, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			var backends []string
			for _, o := range sizes {
				var s interface {
					Addr() string
					Close() error
				}
				var err error
				if kind == "rtsp" {
					s, err = capturetest.NewRTSPServer(o)
				} else {
					s, err = capturetest.NewHTTPServer(o)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				backends = append(backends, s.Addr())
			}
			gate, err := capturetest.NewGate(backends[0])
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			recoverAll(t, kind+"://"+gate.Addr()+"/live", gate, backends, sizes)
		})
	}
}

func recoverAll(t *testing.T, url string, gate *capturetest.Gate, backends []string, sizes []capturetest.StreamOptions) {
	o := capture.DefaultOptions()
	o.Source, o.Stall, o.BackoffMax = url, 1500*time.Millisecond, time.Second
	dev, err := cv.NewDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	cam := daemon.NewCamera(dev, daemon.CameraOptions{Name: "c", Stall: o.Stall, BackoffMin: o.BackoffMin, BackoffMax: o.BackoffMax},
		func(s daemon.Status) { t.Logf("%s %s", s.State, s.Reason) })
	var wg sync.WaitGroup
	wg.Go(func() { _ = cam.Run(context.Background()) }) // its status tells
	defer wg.Wait()
	defer func() {
		if err := cam.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	at := 0
	waitFor(t, cam, "first frame", sizes[0].W, time.Now())
	for _, f := range capturetest.Faults()[:5] { // the long ones are for the proof
		f.Begin(gate)
		time.Sleep(min(f.Last, 2*time.Second))
		if f.Resize {
			at = 1 - at
		}
		// Frames from before the fault may wait in Latest: only what arrives from here on counts.
		since := time.Now()
		if err := gate.Pass(backends[at]); err != nil {
			t.Fatal(err)
		}
		waitFor(t, cam, f.Name, sizes[at].W, since)
		if n := cam.Lent(); n > capture.RingSize {
			t.Fatalf("%s: %d slots lent", f.Name, n)
		}
	}
}

// waitFor takes frames until one that arrived after since is as wide as it should be.
func waitFor(t *testing.T, cam *daemon.Camera, what string, w int, since time.Time) {
	t.Helper()
	limit := time.After(30 * time.Second)
	last := "no frame"
	for {
		select {
		case f := <-cam.Latest().C():
			fresh := f.W == w && f.Arrived.After(since)
			last = fmt.Sprintf("frame %d, %d wide", f.Seq, f.W)
			f.Release()
			if fresh {
				return
			}
		case <-limit:
			t.Fatalf("%s: nothing within 30 s; the last was %s; %+v", what, last, cam.Status())
		}
	}
}
