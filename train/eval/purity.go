package eval

import (
	"cmp"
	"fmt"
	"slices"
)

// Threshold is from which probability on an answer of a class counts, and what that costs.
type Threshold struct {
	Label     string  `json:"label"`
	Threshold float64 `json:"threshold"` // 0 to 1; above 1: no answer of this class is pure enough
	Purity    Share   `json:"purity"`    // of what is accepted, on the pictures that the threshold was solved on
	Accepted  float64 `json:"accepted"`  // share of the answers of this class that count
}

// Purity is thresholds for a wanted purity.
type Purity struct {
	Target   float64     `json:"target"`
	Classes  []Threshold `json:"classes"`
	Rejected float64     `json:"rejected"` // share of all pictures that get no answer, at the class mix
	Overall  float64     `json:"overall"`  // purity of all that is accepted, at the class mix
}

// SolvePurity finds for each class the least threshold at which the accepted answers are at least target pure, 0.5 to 1. mix
// is the share of each class where the model will work; nil: as in the answers. Solve it on pictures that neither training
// nor a choice of the model saw; purity at a threshold that was searched for is a little too good, which the step away from the
// edge below makes up for: the threshold must hold its purity down to half a picture.
func SolvePurity(a *Answers, target float64, mix []float64) (*Purity, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	if !(target >= 0.5 && target < 1) {
		return nil, fmt.Errorf("a purity of %g: from 0.5 to below 1 can be asked for", target)
	}
	weights, err := classWeights(a, mix)
	if err != nil {
		return nil, err
	}
	p := &Purity{Target: target}
	accepted, pure, total := 0.0, 0.0, 0.0
	for i := range a.Truth {
		total += weights[a.Truth[i]]
	}
	for k, label := range a.Labels {
		t := solveClass(a, k, target, weights)
		t.Label = label
		p.Classes = append(p.Classes, t)
		for i, v := range a.P {
			if Best(v) == k && float64(v[k]) >= t.Threshold {
				accepted += weights[a.Truth[i]]
				if a.Truth[i] == k {
					pure += weights[k]
				}
			}
		}
	}
	p.Rejected = 1 - accepted/total
	if accepted > 0 {
		p.Overall = pure / accepted
	}
	return p, nil
}

// classWeights turn the answers' class shares into those of the mix.
func classWeights(a *Answers, mix []float64) ([]float64, error) {
	w := make([]float64, len(a.Labels))
	count := make([]float64, len(a.Labels))
	for _, t := range a.Truth {
		count[t]++
	}
	if mix == nil {
		for k := range w {
			w[k] = 1
		}
		return w, nil
	}
	if len(mix) != len(w) {
		return nil, fmt.Errorf("a mix of %d shares for %d classes", len(mix), len(w))
	}
	for k, share := range mix {
		if share < 0 || share > 0 && count[k] == 0 {
			return nil, fmt.Errorf("the mix has a share of %g for class %s, of which there are %.0f pictures", share, a.Labels[k], count[k])
		}
		if count[k] > 0 {
			w[k] = share * float64(len(a.Truth)) / count[k]
		}
	}
	return w, nil
}

// solveClass walks the answers of one class from the surest down, and keeps the lowest place at which all that is above is
// pure enough.
func solveClass(a *Answers, k int, target float64, weights []float64) Threshold {
	type answer struct {
		p     float64
		right bool
		w     float64
	}
	var all []answer
	for i, v := range a.P {
		if Best(v) == k {
			all = append(all, answer{float64(v[k]), a.Truth[i] == k, weights[a.Truth[i]]})
		}
	}
	slices.SortFunc(all, func(x, y answer) int { return cmp.Compare(y.p, x.p) })
	t := Threshold{Threshold: 1.01}
	good, sum, right := 0.0, 0.0, 0
	for i, x := range all {
		sum += x.w
		if x.right {
			good += x.w
			right++
		}
		last := i+1 == len(all) || all[i+1].p < x.p
		// Half a wrong picture is added: with nothing wrong among ten pictures 100 % purity is not shown.
		if last && good/(sum+0.5*weights[k]) >= target {
			t.Threshold = x.p
			t.Purity = Wilson(right, i+1)
			t.Accepted = float64(i+1) / float64(len(all))
		}
	}
	return t
}

// Coverage is a point of the precision-coverage curve.
type Coverage struct {
	Threshold float64 `json:"threshold"`
	Coverage  float64 `json:"coverage"`  // share of the pictures that get an answer
	Precision float64 `json:"precision"` // share of those answers that are right
}

// Coverages is the curve over all classes, from the surest answers to all of them, at most 200 points.
func Coverages(a *Answers) []Coverage {
	type answer struct {
		p     float64
		right bool
	}
	all := make([]answer, len(a.P))
	for i, v := range a.P {
		k := Best(v)
		all[i] = answer{float64(v[k]), k == a.Truth[i]}
	}
	slices.SortFunc(all, func(x, y answer) int { return cmp.Compare(y.p, x.p) })
	step := max(1, (len(all)+199)/200)
	var curve []Coverage
	right, next := 0, step
	for i, x := range all {
		if x.right {
			right++
		}
		if i+1 == len(all) || i+1 >= next && all[i+1].p < x.p { // a threshold cannot part answers of one probability
			curve = append(curve, Coverage{x.p, float64(i+1) / float64(len(all)), float64(right) / float64(i+1)})
			next = i + 1 + step
		}
	}
	return curve
}

// AUROC is how well a score tells unknown things from known ones: the chance that an unknown one has the greater score, ties
// counting half (Mann and Whitney 1947), with a bootstrap interval.
func AUROC(known, unknown []float64) (Share, error) {
	if len(known) == 0 || len(unknown) == 0 {
		return Share{}, fmt.Errorf("%d known and %d unknown things: both are needed", len(known), len(unknown))
	}
	s := Share{Value: auroc(known, unknown)}
	s.Low, s.High = bootstrapAUROC(known, unknown)
	return s, nil
}
