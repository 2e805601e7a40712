package export

import (
	"gleaner/train/engine"
	"gleaner/train/export/meter"
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
	logits   bool // an output, or what one is the softmax or sigmoid of
	real     bool // stays float32 in an int8 file
	fixed    bool // its range is given: by training, or by the operator that makes it
	span     span // the range, where fixed
	group    *group
	meter    *meter.Meter // what was seen of it; nil without calibration
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
		a.output, a.logits = true, true
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
	case engine.Softmax, engine.Sigmoid:
		if a := pl.byValue[s.In[0]]; a != nil {
			a.logits = true
		}
	case engine.HSwish, engine.GlobalAvgPool, engine.Concat, engine.Reshape:
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
	if !a.fixed || a.span == sp {
		a.fixed, a.span = true, sp
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
