package main

import (
	"errors"
	"math/rand/v2"
	"slices"

	"gleaner/train"
	"gleaner/train/eval"
)

// compare is the difference of macro-F1, two less flat, over all pictures, with the 95 % interval of a bootstrap that draws pictures.
func (s *sets) compare(two, flat *train.CrossValidation) (eval.Share, error) {
	names := slices.Compact(slices.Sorted(slices.Values(s.truth)))
	var of [2][]int // by picture
	for k, c := range []*train.CrossValidation{two, flat} {
		answers, err := s.byPicture(c)
		if err != nil {
			return eval.Share{}, err
		}
		for _, a := range answers {
			of[k] = append(of[k], slices.Index(names, a))
		}
	}
	var truth []int
	for _, t := range s.truth {
		truth = append(truth, slices.Index(names, t))
	}
	pick := make([]int, len(truth))
	for i := range pick {
		pick[i] = i
	}
	difference := func() float64 {
		return macroF1(len(names), truth, of[0], pick) - macroF1(len(names), truth, of[1], pick)
	}
	gain := eval.Share{Value: difference()}
	r := rand.New(rand.NewPCG(seed, 0xB007))
	var draws []float64
	for range 2000 {
		for i := range pick {
			pick[i] = r.IntN(len(truth))
		}
		draws = append(draws, difference())
	}
	slices.Sort(draws)
	gain.Low, gain.High = draws[len(draws)*25/1000], draws[len(draws)*975/1000]
	return gain, nil
}

// byPicture puts a cross-validation's answers into the order of the pictures. A fold tests one group, whichever: it is known by the
// truth of its pictures, one after the other, which must be those of a group.
func (s *sets) byPicture(c *train.CrossValidation) ([]string, error) {
	groups := map[string][]int{}
	for i, g := range s.group {
		groups[g] = append(groups[g], i)
	}
	answers := make([]string, len(s.truth))
	for _, f := range c.Folds {
		a := f.Answers[0]
		found := ""
		for g, of := range groups {
			if slices.EqualFunc(of, a.Truth, func(i, t int) bool { return s.truth[i] == a.Labels[t] }) {
				found = g
			}
		}
		if found == "" {
			return nil, errors.New("the folds are not the groups that were dealt: the two ways cannot be paired")
		}
		for at, k := range a.Best() {
			answers[groups[found][at]] = a.Labels[k]
		}
		delete(groups, found)
	}
	return answers, nil
}

// macroF1 is the mean of the classes' F1 over the pictures of pick.
func macroF1(classes int, truth, answers, pick []int) (mean float64) {
	right, is, said := make([]float64, classes), make([]float64, classes), make([]float64, classes)
	for _, i := range pick {
		is[truth[i]]++
		if a := answers[i]; a >= 0 {
			said[a]++
			if a == truth[i] {
				right[a]++
			}
		}
	}
	for c := range classes {
		if n := is[c] + said[c]; n > 0 {
			mean += 2 * right[c] / n / float64(classes)
		}
	}
	return mean
}
