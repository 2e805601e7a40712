package enginetest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

func TestDifferencesFindAWrongGradient(t *testing.T) {
	n := net(t, "fake_quant")
	if worst, where, err := CheckGradients(n, Differences{}); err != nil || worst < 0.5 || !strings.Contains(where, "x[") {
		t.Errorf("a gradient that passes straight through steps is off by %g, %s, %v", worst, where, err)
	}
}

// TestGradientsOfATrainingProgram reads the gradients out of the velocities that sgd leaves.
func TestGradientsOfATrainingProgram(t *testing.T) {
	of := net(t, "training, sgd")
	values := map[string][]float32{}
	for v, x := range of.Values {
		values[v.Name] = x
	}
	input := func(v *engine.Value) []float32 { return of.Runs[0][slices.Index(of.Program.Inputs, v)] }
	n, err := FromTraining(of.Name, of.Program, values, input)
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Params) != 11 {
		t.Fatalf("%d parameters", len(n.Params))
	}
	of = net(t, "training, sgd, momentum, decay")
	if _, err := FromTraining(of.Name, of.Program, nil, nil); err == nil {
		t.Error("velocities with momentum are taken for gradients")
	}
	if worst, where, err := CheckGradients(n, Differences{Elements: 5, Directions: 2}); err != nil || !(worst <= 1e-6) {
		t.Errorf("%g: %s, %v", worst, where, err)
	}
}

// bent is a backend whose outputs are off by a thousandth.
type bent struct{ engine.Backend }

type bentRunner struct{ engine.Runner }

func (b bent) Compile(p *engine.Program) (engine.Runner, error) {
	r, err := b.Backend.Compile(p)
	return bentRunner{r}, err
}

func (r bentRunner) Finish(out [][]float32) error {
	err := r.Runner.Finish(out)
	for _, d := range out {
		for i := range d {
			d[i] *= 1.001
		}
	}
	return err
}

func TestCompareSeesASmallDifference(t *testing.T) {
	worst, where, err := Compare(net(t, "conv2d 3x3"), bent{ref.New[float32]()})
	if err != nil || math.Abs(worst-1e-3) > 1e-5 || !strings.Contains(where, "run 0") {
		t.Errorf("off by %g, %s, %v", worst, where, err)
	}
	if worst, _, err := Compare(net(t, "conv2d 3x3"), ref.New[float32]()); err != nil || worst > 1e-5 {
		t.Errorf("off by %g, %v", worst, err)
	}
}

// TestStepsAloneAgree takes a network apart; a kernel that is off is found by its layer.
func TestStepsAloneAgree(t *testing.T) {
	for _, name := range []string{"residual network", "inverted bottleneck", "plain network", "training, sgd"} {
		if worst, where, err := CompareSteps(net(t, name), ref.New[float32]()); err != nil || worst == 0 || worst > 1e-5 {
			t.Errorf("%s: %g, %s, %v", name, worst, where, err)
		}
	}
	worst, where, err := CompareSteps(net(t, "plain network"), bent{ref.New[float32]()})
	if err != nil || math.Abs(worst-1e-3) > 1e-4 || !strings.Contains(where, "plain network: ") {
		t.Errorf("%g, %s, %v", worst, where, err)
	}
}

func TestDifferCountsNaN(t *testing.T) {
	one := func(x float64) *Results { return &Results{Names: []string{"x"}, Arrays: [][]float64{{x}}} }
	for _, c := range []struct{ got, want, diff float64 }{
		{1, 1, 0}, {1.5, 1, 0.5}, {-3, 2, 2.5}, {0.25, 0, 0.25}, {math.NaN(), math.NaN(), 0},
	} {
		if d, _ := Differ(one(c.got), one(c.want)); d != c.diff {
			t.Errorf("%g for %g differs by %g, want %g", c.got, c.want, d, c.diff)
		}
	}
	for _, c := range [][2]float64{{math.NaN(), 1}, {1, math.NaN()}} {
		both := func(x float64) *Results { return &Results{Names: []string{"x"}, Arrays: [][]float64{{x, 1}}} }
		if d, _ := Differ(both(c[0]), both(c[1])); !math.IsInf(d, 1) {
			t.Errorf("%g for %g differs by %g", c[0], c[1], d)
		}
	}
}

func net(t *testing.T, name string) *Net {
	t.Helper()
	c, ok := Find(name)
	if !ok {
		t.Fatalf("no case is called %s", name)
	}
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
