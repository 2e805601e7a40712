package net

import (
	"fmt"
	"slices"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// Operators that model/flat does not name, numbered as in the schema.
const (
	opSub     = 41
	opSqueeze = 43
)

// unfused is the activation of operators that cannot have one.
const unfused = -1

// read turns the live operators into layers.
func (im *importer) read() error {
	known := map[int]func(*flat.Op) error{
		flat.OpConv2D: im.conv, flat.OpDepthwiseConv2D: im.conv, flat.OpFullyConnected: im.dense,
		flat.OpAdd: im.sum, opSub: im.sum, flat.OpMul: im.sum, flat.OpConcatenation: im.concat,
		flat.OpAveragePool2D: im.pool, flat.OpMaxPool2D: im.pool, flat.OpMean: im.mean, flat.OpPad: im.pad,
		flat.OpRelu: im.relu, flat.OpRelu6: im.relu, flat.OpHardSwish: im.relu,
		flat.OpReshape: im.reshape, opSqueeze: im.reshape, flat.OpQuantize: im.rename, flat.OpDequantize: im.rename,
		flat.OpSoftmax: im.answer, flat.OpLogistic: im.answer,
	}
	for i := range im.g.Ops {
		if !im.live[i] {
			continue
		}
		op := &im.g.Ops[i]
		code := im.code(op)
		name := OperatorName(code)
		if code == flat.OpCustom {
			name = "custom operator " + im.m.Codes[op.Code].Custom
		}
		if len(op.Outputs) != 1 || len(op.Inputs) == 0 {
			return fmt.Errorf("operator %d, %s: it has %d inputs and %d outputs", i, name, len(op.Inputs), len(op.Outputs))
		}
		tensor := im.g.Tensors[op.Outputs[0]].Name
		read := known[code]
		if read == nil {
			return fmt.Errorf("operator %d, %s, which computes tensor %q, cannot be trained here: cut the file before it", i, name, tensor)
		}
		if err := read(op); err != nil {
			return fmt.Errorf("operator %d, %s, which computes tensor %q: %w", i, name, tensor, err)
		}
	}
	for _, tensor := range append([]int{im.end.tensor}, im.end.more...) {
		if k := im.source(tensor); im.made[k] == nil {
			return fmt.Errorf("tensor %q, where the file is cut, is not computed by a layer", im.g.Tensors[k].Name)
		}
	}
	return nil
}

// conv reads CONV_2D and DEPTHWISE_CONV_2D.
func (im *importer) conv(op *flat.Op) error {
	x, p, err := im.padded(op)
	if err != nil {
		return err
	}
	if len(op.Inputs) < 2 || op.Inputs[1] < 0 {
		return fmt.Errorf("it has no weights")
	}
	xs, err := im.shape(x, 4)
	if err != nil {
		return err
	}
	ws, err := im.shape(op.Inputs[1], 4)
	if err != nil {
		return err
	}
	weights, err := im.constant(op.Inputs[1])
	if err != nil {
		return err
	}
	f := Filter{Out: ws[0], Groups: 1}
	actID, dilation := 3, 4
	if im.code(op) == flat.OpDepthwiseConv2D {
		actID, dilation = 4, 5
		if ws[0] != 1 || ws[3]%xs[3] != 0 {
			return fmt.Errorf("weights %v do not fit %d channels", ws, xs[3])
		}
		f.Out, f.Groups = ws[3], xs[3]
		weights = depthwise(weights, ws)
	} else {
		if xs[3]%ws[3] != 0 {
			return fmt.Errorf("weights %v do not fit %d channels", ws, xs[3])
		}
		f.Groups = xs[3] / ws[3]
	}
	slide, err := im.slide(op, ws[1], ws[2], option(op, dilation+1, 1), option(op, dilation, 1), p)
	if err != nil {
		return err
	}
	bias, err := im.bias(op, 2, f.Out)
	if err != nil {
		return err
	}
	f.W, f.B, f.Bias = Init{Values: weights}, Init{Values: bias}, bias != nil
	if im.o.Norms {
		if bias == nil {
			f.B.Values = make([]float32, f.Out)
		}
		f.Bias = false
	}
	return im.add(op.Outputs[0], byteOption(op, actID), []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		f := f
		f.Window = slide.window(l.name, in[0])
		if im.o.Norms {
			return b.ConvNorm(l.name, in[0], f, l.act)
		}
		return b.Conv(l.name, in[0], f, l.act)
	})
}

// depthwise puts weights [1 KH KW K] into our order, [K KH KW 1].
func depthwise(w []float32, s []int) []float32 {
	taps, k := s[1]*s[2], s[3]
	out := make([]float32, len(w))
	for t := range taps {
		for c := range k {
			out[c*taps+t] = w[t*k+c]
		}
	}
	return out
}

