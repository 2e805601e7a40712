package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/ref"
	"gleaner/train/engine/xla"
)

// cardSteps is how many steps the card trains beside the reference.
const cardSteps = 100

// onCard trains a network with batch norms and dropout on a card, if there is one, and holds each step's loss against the reference.
func onCard() (string, error) {
	list, err := xla.Probe(context.Background(), "")
	if err != nil {
		fmt.Println("no card:", err)
		return "no card was at hand", nil
	}
	card := list[0].Name
	c, ok := enginetest.Find("training, sgd")
	if !ok {
		return card, errors.New("the case is gone")
	}
	n, err := c.Net()
	if err != nil {
		return card, err
	}
	b, err := xla.Open(xla.Options{})
	if err != nil {
		return card, err
	}
	defer b.Close()
	oracle := ref.New[float64]()
	defer oracle.Close()
	want, err := losses(n, oracle)
	if err != nil {
		return card, err
	}
	got, err := losses(n, b)
	if err != nil {
		return card, err
	}
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i]-want[i]))/max(1e-2, math.Abs(float64(want[i]))))
	}
	figure := fmt.Sprintf("%s, %d steps: losses off by %.1e", card, cardSteps, worst)
	if !(worst <= cardBar) {
		return figure, fmt.Errorf("the card's losses are off by %.1e", worst)
	}
	return figure, nil
}

// losses are those of cardSteps steps.
func losses(n *enginetest.Net, b engine.Backend) (list []float32, err error) {
	if err := enginetest.Load(n, b); err != nil {
		return nil, err
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for t := range cardSteps {
		in := append([][]float32{}, n.Runs[t%len(n.Runs)]...)
		for i, v := range n.Program.Inputs {
			if len(v.Shape) == 0 {
				in[i] = []float32{enginetest.Scalar(v.Input, t, 0.02)}
			}
		}
		out := make([][]float32, len(n.Program.Outputs))
		out[0] = make([]float32, 1)
		if err := engine.Run(r, in, out); err != nil {
			return nil, err
		}
		list = append(list, out[0][0])
	}
	return list, nil
}
