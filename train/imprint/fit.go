// Package imprint makes a classifier head out of class means: it shows a backbone labelled pictures, takes the mean of
// the feature vectors of each class, and imprints the means as the weights of the last layer (Qi, Brown and Lowe,
// "Low-Shot Learning with Imprinted Weights", 2018). The means are seen through the spread that all classes share, as
// Fisher's linear discriminant does. No gradient is computed here; networks that are trained are in train itself.
package imprint

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Options says how means become weights.
type Options struct {
	// Shrink is how much of the shared covariance is replaced by a ball of the same size, above 0 and at most 1. 1 is
	// the plain nearest class mean; small values follow the data closely and need many pictures. 0: the best of a few,
	// by the likelihood of the held-out pictures.
	Shrink float64 `yaml:"shrink"`
	// HeldOut is the share of the pictures that no mean sees, at least one where a class has one to spare; they choose Shrink and
	// the temperature. 0 to 0.5; with 0, Shrink must be given and the temperature stays 1. Where no class has one to spare, Shrink
	// is 1 unless it is given, and the temperature 1.
	HeldOut float64 `yaml:"held_out"`
	// Uniform takes all classes to be equally frequent, whatever their shares among the pictures.
	Uniform bool `yaml:"uniform"`
	// Seed decides which pictures are held out.
	Seed uint64 `yaml:"seed"`
}

// DefaultOptions holds a tenth out and lets it choose.
func DefaultOptions() Options { return Options{HeldOut: 0.1, Uniform: true, Seed: 1} }

// shrinks are the values that are tried for Options.Shrink, the most cautious first: of those that are equally likely it is taken.
var shrinks = []float64{1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001}

// Fit makes a softmax head for n classes out of feature vectors of one length and their labels, 0 to n-1. w has n rows
// of that length and b n biases: the logits are w·x+b. With the class means m, the shared covariance S after shrinking
// and the class shares p it is w = S⁻¹m, b = -½ m·S⁻¹m + log p (Hastie, Tibshirani and Friedman, "The Elements of
// Statistical Learning", 4.3), all divided by a temperature that is fitted on the held-out pictures, so that the
// probabilities are honest (Guo et al. 2017). Every class needs a picture that is not held out.
func Fit(features [][]float32, labels []int, n int, o Options) (w [][]float32, b []float32, err error) {
	if err := checkFit(features, labels, n, o); err != nil {
		return nil, nil, fmt.Errorf("imprint: %w", err)
	}
	in, out := split(labels, o)
	m, err := measure(features, labels, in, n)
	if err != nil {
		return nil, nil, fmt.Errorf("imprint: %w", err)
	}
	try := shrinks
	switch {
	case o.Shrink > 0:
		try = []float64{o.Shrink}
	case len(out) == 0: // nothing can choose
		try = shrinks[:1]
	}
	best := math.Inf(1)
	for _, s := range try {
		h, err := m.solve(s, o.Uniform)
		if err != nil {
			return nil, nil, fmt.Errorf("imprint: shrink %v: %w", s, err)
		}
		if len(out) == 0 {
			w, b = h.rows(1)
			break
		}
		logits := h.logits(features, out)
		t, loss := temperature(logits, labels, out)
		if loss < best {
			best = loss
			w, b = h.rows(max(t, leastTemperature(len(out))))
		}
	}
	if w == nil {
		return nil, nil, errors.New("imprint: no head has a finite likelihood; are the features finite?")
	}
	return w, b, nil
}

func checkFit(features [][]float32, labels []int, n int, o Options) error {
	switch {
	case len(features) == 0 || len(features) != len(labels):
		return fmt.Errorf("%d feature vectors and %d labels", len(features), len(labels))
	case n < 2:
		return fmt.Errorf("%d classes, at least two are needed", n)
	case !(o.Shrink >= 0 && o.Shrink <= 1) || !(o.HeldOut >= 0 && o.HeldOut <= 0.5):
		return fmt.Errorf("shrink %v is not in 0 to 1, or held_out %v not in 0 to 0.5", o.Shrink, o.HeldOut)
	case o.Shrink == 0 && o.HeldOut == 0:
		return errors.New("without held-out pictures shrink must be given")
	}
	for i, f := range features {
		if len(f) != len(features[0]) || len(f) == 0 {
			return fmt.Errorf("feature vector %d has %d numbers, the first has %d", i, len(f), len(features[0]))
		}
		if labels[i] < 0 || labels[i] >= n {
			return fmt.Errorf("label %d of picture %d is not in 0 to %d", labels[i], i, n-1)
		}
	}
	return nil
}

