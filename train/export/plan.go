package export

import (
	"math"

	"gleaner/train/engine"
)

// array is an activation of the network as it is written: what one layer hands to others.
type array struct {
	name     string
	shape    engine.Shape
	value    *engine.Value // the program's value that it is, for calibration
	readers  int           // layers and outputs that read it
	by       *layer        // nil for the input
	positive bool          // no element is below 0
	output   bool
	real     bool // stays float32 in an int8 file
	fixed    bool // its range is given: by training, or by the operator that makes it
	span     span // the range, where fixed
	group    *group
}

// layer is one step of the network as it is written, often several of the program: a convolution with its norm and activation.
type layer struct {
	kind   engine.Kind
	name   string
	in     []*array
	out    *array
	act    engine.Act
	window engine.Window // of convolutions and poolings
	groups int           // of a convolution
	part   engine.Part   // of a slice
	factor float64       // of a scale
	wName  string        // of the weights' variable
	w      []float32     // weights [K KH KW C/groups], or [K C] of a dense layer
	ws     engine.Shape
	b      []float32 // biases [K], always there where there are weights
}

// macs are the multiplications of one picture.
func (l *layer) macs() int64 {
	if l.w == nil {
		return 0
	}
	return int64(l.out.shape.Size()) * int64(len(l.w)/l.ws[0])
}

// plan is a network as it is written.
type plan struct {
	input   *array
	outputs []*array
	layers  []*layer
	arrays  []*array
	faked   bool // it has fake quantisation
}

// planner goes through a program once, from its input to its outputs.
type planner struct {
	plan
	p       *engine.Program
	values  Values
	readers []int // of each value
	byValue map[*engine.Value]*array
	params  map[*engine.Value]param
}

// param is a variable's value, perhaps sent through fake quantisation on its way to a layer.
type param struct {
	name string
	data []float32
}

func newPlan(p *engine.Program, values Values) (*plan, error) {
	pl := &planner{p: p, values: values, readers: make([]int, len(p.Values)), byValue: map[*engine.Value]*array{},
		params: map[*engine.Value]param{}}
	for _, s := range p.Steps {
		for _, v := range s.In {
			pl.readers[v.ID]++
		}
	}
	for _, v := range p.Outputs {
		pl.readers[v.ID]++
	}
	if err := pl.takeInput(); err != nil {
		return nil, err
	}
	if p.Update != len(p.Steps) {
		return nil, layerError(p.Steps[p.Update].Op.Layer, "the program trains; an evaluation is wanted")
	}
	for i := range p.Steps {
		if err := pl.step(&p.Steps[i]); err != nil {
			return nil, err
		}
	}
	for _, v := range p.Outputs {
		a, err := pl.array(v, v.Layer)
		if err != nil {
			return nil, err
		}
		if a.by == nil {
			return nil, layerError(v.Layer, "the output is the input itself")
		}
		a.output = true
		pl.outputs = append(pl.outputs, a)
	}
	return &pl.plan, nil
}

// takeInput finds the one input that is not a training step's number.
func (pl *planner) takeInput() error {
	for _, v := range pl.p.Inputs {
		if v.Input == engine.StepInput {
			continue
		}
		if pl.input != nil {
			return layerError(v.Input, "it is a second input beside %s; a file of one picture is wanted", pl.input.name)
		}
		if len(v.Shape) < 2 || v.Shape[0] != 1 {
			return layerError(v.Input, "the input is %v; a batch of 1 is wanted", v.Shape)
		}
		pl.input = pl.newArray(v, v.Input, nil)
	}
	if pl.input == nil {
		return layerError("input", "the program has no input")
	}
	return nil
}

func (pl *planner) newArray(v *engine.Value, name string, by *layer) *array {
	a := &array{name: name, shape: v.Shape, value: v, readers: pl.readers[v.ID], by: by}
	pl.byValue[v] = a
	pl.arrays = append(pl.arrays, a)
	return a
}

// array is the activation that a value is.
func (pl *planner) array(v *engine.Value, layer string) (*array, error) {
	if a := pl.byValue[v]; a != nil {
		return a, nil
	}
	return nil, layerError(layer, "its input %v is no activation", v.Shape)
}

