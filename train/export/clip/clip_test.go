package clip

import (
	"math"
	"math/rand/v2"
	"testing"
)

func histogram(v []float32) *Histogram {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	h := NewHistogram(lo, hi)
	h.Add(v)
	return h
}

// rounded is the mean squared error of v rounded to 255 steps of a range.
func rounded(v []float32, lo, hi float32) float64 {
	step := float64(hi-lo) / 255
	sum := 0.0
	for _, x := range v {
		q := math.RoundToEven((min(max(float64(x), float64(lo)), float64(hi)) - float64(lo)) / step)
		d := float64(x) - float64(lo) - q*step
		sum += d * d
	}
	return sum / float64(len(v))
}

func TestLeastSquares(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	v := make([]float32, 1_000_000)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	v[7] = 30
	t.Run("one far value is given up for a million others", func(t *testing.T) {
		h := histogram(v)
		lo, hi := h.LeastSquares()
		if lo > -3 || hi > 12 || hi < 3 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
		if a, b := rounded(v, lo, hi), rounded(v, float32(h.lo), float32(h.hi)); a > b*2/3 {
			t.Errorf("the mean square is %v, and %v without clipping", a, b)
		}
	})
	t.Run("values spread evenly are all kept", func(t *testing.T) {
		u := make([]float32, 100_000)
		for i := range u {
			u[i] = rng.Float32()
		}
		if lo, hi := histogram(u).LeastSquares(); hi < 0.97 || lo > 0.001 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
	})
	t.Run("one value", func(t *testing.T) {
		if lo, hi := histogram([]float32{3, 3}).LeastSquares(); lo != 3 || hi != 3 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
	})
	t.Run("below 0 only", func(t *testing.T) {
		if lo, hi := histogram([]float32{-4, -1, -2}).LeastSquares(); lo < -4 || lo > -3.5 || hi != -1 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
	})
}
