package net

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/train/engine"
)

// TestFitNorms gives fresh norms the pictures' statistics: the answers stay, and in training each channel of the batch then
// comes out as it went in.
func TestFitNorms(t *testing.T) {
	n, w, err := Import(every(), ImportOptions{Norms: true})
	if err != nil {
		t.Fatal(err)
	}
	b := newBackend()
	defer b.Close()
	x := first(noise(n, 8, 1))
	before := answers(t, n, w, 8, x, EvalOptions{})
	fit, err := n.FitNorms(b, w, 8, noise(n, 8, 1))
	if err != nil {
		t.Fatal(err)
	}
	if d, s := worst(answers(t, n, fit, 8, x, EvalOptions{}), before); d > 1e-4*s {
		t.Errorf("the answers changed by %g of %g", d, s)
	}
	moved := 0
	for name := range w {
		if strings.HasSuffix(name, "/bn/var") && !slices.Equal(w[name], fit[name]) {
			moved++
		}
	}
	if moved != 3 {
		t.Errorf("%d norms have new statistics", moved)
	}
	p, err := n.Training(8, TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Weights{"fit": fit, "not fit": w} {
		if err := n.Load(b, want); err != nil {
			t.Fatal(err)
		}
		probabilities := learn(t, b, p, x)
		d := 0.0
		for i, z := range before {
			d = max(d, math.Abs(float64(probabilities[i])-1/(1+math.Exp(-float64(z)))))
		}
		if near := d < 1e-4; near != (name == "fit") {
			t.Errorf("in training, %s, the answers are off by %g", name, d)
		}
	}
}

// learn does one step on a batch, without labels and at a rate of zero, and gives the first head's probabilities in training.
func learn(t *testing.T, b engine.Backend, p *engine.Program, x []float32) []float32 {
	t.Helper()
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := make([][]float32, len(p.Inputs))
	for i, v := range p.Inputs {
		in[i] = make([]float32, v.Shape.Size())
		if v.Input == PictureInput {
			in[i] = x
		}
	}
	probabilities := make([]float32, p.Outputs[1].Shape.Size())
	if err := engine.Run(r, in, [][]float32{make([]float32, 1), probabilities}); err != nil {
		t.Fatal(err)
	}
	return probabilities
}

// TestSettleNorms: with the statistics of one batch the network answers that batch as it does in training, also by averaged weights;
// norms that do not learn keep theirs.
func TestSettleNorms(t *testing.T) {
	o := small["cnn-bn"]
	o.Drop = -1 // none
	n, err := New("cnn-bn", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Freeze("conv1a"); err != nil {
		t.Fatal(err)
	}
	b := newBackend()
	defer b.Close()
	x := first(noise(n, 4, 1))
	p, err := n.Training(4, TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd", Average: true}})
	if err != nil {
		t.Fatal(err)
	}
	w := n.First(3)
	if err := n.Load(b, w); err != nil {
		t.Fatal(err)
	}
	states := n.StartStates(w)
	for _, v := range n.States() {
		if err := b.Write(v, states[v.Name]); err != nil {
			t.Fatal(err)
		}
	}
	// The weights move away from their averages, which the statistics are wanted for.
	moved := w.Clone()
	for _, v := range n.Params() {
		for i := range moved[v.Name] {
			moved[v.Name][i] *= 1.5
		}
		if err := b.Write(v, moved[v.Name]); err != nil {
			t.Fatal(err)
		}
	}
	for _, average := range []bool{false, true} {
		want := map[bool]Weights{false: moved, true: w}[average]
		if err := n.SettleNorms(b, average, 4, noise(n, 4, 1)); err != nil {
			t.Fatal(err)
		}
		got := maps.Clone(want)
		for _, v := range n.Vars() {
			if strings.HasSuffix(v.Name, "/mean") || strings.HasSuffix(v.Name, "/var") {
				got[v.Name] = make([]float32, v.Shape.Size())
				if err := b.Read(v, got[v.Name]); err != nil {
					t.Fatal(err)
				}
				if still := slices.Equal(got[v.Name], w[v.Name]); still != strings.HasPrefix(v.Name, "conv1a") {
					t.Errorf("average %v: %s is as before: %v", average, v.Name, still)
				}
			}
		}
		fresh := newBackend()
		if err := n.Load(fresh, want); err != nil {
			t.Fatal(err)
		}
		for _, v := range n.States() {
			if err := fresh.Write(v, states[v.Name]); err != nil {
				t.Fatal(err)
			}
		}
		inTraining := learn(t, fresh, p, x)
		fresh.Close()
		z := answers(t, n, got, 4, x, EvalOptions{})
		classes := len(z) / 4
		for i := range inTraining {
			row, sum := z[i/classes*classes:][:classes], 0.0
			for _, v := range row {
				sum += math.Exp(float64(v))
			}
			if d := math.Abs(math.Exp(float64(z[i]))/sum - float64(inTraining[i])); d > 1e-4 {
				t.Fatalf("average %v: answer %d is off by %g from the one in training", average, i, d)
			}
		}
	}
	if err := n.SettleNorms(b, false, 4, noise(n, 4, 0)); err == nil || !strings.Contains(err.Error(), "no pictures") {
		t.Errorf("no pictures: %v", err)
	}
	unread := errors.New("a picture cannot be read")
	err = n.SettleNorms(b, false, 4, func(yield func([]float32, error) bool) { _ = yield(x, nil) && yield(nil, unread) })
	if !errors.Is(err, unread) {
		t.Errorf("an unreadable picture: %v", err)
	}
}
