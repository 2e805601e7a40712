package xla

import (
	"github.com/gomlx/go-xla/pkg/stablehlo"
	"github.com/gomlx/go-xla/pkg/types"

	"gleaner/train/engine"
)

// loss are the losses and what belongs to them, in float32.
func (e *emitter) loss(op *engine.Op, in []value) []value {
	switch op.Kind {
	case engine.Softmax:
		return []value{exp(neg(e.minusLog(f32(in[0]))))}
	case engine.SoftmaxLoss:
		return e.softmaxLoss(op, in)
	case engine.SoftmaxLossDZ:
		return e.softmaxLossDZ(op, in)
	case engine.BCELoss:
		return e.bceLoss(op, in)
	case engine.BCELossDZ:
		part := mul(sub(in[0], e.wanted(op, in[1])), e.weights(op, in[0]))
		scale := div(in[2], e.number(float64(op.In[0].Size()), in[2]))
		return []value{mul(part, e.spread(scale, op.In[0]))}
	case engine.L2:
		d := e.difference(in)
		sum := e.total(mul(d, d))
		return []value{mul(sum, e.number(op.Attr.(engine.Factor).Value/2, sum))}
	case engine.L2DW:
		d := e.difference(in[1:])
		factor := mul(in[0], e.number(op.Attr.(engine.Factor).Value, in[0]))
		return []value{mul(d, e.spread(factor, op.Out[0]))}
	}
	return nil
}

// difference is w-w0, or w where there is no w0.
func (e *emitter) difference(in []value) value {
	if len(in) == 1 {
		return f32(in[0])
	}
	return sub(f32(in[0]), f32(in[1]))
}

// minusLog is -log softmax(z) of each row. The row's greatest is taken off first, so that exp is never of a positive number and
// the greatest's own share keeps its digits when it is near 1.
func (e *emitter) minusLog(z value) value {
	below := sub(e.spread(e.top(z, 1), dims(z), 0), z)
	return add(e.spread(log(e.sum(exp(neg(below)), 1)), dims(z), 0), below)
}

// wanted is y' = (1-Smoothing)·y + Smoothing/K.
func (e *emitter) wanted(op *engine.Op, y value) value {
	a := op.Attr.(engine.Loss)
	y = f32(y)
	if a.Smoothing == 0 {
		return y
	}
	k := float64(dims(y)[1])
	return add(mul(y, e.number(1-a.Smoothing, y)), e.number(a.Smoothing/k, y))
}

// weights are the classes' weights for each element.
func (e *emitter) weights(op *engine.Op, like value) value {
	a := op.Attr.(engine.Loss)
	if a.Weights == nil {
		return e.number(1, like)
	}
	return e.channels(e.array(a.Weights, engine.Shape{len(a.Weights)}), dims(like))
}

func (e *emitter) softmaxLoss(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.Loss)
	z := f32(in[0])
	less := e.minusLog(z)
	p := exp(neg(less))
	part := mul(mul(e.wanted(op, in[1]), e.weights(op, z)), less)
	if a.Gamma != 0 {
		part = mul(part, pow(e.rest(p), e.number(a.Gamma, p)))
	}
	sum := e.total(part)
	return []value{div(sum, e.number(float64(op.In[0][0]), sum)), p}
}

// rest is 1-p, never negative.
func (e *emitter) rest(p value) value {
	return maximum(sub(e.number(1, p), p), e.number(0, p))
}

// softmaxLossDZ: with a_k = w_k·y'_k·p_k·f'(p_k), the gradient of a row is (a_k - p_k·Σ a_j)/N·dloss.
func (e *emitter) softmaxLossDZ(op *engine.Op, in []value) []value {
	p := f32(in[0])
	a := mul(mul(e.wanted(op, in[1]), e.weights(op, p)), e.focalSlope(p, op.Attr.(engine.Loss).Gamma))
	d := sub(a, mul(p, e.spread(e.sum(a, 1), op.In[0], 0)))
	scale := div(in[2], e.number(float64(op.In[0][0]), in[2]))
	return []value{mul(d, e.spread(scale, op.In[0]))}
}

