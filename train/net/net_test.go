package net

import (
	"testing"

	"gleaner/train/engine"
)

func TestCNNSmallBuilds(t *testing.T) {
	n, err := New("cnn-small", Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Training(4, TrainOptions{Optimiser: engine.Optimiser{Kind: "adam"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Outputs) != 2 || len(n.Params()) != 6 || len(n.States()) != 12 {
		t.Errorf("%d outputs, %d parameters, %d states", len(p.Outputs), len(n.Params()), len(n.States()))
	}
	if err := n.Freeze("conv"); err != nil {
		t.Fatal(err)
	}
	p, err = n.Training(4, TrainOptions{Optimiser: engine.Optimiser{Kind: "adam"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Op.Kind == engine.Conv2DDW || s.Op.Kind == engine.MaxPoolDX {
			t.Errorf("frozen, and still a step %s", s.Op)
		}
	}
}
