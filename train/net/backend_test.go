package net

import (
	"math"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// newBackend is the backend of the tests: the reference, which every build has.
func newBackend() engine.Backend { return ref.New[float32]() }

// worst is the greatest difference, and the greatest number in want.
func worst(got, want []float32) (diff, scale float64) {
	if len(got) != len(want) {
		return math.Inf(1), 1
	}
	for i := range want {
		diff = max(diff, math.Abs(float64(got[i]-want[i])))
		scale = max(scale, math.Abs(float64(want[i])))
	}
	return diff, scale
}

// rms is the root of the mean squared difference.
func rms(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]-b[i]) * float64(a[i]-b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}