// focalSlope is p·f'(p) of f(p) = -(1-p)^γ·log p: γ·p·(1-p)^(γ-1)·log p - (1-p)^γ, with its limits at 0 and 1.
func (e *emitter) focalSlope(p value, gamma float64) value {
	if gamma == 0 {
		return e.number(-1, p)
	}
	rest := e.rest(p)
	slope := mul(mul(mul(e.number(gamma, p), p), pow(rest, e.number(gamma-1, p))), log(p))
	slope = sub(slope, pow(rest, e.number(gamma, p)))
	slope = choose(greaterOrEqual(p, e.number(1, p)), e.number(0, p), slope)
	return choose(compare(p, e.number(0, p), types.CompareLE), e.number(-1, p), slope)
}

// bceLoss: -(y'·log p + (1-y')·log(1-p)) = max(z, 0) - z·y' + log(1 + exp(-|z|)).
func (e *emitter) bceLoss(op *engine.Op, in []value) []value {
	z := f32(in[0])
	part := sub(maximum(z, e.number(0, z)), mul(z, e.wanted(op, in[1])))
	part = add(part, check(stablehlo.LogPlusOne(exp(neg(abs(z))))))
	sum := e.total(mul(part, e.weights(op, z)))
	return []value{div(sum, e.number(float64(op.In[0].Size()), sum)), check(stablehlo.Logistic(z))}
}

// update are the operators of the update phase, in float32.
func (e *emitter) update(op *engine.Op, in []value) []value {
	switch op.Kind {
	case engine.GradNorm:
		return e.gradNorm(op, in)
	case engine.SGD:
		return e.sgd(op, in)
	case engine.Adam:
		return e.adam(op, in)
	case engine.Lerp:
		a := op.Attr.(engine.Blend)
		s := op.Out[0]
		rate := e.scalar(in[0].Shape().DType, a.Rate)
		if len(in) > 2 {
			rate = in[2]
		}
		b := f32(in[1])
		d := sub(mul(b, e.number(a.Factor, b)), in[0])
		return []value{add(in[0], mul(e.spread(rate, s), d))}
	}
	return nil
}

func (e *emitter) gradNorm(op *engine.Op, in []value) []value {
	var sum value
	for _, g := range in {
		g = f32(g)
		if t := e.total(mul(g, g)); sum == nil {
			sum = t
		} else {
			sum = add(sum, t)
		}
	}
	norm := sqrt(sum)
	one := e.number(1, norm)
	if most := op.Attr.(engine.Factor).Value; most > 0 {
		return []value{minimum(one, div(e.number(most, norm), norm)), norm}
	}
	return []value{one, norm}
}

// gradient is a gradient after clipping, and w's share of the decay if it goes through the gradient.
func (e *emitter) gradient(g, w value, clip []value, decay float64) value {
	g = f32(g)
	if len(clip) > 0 {
		g = mul(g, e.spread(clip[0], dims(g)))
	}
	if decay != 0 {
		g = add(g, mul(w, e.number(decay, w)))
	}
	return g
}

// rate is the learning rate times the parameter's share.
func (e *emitter) rate(lr value, share float64, s engine.Shape) value {
	return e.spread(mul(lr, e.number(share, lr)), s)
}

func (e *emitter) sgd(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.UpdateRule)
	w := in[0]
	d := e.gradient(in[1], w, in[4:], a.Decay)
	velocity := add(mul(in[2], e.number(a.Momentum, w)), d)
	step := velocity
	if a.Nesterov {
		step = add(d, mul(velocity, e.number(a.Momentum, w)))
	}
	return []value{sub(w, mul(e.rate(in[3], a.Rate, op.Out[0]), step)), velocity}
}

func (e *emitter) adam(op *engine.Op, in []value) []value {
	a := op.Attr.(engine.UpdateRule)
	through, beside := a.Decay, 0.0
	if a.Decoupled {
		through, beside = beside, through
	}
	w, s := in[0], op.Out[0]
	d := e.gradient(in[1], w, in[7:], through)
	m := add(mul(in[2], e.number(a.Beta1, w)), mul(d, e.number(1-a.Beta1, w)))
	v := add(mul(in[3], e.number(a.Beta2, w)), mul(mul(d, d), e.number(1-a.Beta2, w)))
	root := add(sqrt(mul(v, e.spread(in[6], s))), e.number(a.Eps, w))
	step := div(mul(m, e.spread(in[5], s)), root)
	rate := e.rate(in[4], a.Rate, s)
	next := sub(w, mul(rate, step))
	if beside != 0 {
		next = sub(next, mul(rate, mul(w, e.number(beside, w))))
	}
	return []value{next, m, v}
}
