package linear

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// decays are what LeaveOut tries for λ, beside vectors of about length 1.
var decays = []float64{0.03, 0.1, 0.3, 1, 3}

// LeaveOut answers each example by regularised least squares on the examples of all folds but its own: K numbers each, about the
// probabilities of the classes, though they may lie a little outside of 0 to 1. fold is each example's fold, 0 to folds-1. The
// strength λ of the regularisation is the one whose answers are nearest to the labels, which they have not seen.
//
// Squares find wrong labels better than the logistic loss does: no example, however wrong, pulls harder than its distance, and as
// the sums over the folds are formed once, leaving one out is exact and costs little (Rifkin and Lippert, "Notes on Regularized
// Least Squares", 2007).
func LeaveOut(features [][]float32, labels []int, k int, fold []int, folds int) (answers [][]float32, decay float64, err error) {
	if len(features) == 0 || len(features) != len(labels) || len(features) != len(fold) || k < 2 || folds < 2 {
		return nil, 0, fmt.Errorf("leave out of %d feature vectors, %d labels, %d classes and %d folds", len(features), len(labels), k, folds)
	}
	s := &squares{features: features, labels: labels, k: k, in: make([][]int, folds)}
	for i, f := range fold {
		s.in[f] = append(s.in[f], i)
	}
	if err := s.m.standardise(features); err != nil {
		return nil, 0, err
	}
	s.answers = make([][][]float32, len(decays))
	for l := range decays {
		s.answers[l] = make([][]float32, len(features))
	}
	if len(features) <= s.width() {
		err = s.byExample()
	} else {
		err = s.byFeature()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("leave out: %w", err)
	}
	best := 0
	for l := range decays {
		if s.distance(l) < s.distance(best) {
			best = l
		}
	}
	return s.answers[best], decays[best], nil
}

// squares is one problem.
type squares struct {
	m        Model // what standardises
	features [][]float32
	labels   []int
	k        int
	in       [][]int       // by fold, its examples
	answers  [][][]float32 // by decay, by example
}

// width is the features and a constant.
func (s *squares) width() int { return len(s.m.mean) + 1 }

// rows are standardised feature vectors with a 1 behind them.
func (s *squares) rows(at []int) *mat.Dense {
	x := mat.NewDense(len(at), s.width(), nil)
	for r, i := range at {
		row := x.RawRowView(r)
		for j, v := range s.features[i] {
			row[j] = (float64(v) - s.m.mean[j]) * s.m.scale[j]
		}
		row[len(row)-1] = 1
	}
	return x
}

// targets are 1 for the label and 0 for the other classes.
func (s *squares) targets(at []int) *mat.Dense {
	y := mat.NewDense(len(at), s.k, nil)
	for r, i := range at {
		y.Set(r, s.labels[i], 1)
	}
	return y
}

// distance is the sum of squares between a decay's answers and the labels.
func (s *squares) distance(l int) (sum float64) {
	for i, a := range s.answers[l] {
		for c, v := range a {
			if c == s.labels[i] {
				v--
			}
			sum += float64(v) * float64(v)
		}
	}
	return sum
}

func (s *squares) set(l int, at []int, y mat.Matrix) {
	for r, i := range at {
		a := make([]float32, s.k)
		for c := range a {
			a[c] = float32(y.At(r, c))
		}
		s.answers[l][i] = a
	}
}

// byExample works with the products of all pairs of examples, where there are fewer examples than features: with the inverse
// G of XXᵀ + λ, the labels Y and G's block of a fold, the answers for the fold are Y less that block's inverse times GY.
func (s *squares) byExample() error {
	n := len(s.features)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	y := s.targets(all)
	var pairs, g mat.SymDense
	pairs.SymOuterK(1, s.rows(all))
	for l, decay := range decays {
		var c mat.Cholesky
		if !c.Factorize(plus(&pairs, decay)) {
			return errNotPositive
		}
		if err := c.InverseTo(&g); err != nil {
			return err
		}
		var gy mat.Dense
		gy.Mul(&g, y)
		for _, at := range s.in {
			if len(at) == 0 {
				continue
			}
			var block mat.SymDense
			block.SubsetSym(&g, at)
			right := mat.NewDense(len(at), s.k, nil)
			for p, i := range at {
				right.SetRow(p, gy.RawRowView(i))
			}
			if !c.Factorize(&block) {
				return errNotPositive
			}
			var answer mat.Dense
			if err := c.SolveTo(&answer, right); err != nil {
				return err
			}
			answer.Sub(s.targets(at), &answer)
			s.set(l, at, &answer)
		}
	}
	return nil
}

// byFeature works with the products of all pairs of features: the sums over all examples less those over a fold. Rows are
// standardised a thousand at a time, since all of them may not fit into memory.
func (s *squares) byFeature() error {
	d := s.width()
	all, allY := mat.NewSymDense(d, nil), mat.NewDense(d, s.k, nil)
	for _, at := range s.in {
		s.sums(at, all, allY)
	}
	for _, at := range s.in {
		fold, foldY := mat.NewSymDense(d, nil), mat.NewDense(d, s.k, nil)
		s.sums(at, fold, foldY)
		for i := range d {
			for j := i; j < d; j++ {
				fold.SetSym(i, j, all.At(i, j)-fold.At(i, j))
			}
		}
		foldY.Sub(allY, foldY)
		for l, decay := range decays {
			var c mat.Cholesky
			if !c.Factorize(plus(fold, decay)) {
				return errNotPositive
			}
			var w mat.Dense
			if err := c.SolveTo(&w, foldY); err != nil {
				return err
			}
			chunks(at, func(part []int) {
				var answer mat.Dense
				answer.Mul(s.rows(part), &w)
				s.set(l, part, &answer)
			})
		}
	}
	return nil
}

// sums adds the products of some examples' features with each other, and with their targets.
func (s *squares) sums(at []int, xx *mat.SymDense, xy *mat.Dense) {
	chunks(at, func(part []int) {
		x := s.rows(part)
		xx.SymRankK(xx, 1, x.T())
		var y mat.Dense
		y.Mul(x.T(), s.targets(part))
		xy.Add(xy, &y)
	})
}

func chunks(at []int, do func(part []int)) {
	const size = 1024
	for ; len(at) > 0; at = at[min(size, len(at)):] {
		do(at[:min(size, len(at))])
	}
}

// errNotPositive cannot happen with finite features: λ is added to what has no negative eigenvalue.
var errNotPositive = errors.New("the products of the features are not positive")

// plus is a matrix with a number added to its diagonal, in new memory.
func plus(a *mat.SymDense, v float64) *mat.SymDense {
	n := a.SymmetricDim()
	b := mat.NewSymDense(n, nil)
	b.CopySym(a)
	for i := range n {
		b.SetSym(i, i, b.At(i, i)+v)
	}
	return b
}
