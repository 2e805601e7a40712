package enginetest

import (
	"slices"
	"testing"

	"gleaner/train/engine"
)

func TestCasesBuild(t *testing.T) {
	seen := map[string]bool{}
	kinds := map[engine.Kind]bool{}
	for _, c := range Cases() {
		if seen[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
		n, err := c.Net()
		if err != nil {
			t.Error(err)
			continue
		}
		again, err := c.Net()
		if err != nil {
			t.Fatal(err)
		}
		for i, in := range n.Runs {
			if err := n.Program.CheckInputs(in); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			for k := range in {
				if !slices.Equal(in[k], again.Runs[i][k]) {
					t.Errorf("%s: a second build has other numbers", c.Name)
				}
			}
		}
		for _, s := range n.Program.Steps {
			kinds[s.Op.Kind] = true
		}
	}
	for _, k := range []engine.Kind{
		engine.Conv2D, engine.Conv2DDX, engine.Conv2DDW, engine.Dense, engine.DenseDX, engine.DenseDW, engine.BatchNorm,
		engine.BatchNormDX, engine.NormInfer, engine.NormInferDX, engine.NormInferDP, engine.Relu, engine.ReluDX, engine.Relu6,
		engine.Relu6DX, engine.HSwish, engine.HSwishDX, engine.MaxPool, engine.MaxPoolDX, engine.AvgPool, engine.AvgPoolDX,
		engine.GlobalAvgPool, engine.GlobalAvgPoolDX, engine.Add, engine.Concat, engine.Slice, engine.Reshape, engine.Scale,
		engine.Dropout, engine.Softmax, engine.Sigmoid, engine.SoftmaxLoss, engine.SoftmaxLossDZ, engine.BCELoss, engine.BCELossDZ,
		engine.L2, engine.L2DW, engine.FakeQuant, engine.FakeQuantDX, engine.FakeQuantW, engine.Range, engine.GradNorm, engine.SGD,
		engine.Adam, engine.Lerp,
	} {
		if !kinds[k] {
			t.Errorf("no case has a %s", k)
		}
	}
}
