// Package enginetest is what tests and proofs of the engine's backends share: a small program for each operator and choice of
// attributes (Cases), the conformance of a backend with the oracle on them (Conform), gradients against central differences
// (CheckGradients), optimisers against their rules written out (CheckOptimisers), and gorgonia's own machine on the same graph
// (Tape).
//
// It is part of the tests: no product package imports it. The oracle itself is in train/engine/ref.
//
// Long because the cases are a table of everything that an operator can be asked for.
package enginetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gleaner/train/engine"
)

// Net is a program with the numbers it runs on. All of it may come from anywhere: a Case, or a network of train/net.
type Net struct {
	Name    string
	Program *engine.Program

	// Params are what the loss, the program's first output, has gradients by. The gradients are the outputs behind it, in the
	// same order, or, if Grads is not nil, what these variables hold after a run: with a training program of sgd without
	// momentum those are the velocities.
	Params []*engine.Var
	Grads  []*engine.Var

	Values map[*engine.Var][]float32 // what each variable of the program begins with; absent: zeros
	Runs   [][][]float32             // the inputs of each run, in the order of Program.Inputs

	// What the program was lowered from, for Tape alone: the graph, the loss (nil in an evaluation) and the outputs behind the
	// gradients.
	Graph *engine.Graph
	Loss  *engine.Node
	More  []*engine.Node
}

// FromTraining is a training program as a Net: its optimiser must be sgd without momentum, decay and clip, so that the
// velocities are the gradients. values are the variables' first values by their names, zeros where there are none; input gives
// an input that is no scalar.
func FromTraining(name string, p *engine.Program, values map[string][]float32, input func(v *engine.Value) []float32) (*Net, error) {
	n := &Net{Name: name, Program: p, Values: map[*engine.Var][]float32{}}
	for _, v := range p.Vars() {
		if n.Values[v] = values[v.Name]; n.Values[v] == nil {
			n.Values[v] = make([]float32, v.Shape.Size())
		}
	}
	for _, s := range p.Steps[p.Update:] {
		switch a, ok := s.Op.Attr.(engine.UpdateRule); {
		case s.Op.Kind == engine.GradNorm, s.Op.Kind == engine.Adam, ok && (a.Momentum != 0 || a.Decay != 0):
			return nil, fmt.Errorf("%s: its gradients can only be read from sgd without momentum, decay and clip", name)
		case s.Op.Kind == engine.SGD:
			n.Params, n.Grads = append(n.Params, s.Out[0].Var), append(n.Grads, s.Out[1].Var)
		}
	}
	in := make([][]float32, len(p.Inputs))
	for i, v := range p.Inputs {
		if len(v.Shape) == 0 {
			in[i] = []float32{Scalar(v.Input, 0, 0.1)}
		} else {
			in[i] = input(v)
		}
	}
	n.Runs = [][][]float32{in}
	return n, nil
}

// Case is a small network around one operator.
type Case struct {
	Name string
	// Stepped says that the gradient is not the derivative of what is computed: fake quantisation's by definition, a maximum's
	// at a tie.
	Stepped bool
	// Wide says that float32 has not the digits for it: it is for gradients in float64.
	Wide bool

	seed  uint64
	build func(b *builder) *engine.Node
}

// Net builds the case. Each call makes new variables; the numbers are always the same.
func (c Case) Net() (*Net, error) {
	b := &builder{
		net:    &Net{Name: c.Name, Values: map[*engine.Var][]float32{}},
		rng:    rand.New(rand.NewPCG(c.seed, 20180)),
		inputs: map[string][]float32{},
		runs:   1,
	}
	var loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		b.Graph = g
		loss = c.build(b)
	})
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	n := b.net
	n.Graph, n.Loss, n.More = g, loss, b.outs
	switch {
	case loss == nil:
		n.Params = nil
		n.Program, err = g.Evaluation(b.outs...)
	case b.optimiser.Kind == "":
		n.Program, err = g.Gradients(loss, n.Params, b.outs...)
	default:
		b.optimiser.State = b.state
		n.Program, err = g.Training(loss, n.Params, b.optimiser, b.outs...)
		n.Params = nil
	}
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	for t := range b.runs {
		n.Runs = append(n.Runs, b.run(t))
	}
	return n, nil
}

// builder applies a case's layers and keeps the numbers that go with them.
type builder struct {
	*engine.Graph
	net       *Net
	rng       *rand.Rand
	inputs    map[string][]float32
	outs      []*engine.Node
	optimiser engine.Optimiser // of a training case; Kind is empty in the others
	runs      int
}

