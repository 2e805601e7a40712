package rounding

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestInt8(t *testing.T) {
	for _, c := range []struct {
		name  string
		w     []float32
		least float64
		scale float32
		want  []int8
	}{
		{"the greatest becomes 127", []float32{127, -63, 0.4}, 0, 1, []int8{127, -63, 0}},
		{"halves to the even one", []float32{-127, 0.5, 1.5, -2.5}, 0, 1, []int8{-127, 0, 2, -2}},
		{"a scale that must not be less", []float32{1, -2}, 1, 1, []int8{1, -2}},
		{"nothing", []float32{0, 0}, 0, 1, []int8{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := make([]byte, len(c.w))
			if s := Int8(q, c.w, c.least); s != c.scale {
				t.Errorf("the scale is %v, want %v", s, c.scale)
			}
			for i, x := range c.want {
				if int8(q[i]) != x {
					t.Errorf("weight %d is %d, want %d", i, int8(q[i]), x)
				}
			}
		})
	}
}

// TestShift compares with the mean of what a channel gives before and after.
func TestShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const taps, channels, pictures = 3, 5, 400
	w := make([]float32, taps*channels)
	for i := range w {
		w[i] = float32(rng.NormFloat64())
	}
	_, half := Float16(w)
	mean := make([]float64, channels)
	before, after := 0.0, 0.0
	for range pictures {
		x := make([]float64, channels)
		for c := range x {
			x[c] = rng.Float64() * float64(c)
			mean[c] += x[c] / pictures
		}
		for i := range w { // every tap sees the same
			before += float64(w[i]) * x[i%channels] / pictures
			after += float64(half[i]) * x[i%channels] / pictures
		}
	}
	got := Shift(w, func(i int) float32 { return half[i] }, mean)
	if want := after - before; math.Abs(float64(got)-want) > 1e-6*math.Abs(want)+1e-9 || want == 0 {
		t.Errorf("the shift is %v, want %v", got, want)
	}
}
