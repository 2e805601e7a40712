package linear

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// ridge is one problem of kernel ridge regression.
type ridge struct {
	q       *Quadratic
	labels  []int
	classes int
	weights []float64
	decay   float64
	mean    []float64 // answer to an example that is like no landmark
}

func (p *ridge) weight(i int) float64 {
	if p.weights == nil {
		return 1
	}
	return p.weights[i]
}

// shares finds the classes' shares in the examples whose label is known, as they weigh.
func (p *ridge) shares() error {
	all := 0.0
	p.mean = make([]float64, p.classes)
	for i, l := range p.labels {
		if l >= p.classes {
			return fmt.Errorf("label %d of %d classes", l, p.classes)
		}
		if l >= 0 {
			p.mean[l] += p.weight(i)
			all += p.weight(i)
		}
	}
	if all <= 0 {
		return errors.New("there are no labels to learn from")
	}
	for c := range p.mean {
		p.mean[c] /= all
	}
	return nil
}

// solve finds the landmarks' coefficients [m classes] by some of the examples. Where all examples are landmarks, those of the others
// are 0.
func (p *ridge) solve(rows []int) (*mat.Dense, error) {
	n, _ := p.q.z.Dims()
	m := len(p.q.at)
	self := p.q.likeness(p.q.at)
	size := mat.Trace(self) / float64(m)
	if n == m {
		return p.exact(self, rows, size)
	}
	left, right := mat.NewSymDense(m, nil), mat.NewDense(m, p.classes, nil)
	for i := range m {
		for j := i; j < m; j++ {
			left.SetSym(i, j, p.decay*self.At(i, j)/size)
		}
		left.SetSym(i, i, left.At(i, i)+1e-9*float64(n)) // two equal landmarks do no harm
	}
	chunks(rows, func(part []int) {
		like, y := p.q.likeness(part), mat.NewDense(len(part), p.classes, nil)
		for r, i := range part {
			root := math.Sqrt(p.weight(i))
			for j, v := range like.RawRowView(r) {
				like.Set(r, j, v*root/size)
			}
			p.target(y.RawRowView(r), i, root)
		}
		left.SymRankK(left, 1, like.T())
		var more mat.Dense
		more.Mul(like.T(), y)
		right.Add(right, &more)
	})
	return p.answer(left, right, size)
}

// exact is solve with all examples as landmarks, in the dual: (√W K √W + decay)·b = √W Y, and √W b are the coefficients.
func (p *ridge) exact(like *mat.Dense, rows []int, size float64) (*mat.Dense, error) {
	left, right := mat.NewSymDense(len(rows), nil), mat.NewDense(len(rows), p.classes, nil)
	for r, i := range rows {
		root := math.Sqrt(p.weight(i))
		for s := r; s < len(rows); s++ {
			left.SetSym(r, s, root*math.Sqrt(p.weight(rows[s]))*like.At(i, rows[s])/size)
		}
		left.SetSym(r, r, left.At(r, r)+p.decay)
		p.target(right.RawRowView(r), i, root)
	}
	b, err := p.answer(left, right, size)
	if err != nil {
		return nil, err
	}
	a := mat.NewDense(len(p.q.at), p.classes, nil)
	for r, i := range rows {
		for c := range p.classes {
			a.Set(i, c, b.At(r, c)*math.Sqrt(p.weight(i)))
		}
	}
	return a, nil
}

// target is what an example's answers should be beyond the mean, times a factor.
func (p *ridge) target(to []float64, i int, factor float64) {
	for c := range to {
		to[c] = -p.mean[c] * factor
	}
	to[p.labels[i]] += factor
}

func (p *ridge) answer(left *mat.SymDense, right *mat.Dense, size float64) (*mat.Dense, error) {
	var c mat.Cholesky
	if !c.Factorize(left) {
		return nil, errNotPositive
	}
	var a mat.Dense
	if err := c.SolveTo(&a, right); err != nil && !errors.As(err, new(mat.Condition)) {
		return nil, err
	}
	a.Scale(1/size, &a)
	return &a, nil
}

// sureness is the factor at which softmax(factor·answer) has the least cross-entropy on examples, whose answers come of coefficients
// that have not seen them: by golden sections of its logarithm (Kiefer, "Sequential Minimax Search for a Maximum", 1953), as the loss
// has one minimum.
func (p *ridge) sureness(rows []int, a *mat.Dense) float64 {
	var answers mat.Dense
	answers.Mul(p.q.likeness(rows), a)
	zero, z := make([]float64, p.classes), make([]float64, p.classes)
	loss := func(log float64) (sum float64) {
		for r, i := range rows {
			for c := range z {
				z[c] = math.Exp(log) * (answers.At(r, c) + p.mean[c])
			}
			right := z[p.labels[i]]
			sum += p.weight(i) * (softmax(z, zero) - right)
		}
		return sum
	}
	low, high := math.Log(0.5), math.Log(50)
	golden := (math.Sqrt(5) - 1) / 2
	for range 30 {
		if x, y := high-golden*(high-low), low+golden*(high-low); loss(x) < loss(y) {
			high = y
		} else {
			low = x
		}
	}
	return math.Exp((low + high) / 2)
}
