package schedule

import (
	"math"
	"testing"
)

// TestRate compares with values that were worked out by the formulas of the comment, by hand or in Python's double precision.
func TestRate(t *testing.T) {
	type want map[int]float64
	for _, c := range []struct {
		name string
		s    Rate
		want want
	}{
		{"constant", Rate{Kind: "constant", Top: 0.1, Total: 100}, want{0: 0.1, 50: 0.1, 99: 0.1}},
		{"constant with warm-up", Rate{Kind: "constant", Top: 0.1, Warmup: 4, Total: 100}, want{0: 0.025, 1: 0.05, 3: 0.1, 4: 0.1, 99: 0.1}},
		{"step", Rate{Kind: "step", Top: 1, Every: 30, Factor: 0.1, Total: 100}, want{0: 1, 29: 1, 30: 0.1, 59: 0.1, 60: 0.01, 99: 0.001}},
		{"step after a warm-up", Rate{Kind: "step", Top: 1, Warmup: 10, Every: 30, Factor: 0.5, Total: 100}, want{9: 1, 39: 1, 40: 0.5}},
		{"cosine", Rate{Kind: "cosine", Top: 0.2, Total: 100}, want{0: 0.2, 25: 0.17071067811865476, 50: 0.1, 75: 0.029289321881345254, 99: 4.934396342684e-05}},
		{"cosine to a share", Rate{Kind: "cosine", Top: 1, Final: 0.1, Total: 100}, want{0: 1, 50: 0.55, 100: 0.1}},
		{"cosine after a warm-up", Rate{Kind: "cosine", Top: 1, Warmup: 20, Total: 100}, want{0: 0.05, 19: 1, 20: 1, 60: 0.5, 100: 0}},
		// torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=100): up to step 29, down to step 99.
		{"one cycle", Rate{Kind: "onecycle", Top: 1, Total: 100}, want{0: 0.04, 29: 1, 99: 4e-06, 64: (1 + 4e-06) / 2}},
		{"plateau", Rate{Kind: "plateau", Top: 1, Total: 100}, want{0: 0.25, 99: 0.25}},
		{"one step", Rate{Kind: "cosine", Top: 1, Total: 1}, want{0: 1}},
		{"one cycle of one step", Rate{Kind: "onecycle", Top: 1, Total: 1}, want{0: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.s.Check(); err != nil {
				t.Fatal(err)
			}
			for step, want := range c.want {
				if got := c.s.At(step, 0.25); math.Abs(got-want) > 1e-12 {
					t.Errorf("step %d: %.15g, want %.15g", step, got, want)
				}
			}
			for step := range c.s.Total {
				if got := c.s.At(step, 1); !(got >= 0 && got <= c.s.Top) {
					t.Errorf("step %d: %g is not in 0 to %g", step, got, c.s.Top)
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for name, s := range map[string]Rate{
		"unknown":        {Kind: "linear", Top: 1},
		"no rate":        {Kind: "constant"},
		"NaN":            {Kind: "constant", Top: math.NaN()},
		"step of 0":      {Kind: "step", Top: 1, Factor: 0.1},
		"factor of 1":    {Kind: "step", Top: 1, Every: 1, Factor: 1},
		"final above 1":  {Kind: "cosine", Top: 1, Final: 1.5},
		"warm-up at end": {Kind: "constant", Top: 1, Warmup: 10, Total: 10},
	} {
		if s.Check() == nil {
			t.Errorf("%s is taken: %+v", name, s)
		}
	}
}

func TestPlateau(t *testing.T) {
	p := Plateau{Best: math.MaxFloat64, Scale: 1}
	var scales []float64
	for _, loss := range []float64{1, 0.5, 0.49999, 0.5, 0.51, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4} {
		p.Observe(loss, 2, 0.1)
		scales = append(scales, p.Scale)
	}
	// 0.49999 is no better by one part in ten thousand: with 0.5 and 0.51 it makes three bad epochs, more than two.
	for i, want := range []float64{1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001} {
		if math.Abs(scales[i]-want) > 1e-15 {
			t.Fatalf("scales %v, number %d should be %g", scales, i, want)
		}
	}
	if p.Best != 0.4 {
		t.Errorf("best %g", p.Best)
	}
}
