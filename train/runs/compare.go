package runs

import (
	"errors"
	"fmt"

	"gleaner/train/eval"
)

// Comparison is several runs side by side.
type Comparison struct {
	Runs    []*Run   `json:"runs"`
	Options []Differ `json:"options"` // those that are not the same in all runs
	// Pairs are the runs from the second on, each beside the first.
	Pairs []Pair   `json:"pairs"`
	Notes []string `json:"notes"` // what a reader must know before any figure, a sentence each
}

// Differ is an option that differs.
type Differ struct {
	Key    string   `json:"key"`
	Values []string `json:"values"` // by run
}

// Pair is one run beside another on the pictures that both answered.
type Pair struct {
	New string `json:"new"` // the run's folder
	Old string `json:"old"` // what it is compared with
	On  string `json:"on"`  // Validation or Test; empty: they have no pictures in common
	// Paired is nil where they have no pictures in common.
	Paired  *eval.Comparison `json:"paired,omitempty"`
	Verdict string           `json:"verdict"` // better, worse, or cannot tell, as a sentence
}

// Compare sets finished runs side by side. There must be two at least.
func Compare(all []*Run) (*Comparison, error) {
	if len(all) < 2 {
		return nil, errors.New("one run alone cannot be compared: name a second one")
	}
	c := &Comparison{Runs: all, Options: []Differ{}, Notes: []string{}}
	for _, r := range all {
		if !r.Finished {
			return nil, &NotRunError{r.Dir, r.unfinished()}
		}
	}
	for i, k := range all[0].Options.Keys() {
		d := Differ{Key: k.Name}
		same := true
		for _, r := range all {
			v := r.Options.Keys()[i].Value
			d.Values = append(d.Values, v)
			same = same && v == k.Value
		}
		if !same && k.Name != "out" {
			c.Options = append(c.Options, d)
		}
	}
	onValidation := false
	for _, r := range all[1:] {
		p := Beside(r, all[0])
		onValidation = onValidation || p.On == Validation
		c.Pairs = append(c.Pairs, p)
	}
	if onValidation {
		c.Notes = append(c.Notes, "Validation pictures chose the weights of the runs: a difference on them is a hint; gleaner eval bundle= old= on other pictures tells.")
	}
	return c, nil
}

// unfinished says how far a run is, and what to do.
func (r *Run) unfinished() string {
	if r.Folds > 0 {
		return fmt.Sprintf("a cross-validation that is not finished, with %d folds begun: the same command with --resume goes on with it", r.Folds)
	}
	return fmt.Sprintf("a run that is not finished, with %d of %d epochs done: gleaner train out=%s --resume goes on with it", r.Epochs, r.Options.Epochs, r.Dir)
}

// Beside compares a run with an old one on the test pictures that both answered, else on the validation pictures.
func Beside(r, old *Run) Pair {
	p := Pair{New: r.Dir, Old: old.Dir}
	for _, kind := range []string{Test, Validation} {
		if c := Paired(r, old, kind); c != nil {
			p.On, p.Paired, p.Verdict = kind, c, c.String()
			return p
		}
	}
	p.Verdict = fmt.Sprintf("cannot tell: no answers of both to the same pictures are kept; gleaner eval bundle=%s old=%s data= tells", bundleOf(r), bundleOf(old))
	return p
}

// Paired compares a run with an old one on the pictures of a kind that both answered; nil where there are none.
func Paired(r, old *Run, kind string) *eval.Comparison {
	before, now := paired(old.answers[kind], r.answers[kind])
	c, err := eval.Compare(before, now)
	if err != nil {
		return nil // nothing in common
	}
	return &c
}

func bundleOf(r *Run) string { return r.Dir + "/" + BundleDir }

// paired tells which answers to the pictures that both lists have, with the same label, are right.
func paired(old, now []Answer) (before, after []bool) {
	type key struct {
		picture, truth string
		times          int // the same name before: pictures of idx files may share one
	}
	keys := func(all []Answer) []key {
		seen, of := map[string]int{}, make([]key, len(all))
		for i, a := range all {
			of[i] = key{a.Picture, a.Truth, seen[a.Picture]}
			seen[a.Picture]++
		}
		return of
	}
	right := map[key]bool{}
	for i, k := range keys(old) {
		right[k] = old[i].Right()
	}
	for i, k := range keys(now) {
		if was, ok := right[k]; ok {
			before, after = append(before, was), append(after, now[i].Right())
		}
	}
	return before, after
}