// slide is how a window moves, before the size of the picture is known.
type slide struct {
	engine.Window
	same bool // as TensorFlow's SAME, on top of the window's own padding
}

func (s slide) window(layer string, x *engine.Node) engine.Window {
	w := s.Window
	if !s.same {
		return w
	}
	xs := engine.ShapeOf(x)
	if len(xs) != 4 {
		engine.Fail(layer, "it takes pictures [N H W C], not %v", xs)
	}
	rows := engine.Same((w.KH-1)*w.DH+1, w.SH, xs[1]+w.Top+w.Bottom, 1)
	cols := engine.Same((w.KW-1)*w.DW+1, w.SW, 1, xs[2]+w.Left+w.Right)
	w.Top, w.Bottom = w.Top+rows.Top, w.Bottom+rows.Bottom
	w.Left, w.Right = w.Left+cols.Left, w.Right+cols.Right
	return w
}

// slide reads padding and strides, which convolutions and poolings number alike.
func (im *importer) slide(op *flat.Op, kh, kw, dh, dw int, p pad) (slide, error) {
	w := engine.Window{KH: kh, KW: kw, DH: dh, DW: dw, SW: option(op, 1, 0), SH: option(op, 2, 0),
		Top: p.top, Bottom: p.bottom, Left: p.left, Right: p.right}
	const most = 1 << 15 // wider than any picture
	for _, v := range []int{kh, kw, dh, dw, w.SH, w.SW} {
		if v < 1 || v > most {
			return slide{}, fmt.Errorf("a window of %d×%d, stride %d×%d, dilation %d×%d is not possible", kh, kw, w.SH, w.SW, dh, dw)
		}
	}
	switch byteOption(op, 0) {
	case flat.PadSame:
		return slide{w, true}, nil
	case flat.PadValid:
		return slide{w, false}, nil
	}
	return slide{}, fmt.Errorf("its padding %d is not known", byteOption(op, 0))
}

// pad reads PAD, which the windows that read its result take over.
func (im *importer) pad(op *flat.Op) error {
	x, before, err := im.padded(op)
	if err != nil {
		return err
	}
	p, err := im.int32s(op, 1)
	if err != nil {
		return err
	}
	if len(p) != 8 || p[0] != 0 || p[1] != 0 || p[6] != 0 || p[7] != 0 || slices.Min(p) < 0 || slices.Max(p) > 1<<10 {
		return fmt.Errorf("a padding of %v is not known: height and width alone can be padded", p)
	}
	out := pad{x, before.top + p[2], before.bottom + p[3], before.left + p[4], before.right + p[5]}
	if max(out.top, out.bottom, out.left, out.right) > 1<<12 {
		return fmt.Errorf("a padding of %v on top of others is too wide", p)
	}
	if err := im.fresh(op.Outputs[0]); err != nil {
		return err
	}
	im.pads[op.Outputs[0]] = out
	return nil
}

// padded is the input of an operator that can take the padding before it into its window.
func (im *importer) padded(op *flat.Op) (x int, p pad, err error) {
	if op.Inputs[0] >= 0 {
		if p, ok := im.pads[im.source(op.Inputs[0])]; ok {
			return p.of, p, nil
		}
	}
	x, err = im.input(op, 0)
	return x, pad{}, err
}

// pool reads AVERAGE_POOL_2D and MAX_POOL_2D. One that covers the whole map covers it at another input size as well.
func (im *importer) pool(op *flat.Op) error {
	x, p, err := im.padded(op)
	if err != nil {
		return err
	}
	if p != (pad{}) && (im.code(op) != flat.OpMaxPool2D || !im.positive(p.of)) {
		return fmt.Errorf("its input is padded with zeros, which count here")
	}
	xs, err := im.shape(x, 4)
	if err != nil {
		return err
	}
	kw, kh := option(op, 3, 0), option(op, 4, 0)
	s, err := im.slide(op, kh, kw, 1, 1, p)
	if err != nil {
		return err
	}
	whole := im.code(op) == flat.OpAveragePool2D && !s.same && kh == xs[1] && kw == xs[2]
	return im.add(op.Outputs[0], im.fused(op, 5), []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		switch {
		case whole:
			return l.act(b, l.name, onePixel(b, l.name, b.GlobalAvgPool(l.name, in[0])))
		case im.code(op) == flat.OpAveragePool2D:
			return l.act(b, l.name, b.AvgPool(l.name, in[0], s.window(l.name, in[0])))
		}
		return l.act(b, l.name, b.MaxPool(l.name, in[0], s.window(l.name, in[0])))
	})
}

// onePixel is [N C] as [N 1 1 C].
func onePixel(b *Builder, layer string, x *engine.Node) *engine.Node {
	s := engine.ShapeOf(x)
	return b.Reshape(layer, x, s[0], 1, 1, s[1])
}

