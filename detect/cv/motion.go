// Package cv finds objects without a network: the motion detector (a learned reference background, or OpenCV's MOG2)
// and the motion gate that stands before network detectors. OpenCV does the scaling and MOG2; the reference
// background, the cleaning of masks and the splitting of touching objects are pure Go in files without a build tag.
// Decoding networks is in package detect; no gocv type leaves this package.
//
// Long because the motion detector's steps (background, blobs, a closer look, cuts) work on each other's masks.
package cv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gleaner/capture"
	"gleaner/detect"
)

// scaler makes the small picture that pixels are compared on. The result belongs to the scaler and is valid until its
// next call.
type scaler interface {
	// scale returns w×h pixels, B, G, R interleaved without padding.
	scale(im capture.Image, w, h int) ([]byte, error)
	Close() error
}

// masker tells foreground from background.
type masker interface {
	// mask writes 1 for foreground and 0 for background over dst, w*h bytes; small is w×h BGR. known is false while
	// the background is being learned anew and nothing is to be reported.
	mask(small []byte, dst []byte, dt time.Duration) (known bool, err error)
	Close() error
}

// Motion is the motion detector. It belongs to one camera.
type Motion struct {
	o      detect.Options
	filter *detect.Filter
	scaler scaler
	masker masker
	clock  clock

	srcW, srcH int // size of the frames that the state below was learned on
	w, h       int // size of the small picture
	roi        []bool
	fg         []byte
	blobs      blobber
	split      splitter
	near       []byte // scratch: a window's mask
	found      []fine
}

// NewMotion makes the motion detector that o describes. It has no classes (Labels is nil, Detection.Class is -1) and
// its scores say how much of the box is foreground, 0 to 1. A change of the frame size starts it afresh.
func NewMotion(o detect.Options) (detect.Detector, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("motion detector: %w", err)
	}
	f, err := detect.NewFilter(o, nil, nil, 0)
	if err != nil {
		return nil, fmt.Errorf("motion detector: %w", err)
	}
	m := &Motion{o: o, filter: f}
	if o.Motion.Method == detect.MethodMOG2 {
		m.masker, err = newMOG2(o.Motion)
		if err != nil {
			return nil, fmt.Errorf("motion detector: %w", err)
		}
	} else {
		m.masker = newReference(o.Motion)
	}
	m.scaler = newScaler()
	return m, nil
}

// Labels is nil: motion knows no classes.
func (m *Motion) Labels() []string { return nil }

// Close frees the native memory.
func (m *Motion) Close() error { return errors.Join(m.scaler.Close(), m.masker.Close()) }

// Detect implements detect.Detector.
func (m *Motion) Detect(ctx context.Context, im capture.Image, t time.Time, dst []detect.Detection) ([]detect.Detection, error) {
	if im.Empty() {
		return dst, fmt.Errorf("detect motion: %w", detect.ErrEmpty)
	}
	if im.W != m.srcW || im.H != m.srcH {
		m.resize(im.W, im.H)
	}
	small, err := m.scaler.scale(im, m.w, m.h)
	if err != nil {
		return dst, fmt.Errorf("detect motion: %w", err)
	}
	known, err := m.masker.mask(small, m.fg, m.clock.step(t))
	if err != nil {
		return dst, fmt.Errorf("detect motion: %w", err)
	}
	if !known {
		return dst, nil
	}
	for i, in := range m.roi {
		if !in {
			m.fg[i] = 0
		}
	}
	return m.objects(im, small, dst), nil
}

// objects turns the foreground mask into detections.
func (m *Motion) objects(im capture.Image, small []byte, dst []detect.Detection) []detect.Detection {
	open3(m.fg, m.w)
	// Gaps of up to four pixels are closed, so that a dark stripe does not halve an object; the closer look that splits
	// objects opens those between neighbours again.
	swell3(m.fg, m.w)
	close3(m.fg, m.w)
	shrink3(m.fg, m.w)
	least := max(int(m.o.MinArea*float64(m.w*m.h)), 4)
	blobs := m.blobs.find(m.fg, m.w, m.h, least)
	if r, ok := m.masker.(*reference); ok {
		blobs = r.judge(small, m.blobs.labels, blobs)
	}
	blobs = m.blobs.absorb(blobs, m.w)
	m.found = m.found[:0]
	for _, b := range blobs {
		if m.o.Motion.Split {
			m.found = m.split.cut(b, m.look(im, b), small, m.w, m.found)
		} else {
			m.found = append(m.found, fine{float32(b.x0), float32(b.y0), float32(b.x1), float32(b.y1), float32(b.area)})
		}
	}
	m.split.last = append(m.split.last[:0], m.found...)
	from := len(dst)
	sx, sy := float32(im.W)/float32(m.w), float32(im.H)/float32(m.h)
	for _, f := range m.found {
		box := detect.Box{X0: f.x0 * sx, Y0: f.y0 * sy, X1: f.x1 * sx, Y1: f.y1 * sy}
		fill := f.area / ((f.x1 - f.x0) * (f.y1 - f.y0))
		dst = append(dst, detect.Detection{Box: box, Class: -1, Score: min(fill, 1)})
	}
	return m.filter.Apply(dst, from, im)
}

func (m *Motion) resize(w, h int) {
	m.srcW, m.srcH = w, h
	m.w, m.h = smallSize(w, h, m.o.Motion.Width)
	m.fg = make([]byte, m.w*m.h)
	m.roi, _ = regionMask(m.o.Region(), m.w, m.h)
	if r, ok := m.masker.(*reference); ok {
		r.resize(m.w, m.h, m.roi)
	}
}
