package enginetest

import (
	"math"

	"gleaner/train/engine"
)

// Scalar is what a training loop writes to a scalar input at step t, from 0, with the learning rate rate and Adam's usual
// betas; the share of a moving average is 0.1. 0 for a name that is not one of the engine's.
func Scalar(input string, t int, rate float64) float32 {
	switch input {
	case engine.StepInput:
		return float32(t)
	case engine.RateInput:
		return float32(rate)
	case engine.Corr1Input:
		return float32(1 / (1 - math.Pow(0.9, float64(t+1))))
	case engine.Corr2Input:
		return float32(1 / (1 - math.Pow(0.999, float64(t+1))))
	case engine.BlendInput:
		return 0.1
	}
	return 0
}