// param is the variable's or constant's value that a layer reads.
func (pl *planner) param(v *engine.Value, layer string) (param, error) {
	if p, ok := pl.params[v]; ok {
		return p, nil
	}
	var p param
	switch {
	case v.Var != nil:
		p = param{v.Var.Name, pl.values(v.Var)}
	case v.Const != nil:
		p = param{layer + "/const", v.Const}
	default:
		return p, layerError(layer, "its weights are computed by the network and no variable's")
	}
	if len(p.data) != v.Shape.Size() {
		return p, layerError(layer, "%s has %d values for the shape %v", p.name, len(p.data), v.Shape)
	}
	if i := finite(p.data); i >= 0 {
		return p, layerError(layer, "%s holds %v at place %d", p.name, p.data[i], i)
	}
	pl.params[v] = p
	return p, nil
}

// add appends a layer that makes a value.
func (pl *planner) add(l *layer, out *engine.Value, in ...*engine.Value) error {
	for _, v := range in {
		a, err := pl.array(v, l.name)
		if err != nil {
			return err
		}
		l.in = append(l.in, a)
	}
	l.out = pl.newArray(out, l.name, l)
	l.out.positive = l.positive()
	pl.layers = append(pl.layers, l)
	return nil
}

// positive tells whether nothing that the layer makes is below 0, so far as that is known.
func (l *layer) positive() bool {
	switch l.kind {
	case engine.Relu, engine.Relu6, engine.Softmax, engine.Sigmoid:
		return true
	case engine.MaxPool, engine.AvgPool, engine.GlobalAvgPool, engine.Concat, engine.Slice, engine.Reshape, engine.Add:
		for _, a := range l.in {
			if !a.positive {
				return l.act != engine.NoAct
			}
		}
		return true
	}
	return l.act != engine.NoAct
}

// step takes one step of the program in.
func (pl *planner) step(s *engine.Step) error {
	op := s.Op
	l := &layer{kind: op.Kind, name: op.Layer}
	switch op.Kind {
	case engine.Conv2D:
		c := op.Attr.(engine.Conv)
		l.window, l.groups, l.act = c.Window, c.Groups, c.Act
		return pl.affine(l, s)
	case engine.Dense:
		l.act = op.Attr.(engine.Lin).Act
		return pl.affine(l, s)
	case engine.NormInfer:
		return pl.norm(l, s)
	case engine.Relu, engine.Relu6:
		return pl.activation(l, s)
	case engine.MaxPool, engine.AvgPool:
		l.window = op.Attr.(engine.Pooling).Window
	case engine.Add:
		l.act = op.Attr.(engine.Sum).Act
	case engine.Slice:
		l.part = op.Attr.(engine.Part)
	case engine.Scale:
		l.factor = op.Attr.(engine.Factor).Value
	case engine.HSwish, engine.GlobalAvgPool, engine.Concat, engine.Reshape, engine.Softmax, engine.Sigmoid:
	case engine.Dropout:
		return pl.alias(s)
	case engine.FakeQuant:
		return pl.fakeQuant(s)
	case engine.FakeQuantW:
		return pl.fakeQuantWeights(s)
	default:
		return layerError(op.Layer, "the operator %s cannot be written as TensorFlow Lite", op.Kind)
	}
	return pl.add(l, s.Out[0], s.In...)
}

// affine takes in a convolution or a dense layer.
func (pl *planner) affine(l *layer, s *engine.Step) error {
	w, err := pl.param(s.In[1], l.name)
	if err != nil {
		return err
	}
	l.w, l.wName, l.ws = w.data, w.name, s.In[1].Shape
	l.b = make([]float32, l.ws[0])
	if len(s.In) > 2 {
		b, err := pl.param(s.In[2], l.name)
		if err != nil {
			return err
		}
		l.b = b.data
	}
	return pl.add(l, s.Out[0], s.In[0])
}

// norm folds a batch norm with running statistics into the layer before it, y = s·x+t with s = γ/sqrt(σ²+ε) and t = β-s·μ. One
// that stands by itself becomes a depthwise convolution of 1×1: one operator where MUL and ADD would be two, and in int8 with
// a scale for each channel.
func (pl *planner) norm(l *layer, s *engine.Step) error {
	a := s.Op.Attr.(engine.Norm)
	var p [4]param
	for i := range p {
		var err error
		if p[i], err = pl.param(s.In[1+i], l.name); err != nil {
			return err
		}
	}
	n := s.In[1].Shape.Size()
	scale, shift := make([]float64, n), make([]float64, n)
	for i := range n {
		v := float64(p[3].data[i]) + a.Eps
		if !(v > 0) {
			return layerError(l.name, "the variance of channel %d is %v", i, p[3].data[i])
		}
		scale[i] = float64(p[0].data[i]) / math.Sqrt(v)
		shift[i] = float64(p[1].data[i]) - scale[i]*float64(p[2].data[i])
	}
	x, err := pl.array(s.In[0], l.name)
	if err != nil {
		return err
	}
	if before := x.by; before != nil && before.w != nil && before.act == engine.NoAct && x.readers == 1 && !x.fixed {
		before.fold(scale, shift)
		before.act = a.Act
		return pl.replace(before, s.Out[0])
	}
	l.kind, l.act, l.wName, l.groups = engine.Conv2D, a.Act, l.name+"/scale", n
	l.window = engine.Window{KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1}
	l.ws, l.w, l.b = engine.Shape{n, 1, 1, 1}, make([]float32, n), make([]float32, n)
	for i := range n {
		l.w[i], l.b[i] = float32(scale[i]), float32(shift[i])
	}
	return pl.add(l, s.Out[0], s.In[0])
}

