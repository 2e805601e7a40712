package main

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"hash/fnv"
	"math"
	"path"
	"strconv"
	"strings"

	"gleaner/train/engine"
	"gleaner/train/net"
)

// golden.csv is what bench/known/known.py printed: per network the losses of 50 steps, and of one batch with the running
// statistics and the averaged weights.
//
//go:embed golden.csv
var goldenCSV string

// golden is the table: losses by network, in the order of the steps.
func golden() (map[string][]float64, error) {
	rows, err := csv.NewReader(strings.NewReader(goldenCSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read golden.csv: %w", err)
	}
	table := map[string][]float64{}
	for _, row := range rows[1:] {
		step, err := strconv.Atoi(row[1])
		if err != nil || step != len(table[row[0]]) {
			return nil, fmt.Errorf("read golden.csv: step %q of %s is out of order", row[1], row[0])
		}
		loss, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return nil, fmt.Errorf("read golden.csv: %w", err)
		}
		table[row[0]] = append(table[row[0]], loss)
	}
	return table, nil
}

// uniform is n numbers in [0, 1), the same as known.py's.
func uniform(name string, n, step int) []float32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	seed := h.Sum32()
	u := make([]float32, n)
	for i := range u {
		u[i] = engine.Hash(uint32(i), seed, uint32(step))
	}
	return u
}

// first are the variables' first values; see known.py.
func (r recipe) first(n *net.Net) net.Weights {
	w := net.Weights{}
	for _, v := range n.Vars() {
		d := uniform(fmt.Sprintf("%d %s", r.seed, v.Name), v.Shape.Size(), 0)
		for i, f := range d {
			u := float64(f)
			switch path.Base(v.Name) {
			case "w":
				u = (2*u - 1) * math.Sqrt(6/float64(v.Shape[1:].Size()))
			case "gamma":
				u = 0.4 + 0.2*u
			case "beta":
				u = float64(i%2*2-1) * (0.75 + 0.5*u)
			case "var":
				u = 1
			case "mean":
				u = 0
			default:
				u = 0.2*u - 0.1
			}
			d[i] = float32(u)
		}
		w[v.Name] = d
	}
	return w
}

// batch is a step's pictures [N H W C], and the labels [N classes] with a 1 each; see known.py.
func (r recipe) batch(shape engine.Shape, step int) (x, y []float32) {
	size := shape.Size()
	x, y = uniform(fmt.Sprintf("%d picture", r.seed), batch*size, step), make([]float32, batch*classes)
	for i, u := range uniform(fmt.Sprintf("%d label", r.seed), batch, step) {
		k := int(u * classes)
		y[i*classes+k] = 1
		for j, p := range uniform(fmt.Sprintf("%d class %d", r.seed, k), size, 0) {
			x[i*size+j] = x[i*size+j] + p - 1
		}
	}
	return x, y
}

// train does the first n steps of the run of known.py on a backend and gives their losses; after all 50, that of the evaluation
// as well.
func (r recipe) train(b engine.Backend, n int) ([]float64, error) {
	model, err := r.net()
	if err != nil {
		return nil, err
	}
	p, err := model.Training(batch, net.TrainOptions{Losses: []engine.Loss{r.loss}, Optimiser: r.optimiser})
	if err != nil {
		return nil, err
	}
	run, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	w := r.first(model)
	if err := model.Load(b, w); err != nil {
		return nil, err
	}
	states := model.StartStates(w)
	for _, v := range model.States() {
		if err := b.Write(v, states[v.Name]); err != nil {
			return nil, err
		}
	}
	losses, out := make([]float64, n, n+1), make([][]float32, len(p.Outputs))
	out[0] = make([]float32, 1)
	for step := range losses {
		x, y := r.batch(model.Input, step)
		t := float64(step)
		values := map[string][]float32{
			net.PictureInput: x, net.LabelInput("class"): y,
			engine.RateInput:  {float32(r.rate.At(step, 1))},
			engine.Corr1Input: {float32(1 / (1 - math.Pow(0.9, t+1)))}, engine.Corr2Input: {float32(1 / (1 - math.Pow(0.999, t+1)))},
			engine.BlendInput: {float32(r.blend)},
		}
		var in [][]float32
		for _, v := range p.Inputs {
			in = append(in, values[v.Input])
		}
		if err := engine.Run(run, in, out); err != nil {
			return nil, fmt.Errorf("step %d: %w", step, err)
		}
		losses[step] = float64(out[0][0])
	}
	if n < steps {
		return losses, nil
	}
	loss, err := r.evaluate(b, model)
	return append(losses, loss), err
}

// evaluate is the cross-entropy of one batch, with the running statistics and the averaged weights.
func (r recipe) evaluate(b engine.Backend, n *net.Net) (loss float64, err error) {
	p, err := n.Evaluation(batch, net.EvalOptions{Average: r.blend > 0})
	if err != nil {
		return 0, err
	}
	run, err := b.Compile(p)
	if err != nil {
		return 0, err
	}
	defer run.Close()
	x, y := r.batch(n.Input, steps)
	prob := make([]float32, batch*classes)
	if err := engine.Run(run, [][]float32{x}, [][]float32{prob}); err != nil {
		return 0, err
	}
	for i, share := range y {
		if share > 0 {
			loss -= math.Log(float64(prob[i])) / batch
		}
	}
	return loss, nil
}

// worst is the greatest difference of losses, and its step; a NaN is the worst of all.
func worst(losses, want []float64) (diff float64, step int) {
	for i, loss := range losses {
		if d := math.Abs(loss - want[i]); math.IsNaN(d) || d > diff {
			diff, step = d, i
			if math.IsNaN(d) {
				return math.Inf(1), i
			}
		}
	}
	return diff, step
}
