// Package clip chooses the range of an int8 activation from the values that were seen: rare extremes may be given up so that
// the others are rounded finer. How ranges are measured and written is in train/export.
package clip

import "math"

// bins is how finely values are counted; steps is how finely ranges are tried, and tried how many of the steps.
const (
	bins  = 2048
	steps = 50
	tried = 45
)

// Histogram counts values of a range.
type Histogram struct {
	lo, hi float64
	n      [bins]float64
}

// NewHistogram counts values from lo to hi.
func NewHistogram(lo, hi float32) *Histogram { return &Histogram{lo: float64(lo), hi: float64(hi)} }

// Add counts v. Values outside the range are counted at its ends.
func (h *Histogram) Add(v []float32) {
	width := h.hi - h.lo
	if width <= 0 {
		return
	}
	for _, x := range v {
		h.n[min(max(int((float64(x)-h.lo)/width*bins), 0), bins-1)]++
	}
}

// LeastSquares is the range within the histogram's whose rounding to 255 steps and clipping loses the least in the mean square
// (Sung et al. 2015; Banner et al. 2019). Each end is drawn in by fiftieths; 0 stays in the range.
func (h *Histogram) LeastSquares() (lo, hi float32) {
	least := math.Inf(1)
	for i := range tried {
		for j := range tried {
			if h.lo >= 0 && i > 0 || h.hi <= 0 && j > 0 {
				continue
			}
			a, b := h.lo*(1-float64(i)/steps), h.hi*(1-float64(j)/steps)
			if l := h.loss(min(a, 0), max(b, 0), least); l < least {
				least, lo, hi = l, float32(a), float32(b)
			}
		}
	}
	return lo, hi
}

// loss is the summed squared error with the range lo to hi, or something above enough.
func (h *Histogram) loss(lo, hi, enough float64) float64 {
	step := (hi - lo) / 255
	rounding, sum := step*step/12, 0.0
	for i, n := range h.n {
		if n == 0 {
			continue
		}
		x := h.lo + (float64(i)+0.5)/bins*(h.hi-h.lo)
		e := x - min(max(x, lo), hi)
		if sum += n * (e*e + rounding); sum > enough {
			break
		}
	}
	return sum
}
