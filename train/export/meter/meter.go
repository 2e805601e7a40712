// Package meter looks at the values of an activation and says what range an int8 file should give it and what its channels'
// means are. Which activations are looked at, and what becomes of the ranges, is in train/export.
package meter

import (
	"math"
	"slices"
)

// bins is how finely values are counted; steps is how finely ranges are tried, and tried how many of the steps.
const (
	bins  = 2048
	steps = 50
	tried = 45
)

// Meter is what was seen of one activation.
type Meter struct {
	lo, hi float32
	rows   int       // of channels
	sums   []float64 // by channel
	hist   *[bins]float64
}

// New is a meter of an activation with so many channels, its last axis.
func New(channels int) *Meter { return &Meter{sums: make([]float64, channels)} }

// Add looks at the values for one picture, channels last.
func (m *Meter) Add(v []float32) {
	lo, hi := slices.Min(v), slices.Max(v)
	if m.rows == 0 {
		m.lo, m.hi = lo, hi
	}
	m.lo, m.hi = min(m.lo, lo), max(m.hi, hi)
	for i := 0; i < len(v); i += len(m.sums) {
		for c, x := range v[i : i+len(m.sums)] {
			m.sums[c] += float64(x)
		}
		m.rows++
	}
}

// Seen tells whether there was anything to look at.
func (m *Meter) Seen() bool { return m.rows > 0 }

// Range is from the least to the greatest value.
func (m *Meter) Range() (lo, hi float32) { return m.lo, m.hi }

// Mean is each channel's, over all places and pictures.
func (m *Meter) Mean() []float64 {
	mean := make([]float64, len(m.sums))
	for c, s := range m.sums {
		mean[c] = s / float64(max(m.rows, 1))
	}
	return mean
}

// Count looks a second time at values that Add has seen, so that LeastSquares knows how they are spread.
func (m *Meter) Count(v []float32) {
	if m.hist == nil {
		m.hist = new([bins]float64)
	}
	lo, width := float64(m.lo), float64(m.hi)-float64(m.lo)
	if width <= 0 {
		return
	}
	for _, x := range v {
		m.hist[min(max(int((float64(x)-lo)/width*bins), 0), bins-1)]++
	}
}

// LeastSquares is the range within Range whose rounding to 255 steps and clipping loses the least in the mean square over what
// was counted: rare extremes are given up so that the others are rounded finer (Sung et al. 2015; Banner et al. 2019). Each end
// is drawn in by fiftieths; 0 stays in the range.
func (m *Meter) LeastSquares() (lo, hi float32) {
	lo, hi = m.lo, m.hi
	if m.hist == nil {
		return lo, hi
	}
	least := math.Inf(1)
	for i := range tried {
		for j := range tried {
			if m.lo >= 0 && i > 0 || m.hi <= 0 && j > 0 {
				continue
			}
			a, b := float64(m.lo)*(1-float64(i)/steps), float64(m.hi)*(1-float64(j)/steps)
			if l := m.loss(min(a, 0), max(b, 0), least); l < least {
				least, lo, hi = l, float32(a), float32(b)
			}
		}
	}
	return lo, hi
}

// loss is the summed squared error with the range lo to hi, or something above enough.
func (m *Meter) loss(lo, hi, enough float64) float64 {
	step := (hi - lo) / 255
	rounding, sum := step*step/12, 0.0
	for i, n := range m.hist {
		if n == 0 {
			continue
		}
		x := float64(m.lo) + (float64(i)+0.5)/bins*(float64(m.hi)-float64(m.lo))
		e := x - min(max(x, lo), hi)
		if sum += n * (e*e + rounding); sum > enough {
			break
		}
	}
	return sum
}
