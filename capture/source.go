// Package capture is where frames come from: what a frame is, who owns its pixels, and the sources that need no
// native library (pictures drawn by the program). Cameras, streams and clips that OpenCV opens are in capture/cv; what
// happens to a frame afterwards is not known here.
package capture

import (
	"context"
	"time"
)

// Device is a camera, stream or clip that can be opened again and again. Open, NewBuffer and the properties may be
// called from any goroutine; at most one Source of a Device is open at a time.
type Device interface {
	// Open connects and returns a Source, or says why not. It may block for as long as the source's own time-outs
	// allow, which are bounded (seconds), and gives up early where it can when ctx ends.
	Open(ctx context.Context) (Source, error)
	// NewBuffer makes one frame's memory of the kind that this device's sources fill.
	NewBuffer() Buffer
	// Finite reports whether the source ends by itself (io.EOF) and can be read as fast as frames are wanted, so that
	// a replay loses nothing.
	Finite() bool
	// String names the device for people, with passwords left out.
	String() string
}

// Source is an open Device. One goroutine calls Read; Close may be called when that goroutine has returned.
type Source interface {
	// Read waits for the next frame and decodes it into b, a buffer of the same Device. It returns the frame's own
	// time where the source has one (a clip, a drawn scene) and the zero time where it has none (a live camera).
	// io.EOF ends a finite source; any other error means that the source is to be closed and opened anew. A native
	// read cannot be interrupted: it returns within the source's time-out, some seconds, not when ctx ends.
	Read(ctx context.Context, b Buffer) (time.Time, error)
	// Close frees the connection.
	Close() error
}

// Memory is a Buffer in Go memory, for sources that draw or decode in Go.
type Memory struct{ Img Image }

// Image is the view on the picture last drawn.
func (m *Memory) Image() Image { return m.Img }

// Close drops the memory.
func (m *Memory) Close() error { m.Img = Image{}; return nil }

// Size makes the buffer w×h, keeping its memory when the size is unchanged.
func (m *Memory) Size(w, h int) Image {
	if m.Img.W != w || m.Img.H != h {
		m.Img = NewImage(w, h)
	}
	return m.Img
}