// split deals the pictures into those that are measured and those that are held out. Of fewer than a share makes one picture of, the
// first of a class that has a further one is held out.
func split(labels []int, o Options) (in, out []int) {
	p := rand.New(rand.NewPCG(o.Seed, 0x1f)).Perm(len(labels))
	k := int(float64(len(labels)) * o.HeldOut)
	if k == 0 && o.HeldOut > 0 {
		of := map[int]int{}
		for _, l := range labels {
			of[l]++
		}
		if at := slices.IndexFunc(p, func(i int) bool { return of[labels[i]] > 1 }); at >= 0 {
			p[0], p[at] = p[at], p[0]
			k = 1
		}
	}
	return p[k:], p[:k]
}

// leastTemperature is that of a head whose temperature was fitted on n pictures: a handful of right answers would make it as sure as it
// can be.
func leastTemperature(n int) float64 {
	if n < 10 {
		return 1
	}
	return 0
}

// measured are the class means and the spread around them: the covariance of the features, or, with fewer pictures
// than features, the pictures themselves, which is the smaller of the two.
type measured struct {
	d, n   int
	means  *mat.Dense // n×d
	count  []float64
	shared *mat.SymDense // d×d; nil with few pictures
	x      *mat.Dense    // pictures×d, less their class mean, times scale; nil with many pictures
	gram   *mat.SymDense // x·xᵀ
	ball   float64       // mean variance of a feature
}

// batch is how many vectors are multiplied at a time.
const batch = 512

func measure(features [][]float32, labels, in []int, n int) (*measured, error) {
	d := len(features[0])
	m := &measured{d: d, n: n, means: mat.NewDense(n, d, nil), count: make([]float64, n)}
	for _, i := range in {
		row := m.means.RawRowView(labels[i])
		m.count[labels[i]]++
		for k, v := range features[i] {
			row[k] += float64(v)
		}
	}
	for c := range n {
		if m.count[c] == 0 {
			return nil, fmt.Errorf("class %d has no picture", c)
		}
		row := m.means.RawRowView(c)
		for k := range row {
			row[k] /= m.count[c]
		}
	}
	// Rows scaled so that the sum of their outer products is the covariance.
	scale := 1 / math.Sqrt(float64(max(1, len(in)-n)))
	fill := func(dst []float64, i int) {
		mean := m.means.RawRowView(labels[i])
		for k, v := range features[i] {
			dst[k] = (float64(v) - mean[k]) * scale
		}
	}
	if len(in) < d {
		m.few(in, fill)
	} else {
		m.many(in, fill)
	}
	if !(m.ball > 0) {
		m.ball = 1 // all pictures of a class are the same
	}
	return m, nil
}

func (m *measured) few(in []int, fill func(dst []float64, i int)) {
	m.x = mat.NewDense(len(in), m.d, nil)
	for r, i := range in {
		fill(m.x.RawRowView(r), i)
	}
	m.gram = mat.NewSymDense(len(in), nil)
	m.gram.SymOuterK(1, m.x)
	m.ball = mat.Trace(m.gram) / float64(m.d)
}

func (m *measured) many(in []int, fill func(dst []float64, i int)) {
	s := blas64.Symmetric{N: m.d, Stride: m.d, Data: make([]float64, m.d*m.d), Uplo: blas.Upper}
	x := blas64.General{Rows: batch, Cols: m.d, Stride: m.d, Data: make([]float64, batch*m.d)}
	for from := 0; from < len(in); from += batch {
		part := in[from:min(from+batch, len(in))]
		x.Rows = len(part)
		for r, i := range part {
			fill(x.Data[r*m.d:(r+1)*m.d], i)
		}
		blas64.Syrk(blas.Trans, 1, x, 1, s)
	}
	m.shared = mat.NewSymDense(m.d, s.Data)
	m.ball = mat.Trace(m.shared) / float64(m.d)
}

// head is a linear classifier in double precision.
type head struct {
	w *mat.Dense // n×d
	b []float64
}

// weights is S⁻¹m for every class, S being the covariance with a part of it replaced by a ball.
func (m *measured) weights(shrink float64) (*mat.Dense, error) {
	if m.x != nil && shrink < 1 {
		return m.weightsFew(shrink)
	}
	if m.x != nil {
		var w mat.Dense
		w.Scale(1/m.ball, m.means)
		return &w, nil
	}
	s := mat.NewSymDense(m.d, nil)
	s.ScaleSym(1-shrink, m.shared)
	for i := range m.d {
		s.SetSym(i, i, s.At(i, i)+shrink*m.ball)
	}
	wt, err := solveSym(s, m.means.T())
	if err != nil {
		return nil, err
	}
	return mat.DenseCopyOf(wt.T()), nil
}

