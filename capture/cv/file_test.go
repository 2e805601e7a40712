//go:build cgo && !nonative

package cv

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"gleaner/capture"
)

// makeClip writes n frames of w×h at 25 frames/s; frame i is grey, 4*i bright.
func makeClip(t testing.TB, path string, w, h, n int) {
	t.Helper()
	wr, err := gocv.VideoWriterFile(path, "MJPG", 25, w, h, true)
	if err != nil || !wr.IsOpened() {
		t.Fatalf("write clip %s: %v", path, err)
	}
	defer wr.Close()
	m := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3)
	defer m.Close()
	for i := range n {
		m.SetTo(gocv.NewScalar(float64(4*i), float64(4*i), float64(4*i), 0))
		if err := wr.Write(m); err != nil {
			t.Fatal(err)
		}
	}
}

func mustOpen(t testing.TB, o capture.Options) (capture.Device, capture.Source) {
	t.Helper()
	dev, err := NewDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := dev.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return dev, src
}

func TestFileClip(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "영상.avi")
	makeClip(t, path, 96, 64, 10)
	dev, src := mustOpen(t, capture.Options{Source: path, Pace: "fast"})
	buf := dev.NewBuffer()
	defer buf.Close()
	if !dev.Finite() {
		t.Fatal("a fast clip that does not loop is finite")
	}
	for i := range 10 {
		at, err := src.Read(ctx, buf)
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if want := time.Unix(0, 0).Add(time.Duration(i) * 40 * time.Millisecond); !at.Equal(want) {
			t.Fatalf("frame %d at %v, want %v", i, at, want)
		}
		m := buf.Image()
		if m.W != 96 || m.H != 64 || max(int(m.Pix[0])-4*i, 4*i-int(m.Pix[0])) > 3 {
			t.Fatalf("frame %d: %d×%d, first byte %d, want 96×64 and about %d", i, m.W, m.H, m.Pix[0], 4*i)
		}
	}
	for range 2 {
		if _, err := src.Read(ctx, buf); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v, want io.EOF", err)
		}
	}
}

func TestFileLoopKeepsTimeGrowing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.avi")
	makeClip(t, path, 32, 32, 3)
	dev, src := mustOpen(t, capture.Options{Source: "file:" + path, Pace: "fast", Loop: true})
	buf := dev.NewBuffer()
	defer buf.Close()
	for i := range 8 {
		at, err := src.Read(context.Background(), buf)
		if want := time.Unix(0, 0).Add(time.Duration(i) * 40 * time.Millisecond); err != nil || !at.Equal(want) {
			t.Fatalf("frame %d at %v, %v; want %v", i, at, err, want)
		}
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "글.mp4")
	if err := os.WriteFile(text, []byte("not a video"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, source, err string }{
		{"absent", "file:" + filepath.Join(dir, "없음.mp4"), "없음.mp4: no such file"},
		{"folder", "file:" + dir, "it is a folder"},
		{"not a video", "file:" + text, "open clip " + text + ": not a video"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev, err := NewDevice(capture.Options{Source: c.source})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dev.Open(context.Background()); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestFileLivePaceHonoursContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.avi")
	makeClip(t, path, 32, 32, 5)
	dev, src := mustOpen(t, capture.Options{Source: path})
	buf := dev.NewBuffer()
	defer buf.Close()
	if at, err := src.Read(context.Background(), buf); err != nil || !at.IsZero() {
		t.Fatalf("a paced clip has no time of its own, got %v, %v", at, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := src.Read(ctx, buf); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
}

func TestSteadyClipAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a.avi")
	makeClip(t, path, 64, 48, 60)
	dev, src := mustOpen(t, capture.Options{Source: path, Pace: "fast"})
	buf := dev.NewBuffer()
	defer buf.Close()
	n := testing.AllocsPerRun(50, func() {
		if _, err := src.Read(ctx, buf); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("%g allocations per frame, want 0", n)
	}
}
