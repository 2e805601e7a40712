package classify_test

import (
	"math"
	"testing"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/model"
	"gleaner/model/modeltest"
)

// TestTemperature: a temperature does to probabilities what dividing the logits by it does, and leaves 1 and none as they are.
func TestTemperature(t *testing.T) {
	logits := []float32{2, 0.5, -1}
	softmax := func(by float64) (p []float32) {
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(float64(v) / by)
		}
		for _, v := range logits {
			p = append(p, float32(math.Exp(float64(v)/by)/sum))
		}
		return p
	}
	for _, temperature := range []float64{0, 1, 0.5, 2, 7} {
		for head, says1 := range map[string][]float32{"logits": logits, "probs": softmax(1)} {
			b := made(head, []string{"a", "b", "c"}, false)
			b.Manifest.Temperature = temperature
			c, err := classify.NewModel(b, lend(t, modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 3}), says(says1)))
			if err != nil {
				t.Fatal(err)
			}
			p, err := c.Classify(t.Context(), capture.NewImage(8, 6), nil)
			if err != nil {
				t.Fatal(err)
			}
			by := temperature
			if by == 0 {
				by = 1
			}
			for k, want := range softmax(by) {
				if math.Abs(float64(p[k]-want)) > 1e-6 {
					t.Errorf("%s at %g: %v, want %v", head, temperature, p, softmax(by))
					break
				}
			}
		}
	}
}
