package judge

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gleaner/train/chart"
	"gleaner/train/eval"
)

// Part is how often one class comes among all things, where the bundle will work.
type Part struct {
	Label string  `json:"label"`
	Share float64 `json:"share"` // 0 to 1; those of a mix add up to 1
}

// checkMix tells whether parts make up a whole.
func checkMix(mix []Part) error {
	sum, seen := 0.0, map[string]bool{}
	for _, p := range mix {
		switch {
		case !(p.Share >= 0 && p.Share <= 1):
			return fmt.Errorf("the mix: a share of %g for %s is not in 0 to 1", p.Share, p.Label)
		case seen[p.Label]:
			return fmt.Errorf("the mix: %s is in it twice", p.Label)
		}
		seen[p.Label] = true
		sum += p.Share
	}
	if len(mix) > 0 && math.Abs(sum-1) > 0.005 {
		return fmt.Errorf("the mix: its shares add up to %.4g, not to 1", sum)
	}
	return nil
}

// shares are those of the mix by class, as eval.SolvePurity takes them; nil: as in the answers. A class of the mix that is not
// known, or of which there are no pictures, is an *UnfitError.
func shares(mix []Part, a *eval.Answers) ([]float64, error) {
	if len(mix) == 0 {
		return nil, nil
	}
	all := make([]float64, len(a.Labels))
	for _, p := range mix {
		k := slices.Index(a.Labels, p.Label)
		if k < 0 {
			return nil, &UnfitError{fmt.Sprintf("the mix: the bundle does not know %s, but %s", p.Label, some(a.Labels))}
		}
		if p.Share > 0 && !slices.Contains(a.Truth, k) {
			return nil, &UnfitError{fmt.Sprintf("the mix: there are no pictures of %s to tell what becomes of it", p.Label)}
		}
		all[k] = p.Share
	}
	return all, nil
}

// MixText is the mix that thresholds hold for, as the end of a sentence.
func (r *Report) MixText() string {
	if len(r.Mix) == 0 {
		return "the mix of classes that these pictures have"
	}
	var parts []string
	for _, p := range r.Mix {
		parts = append(parts, fmt.Sprintf("%s %s %%", p.Label, chart.Percent(p.Share)))
	}
	return "the mix of classes that was stated, " + strings.Join(parts, ", ")
}

// purity solves thresholds on all pictures, and counts what thresholds of the other parts do on each part.
func purity(a *eval.Answers, units [][]int, target float64, mix []float64) (p Purity, err error) {
	if p.Purity, err = eval.SolvePurity(a, target, mix); err != nil || len(a.Truth) < fewest {
		return p, err
	}
	take := make([]bool, len(a.P))
	dealt := deal(units, a.Truth, folds)
	for f, held := range dealt {
		others := part(a, slices.Concat(slices.Delete(slices.Clone(dealt), f, f+1)...))
		if slices.ContainsFunc(a.Truth, func(k int) bool { return mix != nil && mix[k] > 0 && !slices.Contains(others.Truth, k) }) {
			return p, nil // a class of the mix is in this part alone
		}
		solved, err := eval.SolvePurity(others, target, mix)
		if err != nil {
			return p, err
		}
		for _, i := range held {
			take[i] = accepts(solved.Classes, a.P[i])
		}
	}
	reached, rejected := outcome(a, take, mix)
	p.HeldOut, p.RejectedOut = &reached, &rejected
	return p, nil
}

// accepts tells whether an answer counts at thresholds.
func accepts(classes []eval.Threshold, p []float32) bool {
	k := eval.Best(p)
	return float64(p[k]) >= classes[k].Threshold
}

// outcome is the purity of the answers that are taken, and the share of the pictures whose answers are not, at the mix. Wilson's
// interval is worked out for as many pictures as those of unequal weight are worth (Kish 1965).
func outcome(a *eval.Answers, take []bool, mix []float64) (reached, rejected eval.Share) {
	count := make([]float64, len(a.Labels))
	for _, t := range a.Truth {
		count[t]++
	}
	var pure, all tally
	for i, t := range a.Truth {
		w := 1.0
		if mix != nil {
			w = mix[t] * float64(len(a.Truth)) / count[t]
		}
		all.add(w, !take[i])
		if take[i] {
			pure.add(w, eval.Best(a.P[i]) == t)
		}
	}
	return pure.share(), all.share()
}

// tally is weights, and the weight of what is so.
type tally struct{ sum, squares, so float64 }

func (t *tally) add(w float64, so bool) {
	t.sum += w
	t.squares += w * w
	if so {
		t.so += w
	}
}

func (t *tally) share() eval.Share {
	if t.sum == 0 {
		return eval.Wilson(0, 0)
	}
	n := t.sum * t.sum / t.squares
	return eval.WilsonOf(min(1, t.so/t.sum), n)
}

// Carried is the temperature of a bundle, which its answers are at, and the thresholds that it carries, which were solved on other
// pictures, as they do on these.
type Carried struct {
	On          string          `json:"on"` // which pictures they were solved on
	Temperature float64         `json:"temperature"`
	Purity      []CarriedPurity `json:"purity"`
}

// CarriedPurity is what thresholds that were solved on other pictures do on these, at these pictures' mix.
type CarriedPurity struct {
	Target   float64    `json:"target"`
	Reached  eval.Share `json:"reached"`  // of what is accepted, Wilson
	Rejected eval.Share `json:"rejected"` // share of the pictures without an answer, Wilson
}

// Carry tries thresholds that were solved on others, which on names, on the answers a, at temperature t both.
func Carry(on string, t float64, solved []*eval.Purity, a *eval.Answers) *Carried {
	c := &Carried{On: on, Temperature: t}
	for _, p := range solved {
		take := make([]bool, len(a.P))
		for i := range take {
			take[i] = accepts(p.Classes, a.P[i])
		}
		reached, rejected := outcome(a, take, nil)
		c.Purity = append(c.Purity, CarriedPurity{p.Target, reached, rejected})
	}
	return c
}
