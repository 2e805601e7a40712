// Package detect finds objects in frames: what a Detection is, the decoders that turn a network's output tensors into
// boxes (SSD, YOLO, BlazeFace), the region of interest, filters, tiles and non-maximum suppression. It is pure Go;
// detectors that need OpenCV are in detect/cv, and who the same object is from frame to frame is known in detect/track.
package detect

import (
	"context"
	"image"
	"time"

	"gleaner/capture"
)

// Box is a rectangle in pixels of the full frame, x to the right and y down; X1 and Y1 lie just outside.
type Box struct{ X0, Y0, X1, Y1 float32 }

// W is the width in pixels.
func (b Box) W() float32 { return b.X1 - b.X0 }

// H is the height in pixels.
func (b Box) H() float32 { return b.Y1 - b.Y0 }

// Area is in square pixels, 0 for an inverted box.
func (b Box) Area() float32 {
	if b.X1 <= b.X0 || b.Y1 <= b.Y0 {
		return 0
	}
	return b.W() * b.H()
}

// IoU is the intersection over union of two boxes, 0 to 1.
func (b Box) IoU(o Box) float32 {
	i := Box{max(b.X0, o.X0), max(b.Y0, o.Y0), min(b.X1, o.X1), min(b.Y1, o.Y1)}.Area()
	if i == 0 {
		return 0
	}
	return i / (b.Area() + o.Area() - i)
}

// IoS is the intersection of two boxes over the smaller one's area, 0 to 1.
func (b Box) IoS(o Box) float32 {
	i := Box{max(b.X0, o.X0), max(b.Y0, o.Y0), min(b.X1, o.X1), min(b.Y1, o.Y1)}.Area()
	if i == 0 {
		return 0
	}
	return i / min(b.Area(), o.Area())
}

// Rect is the smallest whole-pixel rectangle around the box.
func (b Box) Rect() image.Rectangle {
	r := image.Rect(int(b.X0), int(b.Y0), int(b.X1), int(b.Y1))
	if float32(r.Max.X) < b.X1 {
		r.Max.X++
	}
	if float32(r.Max.Y) < b.Y1 {
		r.Max.Y++
	}
	return r
}

// Detection is one object in one frame.
type Detection struct {
	Box   Box
	Class int     // index into the detector's Labels; -1 where the detector knows no classes
	Score float32 // confidence, 0 to 1; 1 where the detector gives none
}

// Detector finds objects. One goroutine calls Detect; a Detector keeps state from frame to frame (a background, a
// gate) and so belongs to one camera.
type Detector interface {
	// Detect appends what it finds in the frame to dst and returns it. im is borrowed for the length of the call and t
	// is the frame's time. Boxes are in pixels of im and inside it. In the steady state it allocates nothing in Go.
	Detect(ctx context.Context, im capture.Image, t time.Time, dst []Detection) ([]Detection, error)
	// Labels are the class names by Detection.Class; nil where there are no classes.
	Labels() []string
	// Close frees what is native. The models it borrows from a Pool stay.
	Close() error
}

// Gate is a cheap test for "has anything moved?" that stands before a network detector.
type Gate interface {
	// Open reports whether the frame differs enough from the scene before. Every frame must be shown to it.
	Open(im capture.Image, t time.Time) (bool, error)
	Close() error
}
