package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gleaner/train/engine"
	"gleaner/train/engine/xla"
	"gleaner/train/net"
)

// warm is how many steps go before the clock starts.
const warm = 5

// measure trains ResNet-50 on random pictures, two runs under way at a time as the training loop has it.
func measure(o options) (f figure, err error) {
	var size int
	var name string
	if _, err := fmt.Sscanf(o.one, "%d,%s", &size, &name); err != nil {
		return f, fmt.Errorf("-one %s: %w", o.one, err)
	}
	how, ok := map[string]xla.Precision{"float32": xla.Float32, "tf32": xla.TF32, "bf16": xla.BFloat16}[name]
	if !ok {
		return f, fmt.Errorf("-one %s: the precisions are float32, tf32 and bf16", o.one)
	}
	n, err := net.New("resnet50", net.Options{Input: engine.Shape{size, size, 3}, Heads: []net.Head{{Name: "class", Classes: 1000}}})
	if err != nil {
		return f, err
	}
	p, err := n.Training(o.batch, net.TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd", Momentum: 0.9, Decay: 1e-4}, Seed: 1})
	if err != nil {
		return f, err
	}
	began := time.Now()
	b, err := xla.Open(xla.Options{Plugin: o.plugin, Precision: how, Preallocate: true})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	first := n.First(1)
	for _, v := range p.Vars() {
		if d := first[v.Name]; d != nil {
			if err := b.Write(v, d); err != nil {
				return f, err
			}
		}
	}
	r, err := b.Compile(p)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return paced(r, p, o, began)
}

// paced runs the steps, the next one begun before the last is finished.
func paced(r engine.Runner, p *engine.Program, o options, began time.Time) (f figure, err error) {
	batches := [][][]float32{batch(p, 1), batch(p, 2)}
	loss := make([]float32, 1)
	out := make([][]float32, len(p.Outputs))
	out[0] = loss
	var start time.Time
	for i := range warm + o.steps {
		if err := r.Start(batches[i%2]); err != nil {
			return f, err
		}
		if i == 0 {
			continue
		}
		if err := r.Finish(out); err != nil {
			return f, err
		}
		switch i {
		case 1:
			f.Compile = time.Since(began).Seconds()
		case warm:
			start = time.Now()
		}
	}
	spent := time.Since(start)
	if err := r.Finish(out); err != nil {
		return f, err
	}
	done := float64(o.steps - 1)
	f.Rate = done * float64(o.batch) / spent.Seconds()
	f.Step = spent.Seconds() * 1e3 / done
	f.Loss = float64(loss[0])
	if math.IsNaN(f.Loss) || math.IsInf(f.Loss, 0) {
		return f, fmt.Errorf("the loss is %g: what was measured means nothing", f.Loss)
	}
	return f, nil
}

// batch are random pictures and classes, and the scalars of a step.
func batch(p *engine.Program, seed uint64) (in [][]float32) {
	r := rand.New(rand.NewPCG(seed, 0))
	for _, v := range p.Inputs {
		d := make([]float32, v.Shape.Size())
		switch {
		case v.Input == net.PictureInput:
			for i := range d {
				d[i] = 2*r.Float32() - 1
			}
		case v.Input == engine.RateInput:
			d[0] = 0.01
		case len(v.Shape) == 2:
			for i := 0; i < len(d); i += v.Shape[1] {
				d[i+r.IntN(v.Shape[1])] = 1
			}
		}
		in = append(in, d)
	}
	return in
}
