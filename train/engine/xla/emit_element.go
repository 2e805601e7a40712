package xla

import (
	"github.com/gomlx/go-xla/pkg/stablehlo"
	"github.com/gomlx/go-xla/pkg/types"
	"github.com/gomlx/go-xla/pkg/types/dtypes"
	"github.com/gomlx/go-xla/pkg/types/shapes"

	"gleaner/train/engine"
)

func greaterOrEqual(x, y value) value { return compare(x, y, types.CompareGE) }

// element are operators on each element by itself. Their results have the type of their operands.
func (e *emitter) element(op *engine.Op, in []value) []value {
	switch op.Kind {
	case engine.Relu:
		return []value{maximum(in[0], e.number(0, in[0]))}
	case engine.Relu6:
		return []value{e.within(in[0], 0, 6)}
	case engine.HSwish:
		x := f32(in[0])
		y := div(mul(x, e.within(add(x, e.number(3, x)), 0, 6)), e.number(6, x))
		return []value{as(y, in[0].Shape().DType)}
	case engine.ReluDX:
		return []value{e.passed(engine.ActRelu, in[0], in[1])}
	case engine.Relu6DX:
		return []value{e.passed(engine.ActRelu6, in[0], in[1])}
	case engine.HSwishDX:
		return e.hswishDX(in)
	case engine.Sigmoid:
		return []value{check(stablehlo.Logistic(f32(in[0])))}
	case engine.Add:
		a, b := e.together(in[0], in[1])
		return []value{add(a, b)}
	case engine.Concat:
		return e.concat(op, in)
	case engine.Slice:
		return e.slice(op, in)
	case engine.Reshape:
		return []value{reshape(in[0], op.Out[0])}
	case engine.Scale:
		x := f32(in[0])
		return []value{as(mul(x, e.number(op.Attr.(engine.Factor).Value, x)), in[0].Shape().DType)}
	case engine.Dropout:
		return e.dropout(op, in)
	}
	return nil
}

// passed is dy where it passes an activation whose result is y, and 0 elsewhere.
func (b *builder) passed(act engine.Act, y, dy value) value {
	pass := compare(y, b.number(0, y), types.CompareGT)
	if act == engine.ActRelu6 {
		pass = check(stablehlo.And(pass, compare(y, b.number(6, y), types.CompareLT)))
	}
	return choose(pass, dy, b.number(0, dy))
}

// within is min(max(x, low), high).
func (b *builder) within(x value, low, high float64) value {
	return minimum(maximum(x, b.number(low, x)), b.number(high, x))
}

// together brings two values to one type: that of activations where either has it.
func (b *builder) together(x, y value) (value, value) {
	if x.Shape().DType != y.Shape().DType {
		return b.act(x), b.act(y)
	}
	return x, y
}

// hswishDX: 0 for x ≤ -3, dy for x ≥ 3, dy·(2x+3)/6 between.
func (e *emitter) hswishDX(in []value) []value {
	x, dy := f32(in[0]), f32(in[1])
	between := div(mul(dy, add(add(x, x), e.number(3, x))), e.number(6, x))
	d := choose(compare(x, e.number(3, x), types.CompareGE), dy, between)
	d = choose(compare(x, e.number(-3, x), types.CompareLE), e.number(0, x), d)
	return []value{as(d, in[1].Shape().DType)}
}

func (e *emitter) concat(op *engine.Op, in []value) []value {
	parts := make([]value, len(in))
	for i, v := range in {
		parts[i] = v
		for _, o := range in {
			if o.Shape().DType != v.Shape().DType {
				parts[i] = e.act(v)
			}
		}
	}
	return []value{check(stablehlo.Concatenate(len(op.Out[0])-1, parts...))}
}

func (e *emitter) slice(op *engine.Op, in []value) []value {
	part := op.Attr.(engine.Part)
	s := op.In[0]
	last := len(s) - 1
	from, to, by := make([]int, len(s)), append([]int{}, s...), make([]int, len(s))
	for i := range by {
		by[i] = 1
	}
	from[last], to[last] = part.From, part.To
	return []value{check(stablehlo.Slice(in[0], from, to, by))}
}

