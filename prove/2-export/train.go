package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/net"
)

// flattened is a set of pictures as feature vectors.
type flattened struct{ dataset.Set }

func (f flattened) Shape() []int {
	n := 1
	for _, d := range f.Set.Shape() {
		n *= d
	}
	return []int{n}
}

// learn trains a network from weights w for some steps of adamw on a cosine, and gives the weights that it comes to. With
// quantise it learns to compute as int8 does.
func learn(b engine.Backend, n *net.Net, w net.Weights, set dataset.Set, batch, steps int, rate float64, quantise int) (net.Weights, error) {
	p, err := n.Training(batch, net.TrainOptions{Optimiser: engine.Optimiser{Kind: "adamw", Decay: 0.01}, Quantise: quantise, Seed: 1})
	if err != nil {
		return nil, err
	}
	if err := n.Load(b, w); err != nil {
		return nil, err
	}
	start := n.StartStates(w)
	for _, v := range n.States() {
		if err := b.Write(v, start[v.Name]); err != nil {
			return nil, err
		}
	}
	run, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	feed := dataset.NewFeed(set, dataset.FeedOptions{Batch: batch, Shuffle: true, Whole: true, Seed: 1, Epochs: 1 << 30})
	defer feed.Close()
	loss := make([]float32, 1)
	out := make([][]float32, len(p.Outputs))
	out[0] = loss
	for step := range steps {
		x, err := feed.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err := engine.Run(run, inputs(p, x, step, steps, rate), out); err != nil {
			return nil, err
		}
		feed.Release(x)
		if l := float64(loss[0]); math.IsNaN(l) || math.IsInf(l, 0) {
			return nil, fmt.Errorf("the loss is %v at step %d", l, step)
		}
	}
	return net.Save(b, n.Vars())
}

// inputs are a step's, in the program's order.
func inputs(p *engine.Program, x *dataset.Batch, step, steps int, rate float64) (in [][]float32) {
	t := float64(step + 1)
	scalars := map[string]float64{
		engine.StepInput:  float64(step),
		engine.RateInput:  rate * min(1, t/20) * (1 + math.Cos(math.Pi*t/float64(steps))) / 2,
		engine.Corr1Input: 1 / (1 - math.Pow(0.9, t)),
		engine.Corr2Input: 1 / (1 - math.Pow(0.999, t)),
	}
	for _, v := range p.Inputs {
		switch s, ok := scalars[v.Input]; {
		case ok:
			in = append(in, []float32{float32(s)})
		case v.Input == net.PictureInput:
			in = append(in, x.X)
		default:
			in = append(in, x.Y[0])
		}
	}
	return in
}

// balanced are n examples of a set with as many of each class, from the first on.
func balanced(set dataset.Set, n int) *dataset.Subset {
	classes := len(set.Heads()[0].Labels)
	of := make([]int, classes)
	s := &dataset.Subset{Set: set}
	for i := 0; i < set.Len() && len(s.Index) < n; i++ {
		if l := set.Label(i, 0); of[l] < (n+classes-1)/classes {
			of[l]++
			s.Index = append(s.Index, i)
		}
	}
	return s
}

// batches are a set's examples as Net.Calibrate takes them.
func batches(set dataset.Set, batch int) func(yield func([]float32, error) bool) {
	size := 1
	for _, d := range set.Shape() {
		size *= d
	}
	return func(yield func([]float32, error) bool) {
		x := make([]float32, batch*size)
		for i := 0; i+batch <= set.Len(); i += batch {
			for k := range batch {
				if err := set.Input(x[k*size:(k+1)*size], i+k, (*rand.Rand)(nil)); err != nil {
					yield(nil, err)
					return
				}
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}
