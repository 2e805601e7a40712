package meter

import (
	"math"
	"math/rand/v2"
	"testing"
)

func meter(channels int, pictures ...[]float32) *Meter {
	m := New(channels)
	for _, v := range pictures {
		m.Add(v)
	}
	for _, v := range pictures {
		m.Count(v)
	}
	return m
}

func TestRangeAndMean(t *testing.T) {
	if m := New(2); m.Seen() {
		t.Error("a meter has seen something that was shown nothing")
	}
	m := meter(2, []float32{1, -2, 3, 4}, []float32{2, 0, 2, -10})
	if lo, hi := m.Range(); lo != -10 || hi != 4 || !m.Seen() {
		t.Errorf("the range is %v to %v", lo, hi)
	}
	if mean := m.Mean(); mean[0] != 2 || mean[1] != -2 {
		t.Errorf("the means are %v", mean)
	}
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
		h := meter(1, v)
		lo, hi := h.LeastSquares()
		if lo > -3 || hi > 12 || hi < 3 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
		if a, b := rounded(v, lo, hi), rounded(v, h.lo, h.hi); a > b*2/3 {
			t.Errorf("the mean square is %v, and %v without clipping", a, b)
		}
	})
	t.Run("values spread evenly are all kept", func(t *testing.T) {
		u := make([]float32, 100_000)
		for i := range u {
			u[i] = rng.Float32()
		}
		if lo, hi := meter(1, u).LeastSquares(); hi < 0.97 || lo > 0.001 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
	})
	t.Run("one value", func(t *testing.T) {
		if lo, hi := meter(1, []float32{3, 3}).LeastSquares(); lo != 3 || hi != 3 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
	})
	t.Run("below 0 only", func(t *testing.T) {
		if lo, hi := meter(1, []float32{-4, -1, -2}).LeastSquares(); lo < -4 || lo > -3.5 || hi != -1 {
			t.Errorf("the range is %v to %v", lo, hi)
		}
	})
}
