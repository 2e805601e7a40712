package ref

import (
	"math"

	"gleaner/train/engine"
)

func lossKernel[T Float](op *engine.Op) kernel[T] {
	switch op.Kind {
	case engine.Softmax:
		_, k := last(op.In[0])
		return func(in, out [][]T) {
			for i := 0; i < len(in[0]); i += k {
				softmax(out[0][i:i+k], in[0][i:i+k])
			}
		}
	case engine.SoftmaxLoss:
		return softmaxLoss[T](op)
	case engine.SoftmaxLossDZ:
		return softmaxLossDZ[T](op)
	case engine.BCELoss:
		return bceLoss[T](op)
	case engine.BCELossDZ:
		return bceLossDZ[T](op)
	case engine.L2:
		return l2[T](op)
	case engine.L2DW:
		return l2DW[T](op)
	}
	return nil
}

// softmax writes exp(z)/Σ exp(z) over z or elsewhere and returns log Σ exp(z), of which log p = z - log Σ exp(z) follows
// without the loss of small p.
func softmax[T Float](p, z []T) (logSum float64) {
	top := z[0]
	for _, v := range z {
		top = max(top, v)
	}
	for _, v := range z {
		logSum += math.Exp(float64(v - top))
	}
	logSum = math.Log(logSum) + float64(top)
	for k, v := range z {
		p[k] = T(math.Exp(float64(v) - logSum))
	}
	return logSum
}

// rule is a loss with its defaults filled in.
type rule struct {
	engine.Loss
	k int
}

func newRule(op *engine.Op) rule {
	_, k := last(op.In[0])
	return rule{op.Attr.(engine.Loss), k}
}

func (r rule) weight(k int) float64 {
	if r.Weights == nil {
		return 1
	}
	return float64(r.Weights[k])
}

// smooth is the wanted share y'.
func (r rule) smooth(y float64) float64 { return (1-r.Smoothing)*y + r.Smoothing/float64(r.k) }

func softmaxLoss[T Float](op *engine.Op) kernel[T] {
	r := newRule(op)
	n := op.In[0][0]
	return func(in, out [][]T) {
		sum := 0.0
		for i := 0; i < len(in[0]); i += r.k {
			z, p := in[0][i:i+r.k], out[1][i:i+r.k]
			logSum := softmax(p, z)
			for k := range z {
				part := r.weight(k) * r.smooth(float64(in[1][i+k])) * (logSum - float64(z[k]))
				if r.Gamma != 0 {
					part *= math.Pow(1-float64(p[k]), r.Gamma)
				}
				sum += part
			}
		}
		out[0][0] = T(sum / float64(n))
	}
}

// softmaxLossDZ: with a_k = w_k·y'_k·p_k·f'(p_k), the gradient of a row is (a_k - p_k·Σ a_j)/N·dloss.
func softmaxLossDZ[T Float](op *engine.Op) kernel[T] {
	r := newRule(op)
	n := op.In[0][0]
	a := make([]float64, r.k)
	return func(in, out [][]T) {
		scale := float64(in[2][0]) / float64(n)
		for i := 0; i < len(in[0]); i += r.k {
			sum := 0.0
			for k := range a {
				a[k] = r.weight(k) * r.smooth(float64(in[1][i+k])) * focalSlope(float64(in[0][i+k]), r.Gamma)
				sum += a[k]
			}
			for k := range a {
				out[0][i+k] = T((a[k] - float64(in[0][i+k])*sum) * scale)
			}
		}
	}
}

// focalSlope is p·f'(p) of f(p) = -(1-p)^γ·log p: γ·p·(1-p)^(γ-1)·log p - (1-p)^γ, with its limits at 0 and 1.
func focalSlope(p, gamma float64) float64 {
	switch {
	case gamma == 0 || p <= 0:
		return -1
	case p >= 1:
		return 0
	}
	return gamma*p*math.Pow(1-p, gamma-1)*math.Log(p) - math.Pow(1-p, gamma)
}

func bceLoss[T Float](op *engine.Op) kernel[T] {
	r := newRule(op)
	return func(in, out [][]T) {
		sum := 0.0
		for i, v := range in[0] {
			z := float64(v)
			// -(y'·log p + (1-y')·log(1-p)) = max(z, 0) - z·y' + log(1 + exp(-|z|))
			sum += r.weight(i%r.k) * (max(z, 0) - z*r.smooth(float64(in[1][i])) + math.Log1p(math.Exp(-math.Abs(z))))
			out[1][i] = sigmoid(v)
		}
		out[0][0] = T(sum / float64(len(in[0])))
	}
}

func bceLossDZ[T Float](op *engine.Op) kernel[T] {
	r := newRule(op)
	return func(in, out [][]T) {
		scale := float64(in[2][0]) / float64(len(in[0]))
		for i, p := range in[0] {
			out[0][i] = T(scale * r.weight(i%r.k) * (float64(p) - r.smooth(float64(in[1][i]))))
		}
	}
}

func l2[T Float](op *engine.Op) kernel[T] {
	f := op.Attr.(engine.Factor).Value
	return func(in, out [][]T) {
		sum := 0.0
		for i, w := range in[0] {
			d := float64(w)
			if len(in) > 1 {
				d -= float64(in[1][i])
			}
			sum += d * d
		}
		out[0][0] = T(f / 2 * sum)
	}
}

func l2DW[T Float](op *engine.Op) kernel[T] {
	f := T(op.Attr.(engine.Factor).Value)
	return func(in, out [][]T) {
		for i, w := range in[1] {
			if len(in) > 2 {
				w -= in[2][i]
			}
			out[0][i] = f * w * in[0][0]
		}
	}
}
