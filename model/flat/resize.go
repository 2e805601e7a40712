package flat

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Resize gives the network's only input, a picture [N H W C], another height and width in pixels, and works out what
// becomes of the shapes behind it. Networks whose weights do not depend on the size (convolutions, poolings, means)
// can be resized; where an operator is not known here, or a shape is fixed in the file, it is an error and the model
// must not be used further.
func (m *Model) Resize(h, w int) error {
	g := &m.Graphs[0]
	if len(g.Inputs) != 1 || len(g.Tensors[g.Inputs[0]].Shape) != 4 || h < 1 || w < 1 {
		return fmt.Errorf("resize model: it needs one input [N H W C] and a size above 0, not %d×%d", w, h)
	}
	in := &g.Tensors[g.Inputs[0]]
	in.Shape = []int{in.Shape[0], h, w, in.Shape[3]}
	in.Signature = nil
	changed := map[int]bool{g.Inputs[0]: true}
	for i := range g.Ops {
		op := &g.Ops[i]
		if !slices.ContainsFunc(op.Inputs, func(k int) bool { return changed[k] }) {
			continue
		}
		shape, err := m.shapeOf(op)
		if err != nil {
			return fmt.Errorf("resize model: operator %d: %w", i, err)
		}
		out := &g.Tensors[op.Outputs[0]]
		if !slices.Equal(out.Shape, shape) {
			out.Shape, out.Signature = shape, nil
			changed[op.Outputs[0]] = true
		}
	}
	return nil
}

// scalar is an option's value; def where it is left out.
func (o *Options) scalar(id, def int) int {
	for _, f := range o.Fields {
		if f.ID == id && f.Elem == 0 {
			var b [4]byte
			copy(b[:], f.Scalar)
			return int(int32(binary.LittleEndian.Uint32(b[:])))
		}
	}
	return def
}

// shapeOf is the shape of the operator's output, from the shapes of its inputs. The rules are those of the runtime's
// kernels (tensorflow/lite/kernels).
func (m *Model) shapeOf(op *Op) ([]int, error) {
	g, code := &m.Graphs[0], m.Codes[op.Code]
	shape := func(i int) []int {
		if i >= len(op.Inputs) || op.Inputs[i] < 0 {
			return nil
		}
		return g.Tensors[op.Inputs[i]].Shape
	}
	if len(op.Outputs) != 1 || len(op.Inputs) == 0 {
		return nil, fmt.Errorf("%w: it has %d outputs", ErrUnsupported, len(op.Outputs))
	}
	a, b, o := shape(0), shape(1), &op.Options
	switch code.Builtin {
	case OpConv2D, OpDepthwiseConv2D:
		if len(a) != 4 || len(b) != 4 {
			return nil, fmt.Errorf("a convolution of %v with %v", a, b)
		}
		ch, dil := b[0], 4
		if code.Builtin == OpDepthwiseConv2D {
			ch, dil = b[3], 5
		}
		w := window{o.scalar(0, 0), o.scalar(1, 0), o.scalar(2, 0), (b[2]-1)*o.scalar(dil, 1) + 1, (b[1]-1)*o.scalar(dil+1, 1) + 1}
		return w.over(a, ch)
	case OpAveragePool2D, OpMaxPool2D:
		if len(a) != 4 {
			return nil, fmt.Errorf("a pooling of %v", a)
		}
		return window{o.scalar(0, 0), o.scalar(1, 0), o.scalar(2, 0), o.scalar(3, 0), o.scalar(4, 0)}.over(a, a[3])
	case OpDequantize, OpQuantize, OpRelu, OpRelu6, OpLogistic, OpSoftmax, OpL2Norm:
		return a, nil
	case OpAdd, OpMul:
		return broadcast(a, b)
	case OpMean:
		return m.meanShape(op, a)
	case OpPad:
		return m.padShape(op, a)
	}
	return nil, fmt.Errorf("%w: what operator %d does to its shape is not known", ErrUnsupported, code.Builtin)
}

// window slides over a picture.
type window struct{ padding, strideW, strideH, w, h int }

func (w window) over(in []int, channels int) ([]int, error) {
	side := func(n, size, stride int) int {
		if w.padding == PadValid {
			n -= size - 1
		}
		if stride < 1 {
			return 0
		}
		return (n + stride - 1) / stride
	}
	out := []int{in[0], side(in[1], w.h, w.strideH), side(in[2], w.w, w.strideW), channels}
	if out[1] < 1 || out[2] < 1 {
		return nil, fmt.Errorf("%v is too small for a window of %d×%d", in, w.w, w.h)
	}
	return out, nil
}

func broadcast(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		k := len(a) - len(b) + i
		if d != a[k] && d != 1 && a[k] != 1 {
			return nil, fmt.Errorf("%v and %v do not go together", a, b)
		}
		out[k] = max(d, a[k])
	}
	return out, nil
}

// int32s are the values of a constant input.
func (m *Model) int32s(op *Op, i int) ([]int, error) {
	if i < len(op.Inputs) && op.Inputs[i] >= 0 {
		t := &m.Graphs[0].Tensors[op.Inputs[i]]
		if b := m.Buffers[t.Buffer]; t.Type == Int32 && len(b) > 0 && len(b)%4 == 0 {
			out := make([]int, len(b)/4)
			for k := range out {
				out[k] = int(int32(binary.LittleEndian.Uint32(b[4*k:])))
			}
			return out, nil
		}
	}
	return nil, fmt.Errorf("%w: its input %d is not constant", ErrUnsupported, i)
}

func (m *Model) meanShape(op *Op, a []int) ([]int, error) {
	axes, err := m.int32s(op, 1)
	if err != nil {
		return nil, err
	}
	var out []int
	for i, d := range a {
		switch {
		case !slices.Contains(axes, i) && !slices.Contains(axes, i-len(a)):
			out = append(out, d)
		case op.Options.scalar(0, 0)&0xff != 0:
			out = append(out, 1)
		}
	}
	return out, nil
}

func (m *Model) padShape(op *Op, a []int) ([]int, error) {
	p, err := m.int32s(op, 1)
	if err != nil {
		return nil, err
	}
	if len(p) != 2*len(a) {
		return nil, fmt.Errorf("%d paddings for %v", len(p), a)
	}
	out := slices.Clone(a)
	for i := range out {
		if out[i] += p[2*i] + p[2*i+1]; out[i] < 1 {
			return nil, fmt.Errorf("a padding of %v on %v", p, a)
		}
	}
	return out, nil
}