// fold puts y = scale·x+shift, per output channel, into the layer's weights.
func (l *layer) fold(scale, shift []float64) {
	per := len(l.w) / len(scale)
	w, b := make([]float32, len(l.w)), make([]float32, len(l.b))
	for k, f := range scale {
		for i := k * per; i < (k+1)*per; i++ {
			w[i] = float32(float64(l.w[i]) * f)
		}
		b[k] = float32(float64(l.b[k])*f + shift[k])
	}
	l.w, l.b = w, b
}

// activation fuses a ReLU with the layer before it where nothing else reads what is between.
func (pl *planner) activation(l *layer, s *engine.Step) error {
	x, err := pl.array(s.In[0], l.name)
	if err != nil {
		return err
	}
	before := x.by
	if before == nil || before.w == nil && before.kind != engine.Add || before.act != engine.NoAct || x.readers != 1 || x.fixed {
		return pl.add(l, s.Out[0], s.In[0])
	}
	before.act = engine.ActRelu
	if l.kind == engine.Relu6 {
		before.act = engine.ActRelu6
	}
	return pl.replace(before, s.Out[0])
}

// replace lets a layer make another value than before.
func (pl *planner) replace(l *layer, v *engine.Value) error {
	old := l.out
	delete(pl.byValue, old.value)
	for i, a := range pl.arrays {
		if a == old {
			pl.arrays = append(pl.arrays[:i], pl.arrays[i+1:]...)
			break
		}
	}
	l.out = pl.newArray(v, l.name, l)
	l.out.positive = l.positive()
	return nil
}

// alias lets a step's result be its input.
func (pl *planner) alias(s *engine.Step) error {
	a, err := pl.array(s.In[0], s.Op.Layer)
	if err != nil {
		return err
	}
	a.readers += pl.readers[s.Out[0].ID] - 1
	pl.byValue[s.Out[0]] = a
	return nil
}

// fakeQuant gives an activation the range that training kept. A second range on the same activation is a copy of it.
func (pl *planner) fakeQuant(s *engine.Step) error {
	name := s.Op.Layer
	if q := s.Op.Attr.(engine.Quant); q.Bits != 8 {
		return layerError(name, "fake quantisation to %d bits; int8 has 8", q.Bits)
	}
	r, err := pl.param(s.In[1], name)
	if err != nil {
		return err
	}
	a, err := pl.array(s.In[0], name)
	if err != nil {
		return err
	}
	pl.faked = true
	sp := span{r.data[0], r.data[1]}
	if sp.lo > sp.hi || sp.lo == 0 && sp.hi == 0 {
		return layerError(name, "training left the range %v to %v: nothing was tracked", sp.lo, sp.hi)
	}
	if !a.fixed {
		a.fixed, a.span = true, sp
		return pl.alias(s)
	}
	if a.span == sp {
		return pl.alias(s)
	}
	if err := pl.add(&layer{kind: engine.Reshape, name: name}, s.Out[0], s.In[0]); err != nil {
		return err
	}
	out := pl.byValue[s.Out[0]]
	out.fixed, out.span = true, sp
	return nil
}

// fakeQuantWeights passes weights on: int8 weights are rounded the same way when they are written.
func (pl *planner) fakeQuantWeights(s *engine.Step) error {
	if q := s.Op.Attr.(engine.Quant); q.Bits != 8 {
		return layerError(s.Op.Layer, "fake quantisation to %d bits; int8 has 8", q.Bits)
	}
	p, err := pl.param(s.In[0], s.Op.Layer)
	if err != nil {
		return err
	}
	pl.faked = true
	pl.params[s.Out[0]] = p
	return nil
}
