package net

import (
	"errors"
	"fmt"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// sum reads ADD, SUB and MUL: of two maps, or of a map and a constant that is one number, or one per channel.
func (im *importer) sum(op *flat.Op) error {
	if len(op.Inputs) != 2 || op.Inputs[0] < 0 || op.Inputs[1] < 0 {
		return fmt.Errorf("it has %d inputs", len(op.Inputs))
	}
	for i, k := range op.Inputs {
		c, err := im.constant(k)
		if errors.Is(err, errNotConstant) {
			continue
		}
		if err != nil {
			return err
		}
		if i == 0 && im.code(op) == opSub {
			return fmt.Errorf("a constant minus a map is not known")
		}
		return im.affine(op, 1-i, c, k)
	}
	if im.code(op) != flat.OpAdd {
		return fmt.Errorf("one of its inputs must be constant")
	}
	x, err := im.input(op, 0)
	if err != nil {
		return err
	}
	y, err := im.input(op, 1)
	if err != nil {
		return err
	}
	return im.add(op.Outputs[0], byteOption(op, 0), []int{x, y}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		return b.Join(l.name, in[0], in[1], l.act)
	})
}

// affine is a map times or plus a constant. One number for all channels belongs to the preparation of the input and does
// not learn; one per channel is a normalisation's, and does.
func (im *importer) affine(op *flat.Op, input int, c []float32, tensor int) error {
	x, err := im.input(op, input)
	if err != nil {
		return err
	}
	s := im.g.Tensors[x].Shape
	if len(s) < 2 {
		return fmt.Errorf("its input is %v, and at least [1 C] is needed", s)
	}
	channels, cs := s[len(s)-1], im.g.Tensors[tensor].Shape
	role := engine.Param
	switch {
	case len(c) == 1:
		role = engine.Stat
	case len(cs) == 0 || cs[len(cs)-1] != channels || len(c) != channels:
		return fmt.Errorf("its constant %v is neither one number nor one for each of %d channels", cs, channels)
	}
	if len(c) != channels {
		if channels > mostChannels || channels < 1 {
			return fmt.Errorf("its input is %v", s)
		}
		one := c[0]
		c = make([]float32, channels)
		for i := range c {
			c[i] = one
		}
	}
	factor, term := Init{Fill: 1}, Init{Values: c}
	switch im.code(op) {
	case flat.OpMul:
		factor, term = Init{Values: c}, Init{}
	case opSub:
		minus := make([]float32, len(c))
		for i, v := range c {
			minus[i] = -v
		}
		term.Values = minus
	}
	return im.add(op.Outputs[0], byteOption(op, 0), []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		return b.activate(l.name, b.affine(l.name, in[0], role, factor, term), l.act)
	})
}

// affine is x·factor+term per channel: a normalisation whose mean is 0 and whose variance 1.
func (b *Builder) affine(layer string, x *engine.Node, role engine.Role, factor, term Init) *engine.Node {
	s := engine.ShapeOf(x)
	c := s[len(s)-1]
	if c > mostChannels || factor.Values != nil && len(factor.Values) != c || term.Values != nil && len(term.Values) != c {
		engine.Fail(layer, "its constant is not for %d channels", c)
	}
	part := func(name string, i Init) *engine.Node {
		if role == engine.Param {
			return b.Param(layer, name, i, c)
		}
		return b.Var(b.Stat(layer, name, i, c))
	}
	mean, variance := b.Stat(layer, "mean", Init{}, c), b.Stat(layer, "var", Init{Fill: 1}, c)
	return b.NormInfer(layer, x, part("gamma", factor), part("beta", term), b.Var(mean), b.Var(variance), 0)
}

// concat reads CONCATENATION along the channels.
func (im *importer) concat(op *flat.Op) error {
	var in []int
	for i := range op.Inputs {
		x, err := im.input(op, i)
		if err != nil {
			return err
		}
		in = append(in, x)
	}
	rank := len(im.g.Tensors[in[0]].Shape)
	if axis := option(op, 0, 0); rank < 2 || axis != rank-1 && axis != -1 {
		return fmt.Errorf("joining along axis %d of %d is not known: the last one is", axis, rank)
	}
	return im.add(op.Outputs[0], im.fused(op, 1), in, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		sum := 0
		for _, x := range in {
			s := engine.ShapeOf(x)
			sum += s[len(s)-1]
		}
		if sum > mostChannels {
			engine.Fail(l.name, "%d channels are too many", sum)
		}
		return b.quant(l.name, l.act(b, l.name, b.Graph.Concat(l.name, in...)))
	})
}

// dense reads FULLY_CONNECTED: weights [K C].
func (im *importer) dense(op *flat.Op) error {
	x, err := im.input(op, 0)
	if err != nil {
		return err
	}
	if len(op.Inputs) < 2 || op.Inputs[1] < 0 {
		return fmt.Errorf("it has no weights")
	}
	ws, err := im.shape(op.Inputs[1], 2)
	if err != nil {
		return err
	}
	w, err := im.constant(op.Inputs[1])
	if err != nil {
		return err
	}
	if byteOption(op, 1) != 0 || byteOption(op, 2) != 0 && len(im.g.Tensors[x].Shape) > 2 {
		return fmt.Errorf("shuffled weights and outputs of more than two dimensions are not known")
	}
	bias, err := im.bias(op, 2, ws[0])
	if err != nil {
		return err
	}
	return im.add(op.Outputs[0], byteOption(op, 0), []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		x := b.Flatten(l.name, in[0])
		if c := engine.ShapeOf(x)[1]; c != ws[1] {
			engine.Fail(l.name, "its weights are for %d numbers, and there are %d", ws[1], c)
		}
		return b.dense(l.name, x, ws[0], Init{Values: w}, Init{Values: bias}, bias != nil, l.act)
	})
}
