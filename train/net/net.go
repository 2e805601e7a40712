package net

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gleaner/train/engine"
)

// Head is one answer of a network.
type Head struct {
	Name    string // such as material; unique in a network, "class" where there is one
	Classes int
	// Independent classes have a sigmoid each and may hold together; the others share a softmax.
	Independent bool
}

// Net is a network. It belongs to one goroutine.
type Net struct {
	Name  string
	Input engine.Shape // [H W C] of a picture, or [C] of features
	Heads []Head

	build  func(b *Builder, x *engine.Node) []*engine.Node // the logits of each head, [N classes]
	vars   []*variable                                     // in the order of their first use
	byName map[string]*variable
	frozen []string              // layers that do not learn, by prefix
	folded bool                  // batch norms are in the convolutions before them
	ranges map[string][2]float32 // of layers' outputs, as an imported file states them
	layers []*layer              // of an imported file
	states map[string]*engine.Var
	stateN []*engine.Var // the same, in the order in which they were asked for
}

// variable is a parameter or statistic and how it begins.
type variable struct {
	v     *engine.Var
	layer string
	init  Init
}

// Init gives a variable its first values.
type Init struct {
	Fill   float32
	Spread float64   // standard deviation of a normal distribution around 0; 0: all are Fill
	Values []float32 // exactly these, where not nil
}

// Weights are the values of variables by their names, row-major.
type Weights map[string][]float32

// Clone is a copy that shares nothing.
func (w Weights) Clone() Weights {
	c := Weights{}
	for k, v := range w {
		c[k] = slices.Clone(v)
	}
	return c
}

// Describe makes a network of a function that applies its layers. Input is a picture's [H W C] or a feature vector's [C]. It
// builds once, with a batch of 2, to find the variables and whether the shapes fit; the error names the layer.
func Describe(name string, input engine.Shape, heads []Head, build func(b *Builder, x *engine.Node) []*engine.Node) (*Net, error) {
	return describe(name, input, heads, build, false)
}

func describe(name string, input engine.Shape, heads []Head, build func(b *Builder, x *engine.Node) []*engine.Node,
	folded bool) (*Net, error) {
	if len(heads) == 0 {
		return nil, fmt.Errorf("network %s has no head", name)
	}
	for i, h := range heads {
		if h.Classes < 1 || !h.Independent && h.Classes < 2 {
			return nil, fmt.Errorf("network %s: head %s has %d classes: at least two are needed", name, h.Name, h.Classes)
		}
		if slices.ContainsFunc(heads[:i], func(o Head) bool { return o.Name == h.Name }) {
			return nil, fmt.Errorf("network %s has two heads of the name %q", name, h.Name)
		}
	}
	n := &Net{Name: name, Input: input, Heads: heads, build: build, folded: folded,
		byName: map[string]*variable{}, states: map[string]*engine.Var{}}
	if _, err := n.Evaluation(2, EvalOptions{}); err != nil {
		return nil, err
	}
	return n, nil
}

// Vars are the parameters and statistics, in the order of their layers.
func (n *Net) Vars() []*engine.Var {
	vars := make([]*engine.Var, len(n.vars))
	for i, v := range n.vars {
		vars[i] = v.v
	}
	return vars
}

// States are the variables that training added: the optimiser's slots, averages, starts. They exist once Training was called.
func (n *Net) States() []*engine.Var { return slices.Clone(n.stateN) }

// Var is the variable of that name; nil if there is none.
func (n *Net) Var(name string) *engine.Var {
	if v, ok := n.byName[name]; ok {
		return v.v
	}
	return nil
}

// Params are the parameters that learn: all but those of frozen layers.
func (n *Net) Params() (params []*engine.Var) {
	for _, v := range n.vars {
		if v.v.Role == engine.Param && !n.isFrozen(v.layer) {
			params = append(params, v.v)
		}
	}
	return params
}

// Freeze keeps the layers whose names begin with one of the prefixes as they are: their parameters do not learn and their
// normalisations use the running statistics in training as well. Freeze() lets all of them learn.
func (n *Net) Freeze(prefixes ...string) error {
	for _, p := range prefixes {
		if !slices.ContainsFunc(n.vars, func(v *variable) bool { return strings.HasPrefix(v.layer, p) }) {
			return fmt.Errorf("network %s has no layer that begins with %q", n.Name, p)
		}
	}
	n.frozen = slices.Clone(prefixes)
	return nil
}

func (n *Net) isFrozen(layer string) bool {
	return slices.ContainsFunc(n.frozen, func(p string) bool { return strings.HasPrefix(layer, p) })
}

// First are the values that the variables begin with. The same seed gives the same values; a variable's do not depend on the
// other layers.
func (n *Net) First(seed uint64) Weights {
	w := Weights{}
	for _, v := range n.vars {
		w[v.v.Name] = v.init.values(v.v, seed)
	}
	return w
}

func (i Init) values(v *engine.Var, seed uint64) []float32 {
	if i.Values != nil {
		return slices.Clone(i.Values)
	}
	d := make([]float32, v.Shape.Size())
	if i.Spread == 0 {
		for k := range d {
			d[k] = i.Fill
		}
		return d
	}
	r := rand.New(rand.NewPCG(seed, hash64(v.Name)))
	for k := range d {
		d[k] = float32(r.NormFloat64() * i.Spread)
	}
	return d
}

func hash64(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// He is the spread of weights before a ReLU whose sums have fan terms (He et al. 2015).
func He(fan int) Init { return Init{Spread: math.Sqrt(2 / float64(fan))} }

// Xavier is the spread of weights without a ReLU behind them (Glorot and Bengio 2010), for equal fans.
func Xavier(fan int) Init { return Init{Spread: math.Sqrt(1 / float64(fan))} }

// Load puts weights into a backend's variables. Those that are missing or of another size are an error that names them.
func (n *Net) Load(b engine.Backend, w Weights) error {
	for _, v := range n.Vars() {
		d, ok := w[v.Name]
		if !ok || len(d) != v.Shape.Size() {
			return fmt.Errorf("network %s: the weights have %d numbers for %s, which is %v", n.Name, len(d), v.Name, v.Shape)
		}
		if err := b.Write(v, d); err != nil {
			return fmt.Errorf("network %s: write %s: %w", n.Name, v.Name, err)
		}
	}
	return nil
}

// Save copies the values of variables out of a backend.
func Save(b engine.Backend, vars []*engine.Var) (Weights, error) {
	w := Weights{}
	for _, v := range vars {
		d := make([]float32, v.Shape.Size())
		if err := b.Read(v, d); err != nil {
			return nil, fmt.Errorf("read %s: %w", v.Name, err)
		}
		w[v.Name] = d
	}
	return w, nil
}
