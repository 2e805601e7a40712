package chart

import (
	"math"
	"slices"
	"testing"
)

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		whole  bool
		want   []float64
	}{
		{0, 1.66, false, []float64{0, 0.5, 1, 1.5}},
		{1, 3, true, []float64{1, 2, 3}},
		{1, 17, true, []float64{5, 10, 15}},
		{0.45, 0.75, false, []float64{0.5, 0.6, 0.7}},
	} {
		if got := Steps(c.lo, c.hi, c.whole); !slices.Equal(got, c.want) || math.Signbit(got[0]) {
			t.Errorf("%g to %g: %v, want %v", c.lo, c.hi, got, c.want)
		}
	}
}
