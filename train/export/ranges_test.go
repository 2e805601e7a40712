package export

import (
	"math"
	"testing"
)

func TestParams(t *testing.T) {
	for _, c := range []struct {
		name string
		s    span
		want params
	}{
		{"pixels from 0 to 1", span{0, 1}, params{1. / 255, -128}},
		{"pixels from -1 to 1", span{-1, 1}, params{2. / 255, -1}},
		{"above 0 only", span{2, 4}, params{4. / 255, -128}},
		{"below 0 only", span{-4, -2}, params{4. / 255, 127}},
		{"no width", span{0, 0}, params{1. / 255, -128}},
		{"relu6", span{0, 6}, params{6. / 255, -128}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.params(); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPixelSpan(t *testing.T) {
	s, ok := pixelSpan([]float32{123.675, 116.28, 103.53}, []float32{58.395, 57.12, 57.375})
	if !ok || math.Abs(float64(s.lo)+2.1179) > 1e-3 || math.Abs(float64(s.hi)-2.64) > 1e-3 {
		t.Errorf("ImageNet's pixels are from %v to %v", s.lo, s.hi)
	}
	if _, ok := pixelSpan(nil, nil); ok {
		t.Error("a span without mean and std")
	}
}

// TestPixelsHaveNoTies wants each pixel value rounded the same way by halves away from 0, as classify/prep does, and by halves to
// the even number, as fake quantisation does, no further than half a step.
func TestPixelsHaveNoTies(t *testing.T) {
	for _, c := range []struct {
		name      string
		mean, std float32
		most      float64 // error in steps
	}{{"-1 to 1", 127.5, 127.5, 0.52}, {"0 to 1", 0, 255, 0.03}, {"0 to 255", 0, 1, 0.03}} {
		s, _ := pixelSpan([]float32{c.mean}, []float32{c.std})
		q := s.offGrid().params()
		for v := range 256 {
			x := (float32(v) - c.mean) / c.std
			away := math.Round(float64(x) / float64(q.scale))
			even := math.RoundToEven(float64(x / q.scale))
			if off := math.Abs(min(max(away+float64(q.zero), -128), 127) - float64(q.zero) - float64(x)/float64(q.scale)); away != even || off > c.most {
				t.Errorf("%s: pixel %d is rounded to %v or %v, %.2f steps off", c.name, v, away, even, off)
			}
		}
	}
}
