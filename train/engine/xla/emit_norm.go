package xla

import (
	"math"

	"github.com/gomlx/go-xla/pkg/stablehlo"

	"gleaner/train/engine"
)

// batchNorm takes the sums of a channel and of its squares in one pass over x, as numbers less the channel's first one: they are
// then about as great as their deviation, and the difference of the two sums loses no digits (the shifted sums of Chan, Golub
// and LeVeque 1983).
func (e *emitter) batchNorm(op *engine.Op, in []value) []value {
	s := op.In[0]
	rank := len(s)
	m := float64(s.Size() / s[rank-1])
	from, to, by := make([]int, rank), make([]int, rank), make([]int, rank)
	for i := range s {
		to[i], by[i] = 1, 1
	}
	to[rank-1] = s[rank-1]
	x := f32(in[0])
	first := reshape(check(stablehlo.Slice(x, from, to, by)), op.Out[1])
	d := sub(x, e.channels(first, s))
	sum, squares := e.perChannel(d), e.perChannel(mul(d, d))
	shift := div(sum, e.number(m, sum))
	variance := sub(div(squares, e.number(m, squares)), mul(shift, shift))
	variance = maximum(variance, e.number(0, variance))
	mean := add(first, shift)
	return []value{e.act(e.normalise(op, in[0], in[1], in[2], mean, variance)), mean, variance}
}

// inverse is 1/sqrt(σ²+ε).
func (e *emitter) inverse(op *engine.Op, variance value) value {
	return rsqrt(add(variance, e.number(op.Attr.(engine.Norm).Eps, variance)))
}

// normalise is γ(x-μ)/sqrt(σ²+ε)+β in float32.
func (e *emitter) normalise(op *engine.Op, x, gamma, beta, mean, variance value) value {
	s := op.In[0]
	scale := mul(gamma, e.inverse(op, variance))
	return add(mul(sub(f32(x), e.channels(mean, s)), e.channels(scale, s)), e.channels(beta, s))
}

// batchNormDX: x, γ, μ, σ², dy, and y if a ReLU was fused → dx, dγ, dβ (Ioffe and Szegedy 2015, section 3).
func (e *emitter) batchNormDX(op *engine.Op, in []value) []value {
	s := op.In[0]
	m := float64(s.Size() / s[len(s)-1])
	dy := f32(in[4])
	if act := fused(op); act != engine.NoAct {
		dy = e.passed(act, in[5], dy)
	}
	inverse := e.inverse(op, in[3])
	centred := sub(f32(in[0]), e.channels(in[2], s))
	dbeta := e.perChannel(dy)
	dgamma := mul(e.perChannel(mul(dy, centred)), inverse)
	// dx = γ·inverse·(dy - (dβ + x̂·dγ)/M) with x̂ = centred·inverse
	base := div(dbeta, e.number(m, dbeta))
	slope := div(mul(dgamma, inverse), e.number(m, dgamma))
	d := sub(sub(dy, e.channels(base, s)), mul(centred, e.channels(slope, s)))
	return []value{e.act(mul(d, e.channels(mul(in[1], inverse), s))), dgamma, dbeta}
}

func (e *emitter) normInfer(op *engine.Op, in []value) []value {
	return []value{e.act(e.normalise(op, in[0], in[1], in[2], in[3], in[4]))}
}

// normInferDX: dy, γ, running σ² → dx.
func (e *emitter) normInferDX(op *engine.Op, in []value) []value {
	return []value{e.act(mul(f32(in[0]), e.channels(mul(in[1], e.inverse(op, in[2])), op.In[0])))}
}

// normInferDP: x, dy, running μ, running σ² → dγ, dβ.
func (e *emitter) normInferDP(op *engine.Op, in []value) []value {
	dy := f32(in[1])
	centred := sub(f32(in[0]), e.channels(in[2], op.In[0]))
	return []value{mul(e.perChannel(mul(dy, centred)), e.inverse(op, in[3])), e.perChannel(dy)}
}

// windowOf is a pooling's window over [N H W C], its strides and its padding.
func windowOf(w engine.Window) (window, strides []int, padding [][2]int) {
	return []int{1, w.KH, w.KW, 1}, []int{1, w.SH, w.SW, 1}, [][2]int{{}, {w.Top, w.Bottom}, {w.Left, w.Right}, {}}
}

func (b *builder) window(v value, of func(x, y value) value, first float64, window, strides []int, padding [][2]int) value {
	t := v.Shape().DType
	return check(stablehlo.ReduceWindow(v, b.scalar(t, first), b.region(t, of), window, strides, nil, nil, padding))
}

func (e *emitter) maxPool(op *engine.Op, in []value) []value {
	window, strides, padding := windowOf(op.Attr.(engine.Pooling).Window)
	return []value{e.window(in[0], maximum, math.Inf(-1), window, strides, padding)}
}

// maxPoolDX gives each window's gradient to its first greatest: select_and_scatter goes on to the next element only where the
// one it holds is not greater or equal. What windows give to one element is added in float32.
func (e *emitter) maxPoolDX(op *engine.Op, in []value) []value {
	window, strides, padding := windowOf(op.Attr.(engine.Pooling).Window)
	x, dy := f32(in[0]), f32(in[2])
	t := x.Shape().DType
	holds := e.region(t, greaterOrEqual)
	dx := check(stablehlo.SelectAndScatter(x, dy, e.scalar(t, 0), holds, e.region(t, add), window, strides, padding))
	return []value{e.act(dx)}
}

// counts is how many pixels each window has, for results of a shape.
func (e *emitter) counts(w engine.Window, h, width int, y engine.Shape) value {
	across := func(out, k, stride, pad, n int) []float32 {
		c := make([]float32, out)
		for o := range c {
			c[o] = float32(min(o*stride-pad+k, n) - max(o*stride-pad, 0))
		}
		return c
	}
	rows := e.array(across(y[1], w.KH, w.SH, w.Top, h), engine.Shape{y[1]})
	columns := e.array(across(y[2], w.KW, w.SW, w.Left, width), engine.Shape{y[2]})
	return mul(e.spread(rows, y, 1), e.spread(columns, y, 2))
}

func (e *emitter) avgPool(op *engine.Op, in []value) []value {
	w := op.Attr.(engine.Pooling).Window
	window, strides, padding := windowOf(w)
	sum := e.window(f32(in[0]), add, 0, window, strides, padding)
	return []value{e.act(div(sum, e.counts(w, op.In[0][1], op.In[0][2], op.Out[0])))}
}

// avgPoolDX adds up what the windows over each pixel give to it: dy/count, its pixels a stride apart, under a window of the
// same size.
func (e *emitter) avgPoolDX(op *engine.Op, in []value) []value {
	w := op.Attr.(engine.Pooling).Window
	x, y := op.Out[0], op.In[0]
	share := div(f32(in[0]), e.counts(w, x[1], x[2], y))
	top, left := w.KH-1-w.Top, w.KW-1-w.Left
	bottom, right := x[1]+w.Top-(y[1]-1)*w.SH-1, x[2]+w.Left-(y[2]-1)*w.SW-1
	wide := check(stablehlo.Pad(share, e.scalar(share.Shape().DType, 0), []int{0, top, left, 0}, []int{0, bottom, right, 0},
		[]int{0, w.SH - 1, w.SW - 1, 0}))
	return []value{e.act(e.window(wide, add, 0, []int{1, w.KH, w.KW, 1}, []int{1, 1, 1, 1}, make([][2]int, 4)))}
}
