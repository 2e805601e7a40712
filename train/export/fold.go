package export

import (
	"math"

	"gleaner/train/engine"
)

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
