package ref

import (
	"math"

	"gleaner/train/engine"
)

func updateKernel[T Float](op *engine.Op) kernel[T] {
	switch op.Kind {
	case engine.GradNorm:
		return gradNorm[T](op)
	case engine.SGD:
		return sgd[T](op)
	case engine.Adam:
		return adam[T](op)
	case engine.Lerp:
		return lerp[T](op)
	}
	return nil
}

func gradNorm[T Float](op *engine.Op) kernel[T] {
	most := op.Attr.(engine.Factor).Value
	return func(in, out [][]T) {
		sum := 0.0
		for _, g := range in {
			for _, v := range g {
				sum += float64(v) * float64(v)
			}
		}
		norm, clip := math.Sqrt(sum), 1.0
		if most > 0 {
			clip = min(1, most/norm)
		}
		out[0][0], out[1][0] = T(clip), T(norm)
	}
}

// optional is the scalar input i, 1 if there is none.
func optional[T Float](in [][]T, i int) T {
	if i < len(in) {
		return in[i][0]
	}
	return 1
}

func sgd[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.UpdateRule)
	decay, momentum := T(a.Decay), T(a.Momentum)
	return func(in, out [][]T) {
		w, g, v := in[0], in[1], in[2]
		rate, clip := in[3][0]*T(a.Rate), optional(in, 4)
		for i := range w {
			d := g[i]*clip + decay*w[i]
			step := momentum*v[i] + d
			out[1][i] = step
			if a.Nesterov {
				step = d + momentum*step
			}
			out[0][i] = w[i] - rate*step
		}
	}
}

func adam[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.UpdateRule)
	through, beside := T(a.Decay), T(0)
	if a.Decoupled {
		through, beside = beside, through
	}
	b1, c1, b2, c2, eps := T(a.Beta1), T(1-a.Beta1), T(a.Beta2), T(1-a.Beta2), a.Eps
	return func(in, out [][]T) {
		w, g, m, v := in[0], in[1], in[2], in[3]
		rate, corr1, corr2, clip := in[4][0]*T(a.Rate), in[5][0], in[6][0], optional(in, 7)
		for i := range w {
			d := g[i]*clip + through*w[i]
			mean, square := b1*m[i]+c1*d, b2*v[i]+c2*d*d
			out[1][i], out[2][i] = mean, square
			step := mean * corr1 / T(math.Sqrt(float64(square*corr2))+eps)
			out[0][i] = w[i] - rate*step - rate*beside*w[i]
		}
	}
}

func lerp[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Blend)
	factor := T(a.Factor)
	return func(in, out [][]T) {
		rate := T(a.Rate)
		if len(in) > 2 {
			rate = in[2][0]
		}
		for i, x := range in[0] {
			out[0][i] = x + rate*(factor*in[1][i]-x)
		}
	}
}
