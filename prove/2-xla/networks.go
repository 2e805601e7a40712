package main

import (
	"strings"

	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/ref"
	"gleaner/train/net"
)

// steps is how many steps each network is trained by each optimiser.
const steps = 3

// network is a preset at a size that plain Go can train.
type network struct {
	name    string
	options net.Options
	batch   int
	deep    bool // so deep that float32's rounding sends some activations to a ReLU's other side
}

var networks = []network{
	{"head", net.Options{Input: engine.Shape{40}, Units: 16, Heads: twoHeads}, 6, false},
	{"dense", net.Options{Input: engine.Shape{10, 10, 1}, Units: 24, Drop: 0.2}, 4, false},
	{"cnn-small", net.Options{Input: engine.Shape{12, 12, 1}, Units: 16}, 4, false},
	{"cnn-deep", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.25, Units: 16}, 3, false},
	{"cnn-bn", net.Options{Input: engine.Shape{16, 16, 3}, Width: 0.25}, 4, false},
	{"vgg16", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.125, Units: 16}, 3, false},
	{"resnet-small", net.Options{Input: engine.Shape{16, 16, 1}, Width: 0.5, Heads: twoHeads}, 4, false},
	{"resnet18", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.125}, 4, false},
	{"resnet50", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.125}, 4, true},
	{"mobilenetv2", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, 4, true},
	{"densenet121", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, 3, true},
}

var twoHeads = []net.Head{{Name: "material", Classes: 5}, {Name: "contamination", Classes: 3, Independent: true}}

// optimisers are what every network is trained by. AdamW's ε is not next to 0: it divides by the root of a gradient's square, and
// where a gradient is 0 but for rounding, the quotient would be rounding alone.
var optimisers = []engine.Optimiser{
	{Kind: "sgd", Momentum: 0.9, Decay: 1e-4},
	{Kind: "adamw", Decay: 0.01, Eps: 1e-3},
}

// networks trains every network by every optimiser, with the text's numbers as float64 and then as float32, and holds each of its
// operators in float32 against the reference by itself.
func (s *score) networks(exact, single engine.Backend) error {
	for _, name := range net.Names() {
		if !slices.ContainsFunc(networks, func(c network) bool { return c.name == name }) {
			return fmt.Errorf("the network %s is not in the table of prove/2-xla", name)
		}
	}
	for _, c := range networks {
		for _, o := range optimisers {
			n, err := c.net(o)
			if err != nil {
				return err
			}
			if err := s.train(n, exact, "float64", false); err != nil {
				return err
			}
			if err := s.train(n, single, "float32", c.deep); err != nil {
				return err
			}
		}
		n, err := c.net(engine.Optimiser{Kind: "sgd"})
		if err != nil {
			return err
		}
		worst, where, err := enginetest.CompareSteps(n, single)
		if err != nil {
			return err
		}
		s.note(n.Name+", float32, each operator by itself", worst, where)
	}
	return nil
}

// net is the network's training program, with numbers from a seed.
func (c network) net(o engine.Optimiser) (*enginetest.Net, error) {
	n, err := net.New(c.name, c.options)
	if err != nil {
		return nil, err
	}
	p, err := n.Training(c.batch, net.TrainOptions{Optimiser: o, Seed: 3})
	if err != nil {
		return nil, err
	}
	w := n.First(11)
	r := rand.New(rand.NewPCG(5, uint64(len(c.name))))
	for _, v := range n.Vars() { // away from 1 and 0, where a mean or a gradient is 0 but for rounding
		if strings.HasSuffix(v.Name, "/gamma") || strings.HasSuffix(v.Name, "/beta") {
			for i := range w[v.Name] {
				w[v.Name][i] += 0.4*r.Float32() - 0.2
			}
		}
	}
	maps.Copy(w, n.StartStates(w))
	e := &enginetest.Net{Name: fmt.Sprintf("%s %v, %s", c.name, n.Input, o.Kind), Program: p, Values: map[*engine.Var][]float32{}}
	for _, v := range p.Vars() {
		if e.Values[v] = w[v.Name]; e.Values[v] == nil {
			e.Values[v] = make([]float32, v.Shape.Size())
		}
	}
	for t := range steps {
		e.Runs = append(e.Runs, c.batchOf(r, p, t))
	}
	return e, nil
}

