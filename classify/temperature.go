package classify

import "math"

// leastP is what a probability of nothing counts as when it is scaled, as where the temperature was fitted (train/eval).
const leastP = 1e-12

// scale gives probabilities another temperature, above 0: p^(1/t), made to sum to 1, which is what dividing the logits by t does
// (Guo et al., "On Calibration of Modern Neural Networks", 2017). Their order stays. 0 and 1 change nothing.
func scale(p []float32, t float64) {
	if t == 0 || t == 1 {
		return
	}
	sum := 0.0
	for _, v := range p {
		sum += math.Pow(max(float64(v), leastP), 1/t)
	}
	for i, v := range p {
		p[i] = float32(math.Pow(max(float64(v), leastP), 1/t) / sum)
	}
}
