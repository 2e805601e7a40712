package ref

import (
	"math"

	"gleaner/train/engine"
)

func batchNorm[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Norm)
	m, c := last(op.In[0])
	mean, square := make([]float64, c), make([]float64, c)
	scale, shift := make([]T, c), make([]T, c)
	return func(in, out [][]T) {
		x, y := in[0], out[0]
		columnSums(mean, x)
		for k := range mean {
			mean[k] /= float64(m)
		}
		clear(square)
		for i := 0; i < len(x); i += c {
			for k, v := range x[i : i+c] {
				d := float64(v) - mean[k]
				square[k] += d * d
			}
		}
		for k := range mean {
			variance := square[k] / float64(m)
			s := float64(in[1][k]) / math.Sqrt(variance+a.Eps)
			scale[k], shift[k] = T(s), T(float64(in[2][k])-mean[k]*s)
			out[1][k], out[2][k] = T(mean[k]), T(variance)
		}
		scaleRows(y, x, scale, shift)
		activate(a.Act, y)
	}
}

// scaleRows is y = x·scale + shift, a number of each per channel.
func scaleRows[T Float](y, x, scale, shift []T) {
	c := len(scale)
	for i := 0; i < len(x); i += c {
		row := y[i : i+c]
		for k, v := range x[i : i+c] {
			row[k] = v*scale[k] + shift[k]
		}
	}
}

// batchNormDX: with x̂ = (x-μ)/sqrt(σ²+ε) and M numbers per channel, dγ = Σ dy·x̂, dβ = Σ dy and
// dx = γ/sqrt(σ²+ε)·(dy - dβ/M - x̂·dγ/M) (Ioffe and Szegedy 2015, section 3).
func batchNormDX[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Norm)
	m, c := last(op.In[0])
	inverse := make([]float64, c)
	dgamma, dbeta := make([]float64, c), make([]float64, c)
	return func(in, out [][]T) {
		x, gamma, mean, variance, dy, dx := in[0], in[1], in[2], in[3], in[4], out[0]
		y := x
		if a.Act != engine.NoAct {
			y = in[5]
		}
		for k := range c {
			inverse[k] = 1 / math.Sqrt(float64(variance[k])+a.Eps)
		}
		clear(dgamma)
		clear(dbeta)
		for i := 0; i < len(x); i += c {
			for k := range c {
				if passes(a.Act, y[i+k]) {
					d := float64(dy[i+k])
					dbeta[k] += d
					dgamma[k] += d * (float64(x[i+k]) - float64(mean[k])) * inverse[k]
				}
			}
		}
		for i := 0; i < len(x); i += c {
			for k := range c {
				d := 0.0
				if passes(a.Act, y[i+k]) {
					d = float64(dy[i+k])
				}
				hat := (float64(x[i+k]) - float64(mean[k])) * inverse[k]
				dx[i+k] = T(float64(gamma[k]) * inverse[k] * (d - (dbeta[k]+hat*dgamma[k])/float64(m)))
			}
		}
		convert(out[1], dgamma)
		convert(out[2], dbeta)
	}
}

func normInfer[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Norm)
	_, c := last(op.In[0])
	scale, shift := make([]T, c), make([]T, c)
	return func(in, out [][]T) {
		for k := range c {
			s := float64(in[1][k]) / math.Sqrt(float64(in[4][k])+a.Eps)
			scale[k], shift[k] = T(s), T(float64(in[2][k])-float64(in[3][k])*s)
		}
		scaleRows(out[0], in[0], scale, shift)
		activate(a.Act, out[0])
	}
}

func normInferDX[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Norm)
	_, c := last(op.In[0])
	scale, shift := make([]T, c), make([]T, c) // shift stays 0
	return func(in, out [][]T) {
		for k := range c {
			scale[k] = T(float64(in[1][k]) / math.Sqrt(float64(in[2][k])+a.Eps))
		}
		scaleRows(out[0], in[0], scale, shift)
	}
}

func normInferDP[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Norm)
	_, c := last(op.In[0])
	dgamma, dbeta := make([]float64, c), make([]float64, c)
	return func(in, out [][]T) {
		x, dy, mean, variance := in[0], in[1], in[2], in[3]
		columnSums(dbeta, dy)
		clear(dgamma)
		for i := 0; i < len(x); i += c {
			for k, d := range dy[i : i+c] {
				dgamma[k] += float64(d) * (float64(x[i+k]) - float64(mean[k]))
			}
		}
		for k := range c {
			dgamma[k] /= math.Sqrt(float64(variance[k]) + a.Eps)
		}
		convert(out[0], dgamma)
		convert(out[1], dbeta)
	}
}
