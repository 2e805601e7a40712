// Package linear is quick, convex classifiers on feature vectors: multinomial logistic regression, which frozen features are judged
// by; one that is linear in the features and their products; and least squares without one part of the examples after the other, which
// label errors are found with. Networks are in train/net, and how these become their heads in train/probe.
package linear

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Model is a fitted classifier: features are standardised, then softmax(W·x + b).
type Model struct {
	mean, scale []float64
	w           *mat.Dense // [K D]
	b           []float64  // [K]
}

// Options say how it is fitted.
type Options struct {
	// Decay is λ of λ/2·‖W‖² beside the mean loss; 0 means 0.01, which suits some thousands of features on as many pictures.
	Decay float64
	// Iterations bounds the steps of L-BFGS; 0 means 100.
	Iterations int
	// Weights weigh each example's loss; nil: all 1.
	Weights []float64
}

// Fit minimises the mean cross-entropy of n feature vectors of one length against labels, 0 to k-1, with L-BFGS (Nocedal 1980).
func Fit(features [][]float32, labels []int, k int, o Options) (*Model, error) {
	if len(features) == 0 || len(features) != len(labels) || k < 2 {
		return nil, fmt.Errorf("fit on %d feature vectors, %d labels and %d classes", len(features), len(labels), k)
	}
	if o.Decay == 0 {
		o.Decay = 0.01
	}
	if o.Iterations == 0 {
		o.Iterations = 100
	}
	m := &Model{}
	if err := m.standardise(features); err != nil {
		return nil, err
	}
	x := m.matrix(features)
	p := newProblem(x, labels, k, o.Decay, o.Weights)
	_, d := x.Dims()
	settings := &optimize.Settings{MajorIterations: o.Iterations, GradientThreshold: 1e-5, Concurrent: 1}
	r, err := optimize.Minimize(optimize.Problem{Func: p.loss, Grad: p.gradient}, make([]float64, k*d+k), settings, &optimize.LBFGS{})
	// A line search that cannot improve on rounding has found the minimum.
	if r == nil || err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) && !errors.Is(err, optimize.ErrNoProgress) {
		return nil, fmt.Errorf("fit a linear classifier: %w", err)
	}
	m.w, m.b = mat.NewDense(k, d, r.X[:k*d]), r.X[k*d:]
	return m, nil
}

// standardise finds each feature's mean and spread. Features that never change get no weight.
func (m *Model) standardise(features [][]float32) error {
	d := len(features[0])
	m.mean, m.scale = make([]float64, d), make([]float64, d)
	for i, f := range features {
		if len(f) != d {
			return fmt.Errorf("feature vector %d has %d numbers, the first has %d", i, len(f), d)
		}
		for j, v := range f {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("feature %d of vector %d is %g", j, i, v)
			}
			m.mean[j] += float64(v) / float64(len(features))
		}
	}
	for _, f := range features {
		for j, v := range f {
			e := float64(v) - m.mean[j]
			m.scale[j] += e * e / float64(len(features))
		}
	}
	for j, v := range m.scale {
		m.scale[j] = 0
		if v > 1e-12 {
			m.scale[j] = 1 / math.Sqrt(v*float64(d)) // so that a vector's length is about 1
		}
	}
	return nil
}

func (m *Model) matrix(features [][]float32) *mat.Dense {
	x := mat.NewDense(len(features), len(m.mean), nil)
	for i, f := range features {
		row := x.RawRowView(i)
		for j, v := range f {
			row[j] = (float64(v) - m.mean[j]) * m.scale[j]
		}
	}
	return x
}

// Probabilities answers feature vectors: K probabilities each.
func (m *Model) Probabilities(features [][]float32) [][]float32 {
	var z mat.Dense
	z.Mul(m.matrix(features), m.w.T())
	out := make([][]float32, len(features))
	for i := range out {
		row := z.RawRowView(i)
		softmax(row, m.b)
		out[i] = make([]float32, len(row))
		for k, v := range row {
			out[i][k] = float32(v)
		}
	}
	return out
}

// softmax turns logits less their bias into probabilities and returns log Σ exp.
func softmax(z, b []float64) float64 {
	top := math.Inf(-1)
	for k := range z {
		z[k] += b[k]
		top = max(top, z[k])
	}
	sum := 0.0
	for k := range z {
		z[k] = math.Exp(z[k] - top)
		sum += z[k]
	}
	for k := range z {
		z[k] /= sum
	}
	return top + math.Log(sum)
}

// problem is the loss and its gradient by [W; b].
type problem struct {
	x       *mat.Dense
	labels  []int
	k       int
	decay   float64
	weights []float64
	z, gw   *mat.Dense
	last    []float64 // where z is the probabilities at; the minimiser asks for loss and gradient at one point
	value   float64   // the loss there
}

func newProblem(x *mat.Dense, labels []int, k int, decay float64, weights []float64) *problem {
	n, d := x.Dims()
	return &problem{x: x, labels: labels, k: k, decay: decay, weights: weights, z: mat.NewDense(n, k, nil), gw: mat.NewDense(k, d, nil)}
}

// forward fills z with probabilities and returns the loss.
func (p *problem) forward(at []float64) (loss float64) {
	n, d := p.x.Dims()
	w, b := mat.NewDense(p.k, d, at[:p.k*d]), at[p.k*d:]
	p.z.Mul(p.x, w.T())
	for i := range n {
		row := p.z.RawRowView(i)
		logit := row[p.labels[i]] + b[p.labels[i]]
		loss += p.weight(i) * (softmax(row, b) - logit) / float64(n)
	}
	for _, v := range at[:p.k*d] {
		loss += p.decay / float64(d) * v * v / 2
	}
	return loss
}

func (p *problem) weight(i int) float64 {
	if p.weights == nil {
		return 1
	}
	return p.weights[i]
}

func (p *problem) loss(at []float64) float64 {
	if p.last == nil || !slices.Equal(p.last, at) {
		p.value = p.forward(at)
		p.last = append(p.last[:0], at...)
	}
	return p.value
}

func (p *problem) gradient(to, at []float64) {
	p.loss(at)
	p.last = p.last[:0] // z becomes its gradient
	n, d := p.x.Dims()
	gb := to[p.k*d:]
	clear(gb)
	for i := range n {
		row := p.z.RawRowView(i)
		row[p.labels[i]]--
		for k := range row {
			row[k] *= p.weight(i) / float64(n)
			gb[k] += row[k]
		}
	}
	p.gw.Mul(p.z.T(), p.x)
	copy(to, p.gw.RawMatrix().Data)
	for j, v := range at[:p.k*d] {
		to[j] += p.decay / float64(d) * v
	}
}
