// Package capturetest is the conformance suite that every capture.Device passes, and the servers that stand in for
// cameras in tests: RTSP and HTTP MJPEG, behind a Gate that closes, goes silent and comes back; and a photo stored on its side. Tests and proofs alone
// import it.
package capturetest

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gleaner/capture"
)

// Options says what is known of the device under test.
type Options struct {
	// W and H are the frames' size in pixels; 0: any, but the same for all frames.
	W, H int
	// Frames is how many a finite device delivers; 0 for a live one.
	Frames int
	// SameTimes says that each opening of the device delivers the same times, as a replay must.
	SameTimes bool
	// UncancelledRead says that Read notices an ended context only at its begin, as native reads do.
	UncancelledRead bool
	// MovesMemory says that a frame's memory moves from buffer to buffer instead of staying with one.
	MovesMemory bool
	// Leaky says that the library beneath keeps goroutines of its own, so that goroutines are not counted.
	Leaky bool
}

// Run tests that what make makes keeps the contract of capture.Device, Source and Buffer. Each call of make gives a
// device of its own over the same content.
func Run(t *testing.T, make func(t *testing.T) capture.Device, o Options) {
	for _, c := range []struct {
		name string
		test func(*testing.T, capture.Device, Options)
	}{
		{"frames", testFrames},
		{"end", testEnd},
		{"reopen into the same buffers", testReopen},
		{"several buffers", testBuffers},
		{"cancelled context", testCancelled},
		{"close", testClose},
		{"wrong buffer", testWrongBuffer},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !o.Leaky {
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			}
			dev := make(t)
			if dev.String() == "" {
				t.Error("the device has no name")
			}
			if o.Frames > 0 != dev.Finite() {
				t.Errorf("Finite is %v", dev.Finite())
			}
			c.test(t, dev, o)
		})
	}
}

// some is how many frames a test reads.
func some(o Options) int {
	if o.Frames > 0 {
		return min(o.Frames, 5)
	}
	return 5
}

func open(t *testing.T, dev capture.Device) capture.Source {
	t.Helper()
	src, err := dev.Open(context.Background())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return src
}

func closeAll(t *testing.T, cs ...io.Closer) {
	t.Helper()
	for _, c := range cs {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// read takes one frame and checks its view.
func read(t *testing.T, src capture.Source, b capture.Buffer, o Options) time.Time {
	t.Helper()
	at, err := src.Read(context.Background(), b)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	check(t, b.Image(), o)
	return at
}

func check(t *testing.T, m capture.Image, o Options) {
	t.Helper()
	switch {
	case m.Empty() || m.Stride < 3*m.W || len(m.Pix) < (m.H-1)*m.Stride+3*m.W:
		t.Fatalf("view of %d×%d pixels with stride %d on %d bytes", m.W, m.H, m.Stride, len(m.Pix))
	case o.W > 0 && (m.W != o.W || m.H != o.H):
		t.Fatalf("frame of %d×%d pixels, want %d×%d", m.W, m.H, o.W, o.H)
	}
	for y := range m.H { // every byte can be read and written
		row := m.Row(y)
		for x := range row {
			row[x] ^= 0xff
		}
	}
}

func testFrames(t *testing.T, dev capture.Device, o Options) {
	src, b := open(t, dev), dev.NewBuffer()
	defer closeAll(t, src, b)
	if !b.Image().Empty() {
		t.Fatal("a new buffer shows pixels")
	}
	var last time.Time
	for i := range some(o) {
		at := read(t, src, b, o)
		if i > 0 && at.IsZero() != last.IsZero() {
			t.Fatalf("frame %d: time %v after %v: a source has a clock or has none", i, at, last)
		}
		if !at.IsZero() && !at.After(last) {
			t.Fatalf("frame %d: time %v after %v does not grow", i, at, last)
		}
		last = at
	}
}

func testEnd(t *testing.T, dev capture.Device, o Options) {
	if o.Frames == 0 {
		t.Skip("a live device has no end")
	}
	src, b := open(t, dev), dev.NewBuffer()
	defer closeAll(t, src, b)
	for range o.Frames {
		read(t, src, b, o)
	}
	for range 3 {
		if _, err := src.Read(context.Background(), b); !errors.Is(err, io.EOF) {
			t.Fatalf("after %d frames: %v, want io.EOF", o.Frames, err)
		}
	}
}

func testReopen(t *testing.T, dev capture.Device, o Options) {
	b := dev.NewBuffer()
	defer closeAll(t, b)
	var times []time.Time
	var memory *byte
	for round := range 3 {
		src := open(t, dev)
		for i := range some(o) {
			at := read(t, src, b, o)
			p := &b.Image().Pix[0]
			switch {
			case round == 0:
				times = append(times, at)
				memory = p
			case o.SameTimes && !at.Equal(times[i]):
				t.Errorf("round %d, frame %d: time %v, was %v", round, i, at, times[i])
			case p != memory && !o.MovesMemory:
				t.Errorf("round %d, frame %d: the buffer's memory was not used again", round, i)
			}
		}
		closeAll(t, src)
		check(t, b.Image(), o) // the frame outlives the source: it lies in the buffer
	}
}

func testBuffers(t *testing.T, dev capture.Device, o Options) {
	src := open(t, dev)
	defer closeAll(t, src)
	ring := capture.NewRing(2, dev.NewBuffer)
	a, errA := ring.Get()
	b, errB := ring.Get()
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if some(o) > 1 {
		read(t, src, a.Buffer(), o)
		held := a.Buffer().Image().CopyTo(capture.Image{})
		read(t, src, b.Buffer(), o)
		now := a.Buffer().Image()
		for y := range held.H {
			if string(held.Row(y)) != string(now.Row(y)) {
				t.Fatalf("reading into one buffer changed row %d of the other", y)
			}
		}
	}
	a.Release()
	b.Release()
	closeAll(t, ring)
}

func testCancelled(t *testing.T, dev capture.Device, o Options) {
	src, b := open(t, dev), dev.NewBuffer()
	defer closeAll(t, src, b)
	read(t, src, b, o)
	ctx, cancel := context.WithCancel(context.Background())
	if o.UncancelledRead {
		cancel()
	}
	stop := time.AfterFunc(50*time.Millisecond, cancel)
	defer stop.Stop()
	defer cancel()
	for range 100000 {
		if _, err := src.Read(ctx, b); err != nil {
			if !errors.Is(err, context.Canceled) && !(o.Frames > 0 && errors.Is(err, io.EOF)) {
				t.Fatalf("Read after cancel: %v, want context.Canceled", err)
			}
			return
		}
	}
	t.Fatal("Read does not notice that its context ended")
}

func testClose(t *testing.T, dev capture.Device, o Options) {
	closeAll(t, open(t, dev)) // never read
	src, b := open(t, dev), dev.NewBuffer()
	read(t, src, b, o)
	closeAll(t, src, src)                    // twice is harmless
	_, _ = src.Read(context.Background(), b) // may do what it likes, but not crash
	closeAll(t, b, b)
	if !b.Image().Empty() {
		t.Fatal("a closed buffer shows pixels")
	}
}

func testWrongBuffer(t *testing.T, dev capture.Device, o Options) {
	src := open(t, dev)
	defer closeAll(t, src)
	if _, err := src.Read(context.Background(), foreign{}); err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("a buffer of another device: %v, want an error", err)
	}
}

// foreign is a Buffer that belongs to no device.
type foreign struct{}

// Image is empty.
func (foreign) Image() capture.Image { return capture.Image{} }

// Close does nothing.
func (foreign) Close() error { return nil }
