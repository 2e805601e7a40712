package xla

import (
	"github.com/gomlx/go-xla/pkg/stablehlo"
	"github.com/gomlx/go-xla/pkg/types/dtypes"

	"gleaner/train/engine"
)

// convolution is StableHLO's convolution of two arrays of rank 4 whose axes 1 and 2 are height and width (section convolution
// of the specification).
type convolution struct {
	strides, lhsDilation, rhsDilation []int
	padding                           [][2]int
	lhsBatch, lhsFeature              int // axes
	rhsInput, rhsOutput               int
	outBatch, outFeature              int
	groups, batchGroups               int
}

func (b *builder) convolve(lhs, rhs value, c convolution) value {
	space := []int{1, 2}
	return check(stablehlo.Convolution(lhs, rhs, c.strides, c.padding, c.lhsDilation, c.rhsDilation,
		c.lhsBatch, c.lhsFeature, space, c.rhsInput, c.rhsOutput, space, c.outBatch, c.outFeature, space,
		c.groups, c.batchGroups, b.how, b.how))
}

// conv2D: x [b 0 1 f], w [o 0 1 i] → y [b 0 1 f].
func (e *emitter) conv2D(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.Conv)
	y := e.convolve(e.act(in[0]), e.act(in[1]), convolution{
		strides: []int{a.SH, a.SW}, lhsDilation: []int{1, 1}, rhsDilation: []int{a.DH, a.DW},
		padding:  [][2]int{{a.Top, a.Bottom}, {a.Left, a.Right}},
		lhsBatch: 0, lhsFeature: 3, rhsInput: 3, rhsOutput: 0, outBatch: 0, outFeature: 3,
		groups: a.Groups, batchGroups: 1,
	})
	if a.Bias {
		y = add(y, e.channels(e.act(in[2]), op.Out[0]))
	}
	return []value{y}
}

// conv2DDX convolves dy, its pixels S apart, with the filters turned by 180° and their input and output channels swapped. The
// padding makes up for that of the convolution and for the last rows that no window reached; it may be negative.
func (e *emitter) conv2DDX(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.Conv)
	x, y, ws := op.Out[0], op.In[0], op.In[1]
	w := e.act(in[1])
	if a.KH > 1 || a.KW > 1 {
		w = check(stablehlo.Reverse(w, 1, 2))
	}
	input, output := 0, 3
	if g := a.Groups; g > 1 { // [g K/g KH KW C/g] → [K/g KH KW g C/g], so that the groups are those of the output
		k, c := ws[0]/g, ws[3]
		w = transpose(reshape(w, engine.Shape{g, k, a.KH, a.KW, c}), 1, 2, 3, 0, 4)
		w = reshape(w, engine.Shape{k, a.KH, a.KW, g * c})
	}
	pad := func(n, out, k, stride, dilation, before int) [2]int {
		lo := (k-1)*dilation - before
		return [2]int{lo, n + (k-1)*dilation - 1 - (out-1)*stride - lo}
	}
	dx := e.convolve(e.act(in[0]), w, convolution{
		strides: []int{1, 1}, lhsDilation: []int{a.SH, a.SW}, rhsDilation: []int{a.DH, a.DW},
		padding:  [][2]int{pad(x[1], y[1], a.KH, a.SH, a.DH, a.Top), pad(x[2], y[2], a.KW, a.SW, a.DW, a.Left)},
		lhsBatch: 0, lhsFeature: 3, rhsInput: input, rhsOutput: output, outBatch: 0, outFeature: 3,
		groups: a.Groups, batchGroups: 1,
	})
	return []value{dx}
}

// conv2DDW convolves x with dy as the filter: the batch is what is summed over, the input channels are the batch, and stride
// and dilation change places. Padding behind is what makes the result as big as the filter.
func (e *emitter) conv2DDW(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.Conv)
	x, y := op.In[0], op.In[1]
	pad := func(n, out, k, stride, dilation, before int) [2]int {
		return [2]int{before, (k-1)*dilation + (out-1)*stride + 1 - n - before}
	}
	dw := e.convolve(e.act(in[0]), e.act(in[1]), convolution{
		strides: []int{a.DH, a.DW}, lhsDilation: []int{1, 1}, rhsDilation: []int{a.SH, a.SW},
		padding:  [][2]int{pad(x[1], y[1], a.KH, a.SH, a.DH, a.Top), pad(x[2], y[2], a.KW, a.SW, a.DW, a.Left)},
		lhsBatch: 3, lhsFeature: 0, rhsInput: 0, rhsOutput: 3, outBatch: 3, outFeature: 0,
		groups: 1, batchGroups: a.Groups,
	})
	return e.withBias(a.Bias, f32(dw), in[1])
}

// withBias is a gradient by weights with that by a bias, the sum of dy's rows, if there is one.
func (e *emitter) withBias(bias bool, dw, dy value) []value {
	if !bias {
		return []value{dw}
	}
	return []value{dw, e.perChannel(dy)}
}

// dot is the product of two matrices along an axis of each; the other axes are the result's.
func (b *builder) dot(x value, along int, y value, with int, t dtypes.DType) value {
	return check(stablehlo.DotGeneral(x, []int{along}, nil, y, []int{with}, nil).Precision(b.how, b.how).OutputDType(t).Done())
}

func (e *emitter) dense(op *engine.Op, in []value) []value {
	y := e.dot(e.act(in[0]), 1, e.act(in[1]), 1, e.half)
	if op.Attr.(engine.Lin).Bias {
		y = add(y, e.channels(e.act(in[2]), op.Out[0]))
	}
	return []value{y}
}