// fused is the fused activation of an operator that cannot leave the range of its inputs.
func (im *importer) fused(op *flat.Op, id int) int {
	if act := byteOption(op, id); act != flat.ActNone {
		return act
	}
	return unfused
}

// positive tells whether a tensor is known to have no number below 0.
func (im *importer) positive(tensor int) bool {
	for i := range im.g.Ops {
		if op := &im.g.Ops[i]; slices.Contains(op.Outputs, tensor) && len(op.Inputs) > 0 && op.Inputs[0] >= 0 {
			switch im.code(op) {
			case flat.OpRelu, flat.OpRelu6:
				return true
			case flat.OpConv2D, flat.OpAdd:
				act := byteOption(op, map[int]int{flat.OpConv2D: 3, flat.OpAdd: 0}[im.code(op)])
				return act == flat.ActRelu || act == flat.ActRelu6
			case flat.OpDepthwiseConv2D:
				act := byteOption(op, 4)
				return act == flat.ActRelu || act == flat.ActRelu6
			}
		}
	}
	return false
}

// mean reads MEAN over height and width.
func (im *importer) mean(op *flat.Op) error {
	x, err := im.input(op, 0)
	if err != nil {
		return err
	}
	if _, err := im.shape(x, 4); err != nil {
		return err
	}
	axes, err := im.int32s(op, 1)
	if err != nil {
		return err
	}
	for i, a := range axes {
		if a < 0 {
			axes[i] += 4
		}
	}
	slices.Sort(axes)
	if !slices.Equal(axes, []int{1, 2}) {
		return fmt.Errorf("a mean over the axes %v is not known: height and width are", axes)
	}
	keep := byteOption(op, 0) != 0
	return im.add(op.Outputs[0], unfused, []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		y := b.GlobalAvgPool(l.name, in[0])
		if keep {
			return onePixel(b, l.name, y)
		}
		return y
	})
}

// relu reads activations that are operators of their own. Behind a layer that has none, and that nothing else reads, they
// become that layer's.
func (im *importer) relu(op *flat.Op) error {
	x, err := im.input(op, 0)
	if err != nil {
		return err
	}
	act := map[int]Act{flat.OpRelu: Relu, flat.OpRelu6: Relu6, flat.OpHardSwish: HSwish}[im.code(op)]
	out := op.Outputs[0]
	if before := im.made[x]; before != nil && before.plain && x == op.Inputs[0] && im.reads[x] == 1 {
		if err := im.fresh(out); err != nil {
			return err
		}
		if r, ok := im.ranges[before.name]; ok && im.code(op) == flat.OpHardSwish {
			im.ranges[before.name+"/linear"] = r
		}
		before.act, before.plain, before.out = act, false, out
		im.made[out] = before
		if r, ok := im.span(out); ok {
			im.ranges[before.name] = r
		}
		return nil
	}
	return im.add(out, unfused, []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		return b.activate(l.name, in[0], act)
	})
}

// reshape reads RESHAPE and SQUEEZE, which must leave the batch's axis alone.
func (im *importer) reshape(op *flat.Op) error {
	x, err := im.input(op, 0)
	if err != nil {
		return err
	}
	t := &im.g.Tensors[op.Outputs[0]]
	if len(t.Shape) < 2 || t.Shape[0] != 1 || t.Elems() < 1 {
		return fmt.Errorf("the shape %v has no place for a batch: it must begin with 1", t.Shape)
	}
	rest := slices.Clone(t.Shape[1:])
	return im.add(op.Outputs[0], unfused, []int{x}, func(b *Builder, l *layer, in []*engine.Node) *engine.Node {
		if len(rest) == 1 {
			return b.Flatten(l.name, in[0])
		}
		return b.Reshape(l.name, in[0], append([]int{engine.ShapeOf(in[0])[0]}, rest...)...)
	})
}

// rename reads QUANTIZE and DEQUANTIZE: the same real numbers in another form.
func (im *importer) rename(op *flat.Op) error {
	out := op.Outputs[0]
	if op.Inputs[0] >= 0 {
		if c, err := im.constant(op.Inputs[0]); err == nil {
			if n := im.g.Tensors[out].Elems(); n != len(c) {
				return fmt.Errorf("it makes %d numbers of %d", n, len(c))
			}
			im.consts[out] = c
			return nil
		} else if len(im.data(im.g.Tensors[op.Inputs[0]].Buffer)) > 0 {
			return err
		}
	}
	if _, _, err := im.padded(op); err != nil {
		return err
	}
	if err := im.fresh(out); err != nil {
		return err
	}
	im.alias[out] = im.source(op.Inputs[0])
	return nil
}

// answer refuses SOFTMAX and LOGISTIC, which only a head may end with.
func (im *importer) answer(*flat.Op) error {
	return fmt.Errorf("it has no gradient here: cut the file before it")
}
