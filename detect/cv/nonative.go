//go:build !cgo || nonative

package cv

import (
	"errors"

	"gleaner/capture"
	"gleaner/detect"
)

// Real says whether this build has OpenCV.
const Real = false

func newMOG2(detect.MotionOptions) (masker, error) {
	return nil, errors.New("motion.method mog2 needs OpenCV, and this build has none; use reference")
}

func newScaler() scaler { return &sampler{} }

// sampler scales by averaging the 2×2 pixels at each target pixel's centre, which is what a linear resize to half or
// less does.
type sampler struct{ small []byte }

func (s *sampler) scale(im capture.Image, w, h int) ([]byte, error) {
	if len(s.small) != 3*w*h {
		s.small = make([]byte, 3*w*h)
	}
	for y := range h {
		sy := (2*y+1)*im.H/(2*h) - 1
		a, b := im.Row(max(sy, 0)), im.Row(min(max(sy+1, 0), im.H-1))
		out := s.small[3*y*w : 3*(y+1)*w]
		for x := range w {
			sx := (2*x+1)*im.W/(2*w) - 1
			l, r := 3*max(sx, 0), 3*min(max(sx+1, 0), im.W-1)
			for c := range 3 {
				out[3*x+c] = byte((int(a[l+c]) + int(a[r+c]) + int(b[l+c]) + int(b[r+c]) + 2) / 4)
			}
		}
	}
	return s.small, nil
}

func (s *sampler) Close() error { return nil }