// dropout leaves out the elements that engine.Hash says, by the same integer arithmetic.
func (e *emitter) dropout(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.Drop)
	s := op.In[0]
	flat := engine.Shape{s.Size()}
	word := func(x uint32, like value) value {
		return e.spread(check(e.fn.ConstantFromScalar(x)), dims(like))
	}
	mix := func(h value) value {
		shift := func(by uint32) { h = check(stablehlo.Xor(h, check(stablehlo.ShiftRightLogical(h, word(by, h))))) }
		shift(16)
		h = mul(h, word(0x85EBCA6B, h))
		shift(13)
		h = mul(h, word(0xC2B2AE35, h))
		shift(16)
		return h
	}
	step := as(in[1], dtypes.Uint32)
	key := mix(add(mul(step, word(0x9E3779B9, step)), word(a.Seed, step)))
	index := check(e.fn.Iota(shapes.Make(dtypes.Uint32, flat...), 0))
	h := mix(check(stablehlo.Xor(index, e.spread(key, flat))))
	h = f32(check(stablehlo.ShiftRightLogical(h, word(8, h))))
	h = mul(h, e.number(1.0/(1<<24), h))
	drop := reshape(compare(h, e.number(float64(float32(a.Rate)), h), types.CompareLT), s)
	x := f32(in[0])
	y := choose(drop, e.number(0, x), mul(x, e.number(1/(1-a.Rate), x)))
	return []value{as(y, in[0].Shape().DType)}
}

// quant are the fake quantisations, in float32.
func (e *emitter) quant(op *engine.Op, in []value) []value {
	switch op.Kind {
	case engine.FakeQuant:
		q := e.integers(op, in[1])
		x := f32(in[0])
		spread := func(v value) value { return e.spread(v, op.In[0]) }
		n := add(round(div(x, spread(q.scale))), spread(q.zero))
		y := mul(sub(e.within(n, 0, q.top), spread(q.zero)), spread(q.scale))
		return []value{as(y, in[0].Shape().DType)}
	case engine.FakeQuantDX:
		q := e.integers(op, in[1])
		x, dy := f32(in[0]), in[2]
		low := e.spread(neg(mul(q.zero, q.scale)), op.In[0])
		high := e.spread(mul(sub(e.number(q.top, q.zero), q.zero), q.scale), op.In[0])
		inside := check(stablehlo.And(greaterOrEqual(x, low), compare(x, high, types.CompareLE)))
		return []value{choose(inside, dy, e.number(0, dy))}
	case engine.FakeQuantW:
		return e.fakeQuantW(op, in)
	case engine.Range:
		x := f32(in[0])
		axes := axesOf(op.In[0])
		one := engine.Shape{1}
		return []value{check(stablehlo.Concatenate(0, reshape(e.bottom(x, axes...), one), reshape(e.top(x, axes...), one)))}
	}
	return nil
}

// integers turn a number x into the integer round(x/scale) + zero, 0 to top.
type integers struct {
	scale, zero value // scalars
	top         float64
}

func (e *emitter) integers(op *engine.Op, span value) integers {
	at := func(i int) value {
		return reshape(check(stablehlo.Slice(span, []int{i}, []int{i + 1}, []int{1})), engine.Shape{})
	}
	low, high := minimum(at(0), e.scalar(dtypes.Float32, 0)), maximum(at(1), e.scalar(dtypes.Float32, 0))
	one := e.scalar(dtypes.Float32, 1)
	high = choose(compare(high, low, types.CompareEQ), add(low, one), high)
	q := integers{top: power2(op.Attr.(engine.Quant).Bits) - 1}
	top := e.scalar(dtypes.Float32, q.top)
	q.scale = div(sub(high, low), top)
	q.zero = minimum(round(div(neg(low), q.scale)), top)
	return q
}

func power2(bits int) float64 { return float64(uint64(1) << bits) }

// fakeQuantW is symmetric per output channel, the first axis; a channel of zeros stays.
func (e *emitter) fakeQuantW(op *engine.Op, in []value) []value {
	s := op.In[0]
	top := e.top(abs(in[0]), axesOf(s)[1:]...)
	scale := e.spread(div(top, e.number(power2(op.Attr.(engine.Quant).Bits-1)-1, top)), s, 0)
	y := mul(round(div(in[0], scale)), scale)
	return []value{choose(compare(scale, e.number(0, scale), types.CompareGT), y, in[0])}
}