// param is something that the loss has a gradient by.
func (b *builder) param(name string, f fill, shape ...int) *engine.Node {
	v := &engine.Var{Name: name, Shape: shape}
	b.net.Params = append(b.net.Params, v)
	b.net.Values[v] = f(b.rng, shape)
	return b.Var(v)
}

// stat is a variable without a gradient.
func (b *builder) stat(name string, f fill, shape ...int) *engine.Node {
	v := &engine.Var{Name: name, Shape: shape, Role: engine.Stat}
	b.net.Values[v] = f(b.rng, shape)
	return b.Var(v)
}

func (b *builder) input(name string, f fill, shape ...int) *engine.Node {
	b.inputs[name] = f(b.rng, shape)
	return b.Input(name, shape...)
}

// output makes a node's value a result that is compared too.
func (b *builder) output(n ...*engine.Node) { b.outs = append(b.outs, n...) }

// toTarget is a loss with another gradient for each element: ½Σ(y-t)² with t at random.
func (b *builder) toTarget(y *engine.Node) *engine.Node {
	return b.L2("loss", y, b.input("target", uniform(-1, 1), engine.ShapeOf(y)...), 1)
}

// shown is toTarget of a value that is a result as well.
func (b *builder) shown(y *engine.Node) *engine.Node {
	b.output(y)
	return b.toTarget(y)
}

func (b *builder) state(v *engine.Var, name string, role engine.Role) *engine.Var {
	s := &engine.Var{Name: v.Name + ":" + name, Shape: v.Shape, Role: role}
	if role == engine.Average {
		b.net.Values[s] = b.net.Values[v]
	}
	return s
}

// run gives the inputs of run t.
func (b *builder) run(t int) (in [][]float32) {
	for _, v := range b.net.Program.Inputs {
		if x, ok := b.inputs[v.Input]; ok {
			in = append(in, x)
			continue
		}
		in = append(in, []float32{Scalar(v.Input, t, 0.1)})
	}
	return in
}

// fill makes the numbers of an array.
type fill func(r *rand.Rand, s engine.Shape) []float32

func each(f func(r *rand.Rand) float32) fill {
	return func(r *rand.Rand, s engine.Shape) []float32 {
		d := make([]float32, s.Size())
		for i := range d {
			d[i] = f(r)
		}
		return d
	}
}

// uniform numbers are from lo to hi.
func uniform(lo, hi float32) fill {
	return each(func(r *rand.Rand) float32 { return lo + (hi-lo)*r.Float32() })
}

// apart are numbers from lo to hi that keep 0.05 off the given ones, where a function has a kink.
func apart(lo, hi float32, kinks ...float32) fill {
	near := func(x float32) bool {
		return slices.ContainsFunc(kinks, func(k float32) bool { return x > k-0.05 && x < k+0.05 })
	}
	return each(func(r *rand.Rand) float32 {
		x := kinks[0]
		for near(x) {
			x = lo + (hi-lo)*r.Float32()
		}
		return x
	})
}

// distinct numbers are 1/16 apart, around middle, in any order.
func distinct(middle float32) fill {
	return func(r *rand.Rand, s engine.Shape) []float32 {
		d := make([]float32, s.Size())
		for i, p := range r.Perm(len(d)) {
			d[i] = middle + float32(p-len(d)/2)/16
		}
		return d
	}
}

// integers are 0, 1 … n-1: many are equal.
func integers(n int) fill {
	return each(func(r *rand.Rand) float32 { return float32(r.IntN(n)) })
}

// shares are rows that sum to 1.
func shares(r *rand.Rand, s engine.Shape) []float32 {
	d := make([]float32, s.Size())
	k := s[len(s)-1]
	for i := 0; i < len(d); i += k {
		row, sum := d[i:i+k], float32(0)
		for j := range row {
			row[j] = r.Float32()
			sum += row[j]
		}
		for j := range row {
			row[j] /= sum
		}
	}
	return d
}

// onehot are rows with one 1.
func onehot(r *rand.Rand, s engine.Shape) []float32 {
	d := make([]float32, s.Size())
	for i := 0; i < len(d); i += s[len(s)-1] {
		d[i+r.IntN(s[len(s)-1])] = 1
	}
	return d
}

// values are these, exactly.
func values(v ...float32) fill {
	return func(*rand.Rand, engine.Shape) []float32 { return v }
}