// batchOf are random pictures and labels, and the scalars of a step.
func (c network) batchOf(r *rand.Rand, p *engine.Program, t int) (in [][]float32) {
	for _, v := range p.Inputs {
		if len(v.Shape) == 0 {
			in = append(in, []float32{enginetest.Scalar(v.Input, t, 0.01)})
			continue
		}
		d := make([]float32, v.Shape.Size())
		for i := range d {
			d[i] = 2*r.Float32() - 1
		}
		if v.Input != net.PictureInput {
			label(r, d, v.Shape[1], v.Input == net.LabelInput("contamination"))
		}
		in = append(in, d)
	}
	return in
}

// label makes rows of k wanted shares: one class of each row, or each class by itself.
func label(r *rand.Rand, d []float32, k int, independent bool) {
	for i := range d {
		d[i] = 0
		if independent {
			d[i] = float32(r.IntN(2))
		}
	}
	for i := 0; i < len(d) && !independent; i += k {
		d[i+r.IntN(k)] = 1
	}
}

// train compares the outputs and all variables after each step, or in float32 of a deep network the outputs: among a million
// activations some lie so near a ReLU's kink that float32 puts them on its other side, and after it two runs, both right, part. For
// the same reason both begin each step with the same variables.
func (s *score) train(n *enginetest.Net, b engine.Backend, numbers string, deep bool) error {
	oracle := ref.New[float64]()
	defer oracle.Close()
	both := []engine.Backend{oracle, b}
	var runners []engine.Runner
	for _, b := range both {
		if err := enginetest.Load(n, b); err != nil {
			return err
		}
		r, err := b.Compile(n.Program)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
		defer r.Close()
		runners = append(runners, r)
	}
	worst, where := 0.0, ""
	for t, in := range n.Runs {
		var got [2]map[string][]float32
		for i, r := range runners {
			var err error
			if got[i], err = step(n, both[i], r, in); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		}
		for name, want := range got[0] {
			if deep && !strings.HasPrefix(name, "output") {
				continue
			}
			d := apart(got[1][name], want, least(name))
			if !(d <= worst) {
				worst, where = d, fmt.Sprintf("%s, step %d, %s", n.Name, t, name)
			}
		}
		for _, v := range n.Program.Vars() {
			if err := b.Write(v, got[0][v.Name]); err != nil {
				return err
			}
			if err := oracle.Write(v, got[0][v.Name]); err != nil {
				return err
			}
		}
	}
	s.programs++
	s.steps += len(n.Runs)
	what := "outputs and variables at each step"
	if deep {
		what = "outputs at each step"
	}
	s.note(fmt.Sprintf("%s, %s, %s", n.Name, numbers, what), worst, where)
	return nil
}

// step runs one step and gives the outputs and the variables by their names.
func step(n *enginetest.Net, b engine.Backend, r engine.Runner, in [][]float32) (map[string][]float32, error) {
	all := map[string][]float32{}
	var out [][]float32
	for i, v := range n.Program.Outputs {
		out = append(out, make([]float32, v.Shape.Size()))
		all[fmt.Sprintf("output %d", i)] = out[i]
	}
	if err := engine.Run(r, in, out); err != nil {
		return nil, err
	}
	for _, v := range n.Program.Vars() {
		d := make([]float32, v.Shape.Size())
		if err := b.Read(v, d); err != nil {
			return nil, err
		}
		all[v.Name] = d
	}
	return all, nil
}

// least is what an array is measured by whose elements are all smaller: some gradients are 0 but for rounding, such as those of a
// shift that the next batch norm takes out again. Adam's v holds their squares.
func least(name string) float64 {
	if strings.HasSuffix(name, ":v") {
		return 1e-18
	}
	return 1e-9
}

// apart is the greatest difference of two arrays, relative to want's greatest element.
func apart(got, want []float32, least float64) (worst float64) {
	top := least
	for i, x := range want {
		top = max(top, math.Abs(float64(x)))
		if d := math.Abs(float64(got[i]) - float64(x)); !(d <= worst) {
			worst = d
		}
	}
	return worst / top
}