// weightsFew is the same by way of the pictures (the Woodbury identity): with e = shrink·ball and f = 1-shrink,
// S⁻¹ = (1 - xᵀ(e/f + x·xᵀ)⁻¹x) / e.
func (m *measured) weightsFew(shrink float64) (*mat.Dense, error) {
	e := shrink * m.ball
	g := mat.NewSymDense(m.gram.SymmetricDim(), nil)
	g.CopySym(m.gram)
	for i := range g.SymmetricDim() {
		g.SetSym(i, i, g.At(i, i)+e/(1-shrink))
	}
	var xm, w mat.Dense
	xm.Mul(m.x, m.means.T())
	z, err := solveSym(g, &xm)
	if err != nil {
		return nil, err
	}
	w.Mul(z.T(), m.x)
	w.Sub(m.means, &w)
	w.Scale(1/e, &w)
	return &w, nil
}

func solveSym(s *mat.SymDense, b mat.Matrix) (*mat.Dense, error) {
	var ch mat.Cholesky
	if !ch.Factorize(s) {
		return nil, errors.New("the shared covariance cannot be inverted")
	}
	var out mat.Dense
	if err := ch.SolveTo(&out, b); err != nil {
		var bad mat.Condition
		if !errors.As(err, &bad) { // a poor condition shows on the held-out pictures
			return nil, err
		}
	}
	return &out, nil
}

// solve makes the discriminant for one amount of shrinking.
func (m *measured) solve(shrink float64, uniform bool) (*head, error) {
	w, err := m.weights(shrink)
	if err != nil {
		return nil, err
	}
	h := &head{w: w, b: make([]float64, m.n)}
	total := 0.0
	for _, c := range m.count {
		total += c
	}
	for c := range m.n {
		h.b[c] = -0.5 * mat.Dot(h.w.RowView(c), m.means.RowView(c))
		if !uniform {
			h.b[c] += math.Log(m.count[c] / total)
		}
	}
	h.centre()
	return h, nil
}

// centre takes the mean over the classes off weights and biases: softmax does not see it, and float32 keeps more of
// what is left.
func (h *head) centre() {
	n, d := h.w.Dims()
	mean, mb := make([]float64, d), 0.0
	for c := range n {
		for k, v := range h.w.RawRowView(c) {
			mean[k] += v / float64(n)
		}
		mb += h.b[c] / float64(n)
	}
	for c := range n {
		row := h.w.RawRowView(c)
		for k := range row {
			row[k] -= mean[k]
		}
		h.b[c] -= mb
	}
}

func (h *head) logits(features [][]float32, which []int) [][]float64 {
	out := make([][]float64, len(which))
	for i, f := range which {
		out[i] = make([]float64, len(h.b))
		for c := range out[i] {
			sum := h.b[c]
			for k, v := range h.w.RawRowView(c) {
				sum += v * float64(features[f][k])
			}
			out[i][c] = sum
		}
	}
	return out
}

// rows are weights and biases divided by the temperature.
func (h *head) rows(t float64) (w [][]float32, b []float32) {
	n, d := h.w.Dims()
	for c := range n {
		row := make([]float32, d)
		for k, v := range h.w.RawRowView(c) {
			row[k] = float32(v / t)
		}
		w, b = append(w, row), append(b, float32(h.b[c]/t))
	}
	return w, b
}

// temperature finds the divisor of the logits with the best mean likelihood, by golden-section search of its
// logarithm, and returns it with the mean negative log-likelihood.
func temperature(logits [][]float64, labels, which []int) (t, loss float64) {
	nll := func(logT float64) float64 {
		t, sum := math.Exp(logT), 0.0
		for i, l := range logits {
			top, z := math.Inf(-1), 0.0
			for _, v := range l {
				top = max(top, v/t)
			}
			for _, v := range l {
				z += math.Exp(v/t - top)
			}
			sum += top + math.Log(z) - l[labels[which[i]]]/t
		}
		return sum / float64(len(logits))
	}
	const phi = 0.6180339887498949
	lo, hi := math.Log(0.02), math.Log(200)
	for range 50 {
		a, b := hi-phi*(hi-lo), lo+phi*(hi-lo)
		if nll(a) < nll(b) {
			hi = b
		} else {
			lo = a
		}
	}
	x := (lo + hi) / 2
	return math.Exp(x), nll(x)
}

// Score is the share of feature vectors for which the head's largest logit is the label.
func Score(features [][]float32, labels []int, w [][]float32, b []float32) float64 {
	right := 0
	for i, f := range features {
		best, at := math.Inf(-1), -1
		for c := range w {
			sum := float64(b[c])
			for k, v := range w[c] {
				sum += float64(v) * float64(f[k])
			}
			if sum > best {
				best, at = sum, c
			}
		}
		if at == labels[i] {
			right++
		}
	}
	return float64(right) / float64(max(1, len(features)))
}
