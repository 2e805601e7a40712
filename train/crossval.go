package train

import (
	"context"
	"fmt"
	"path/filepath"

	"gleaner/train/eval"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// CrossValidation is what a way to train is worth on the pictures at hand: each of k parts is answered once, by a network that was
// trained on the others and never saw it.
type CrossValidation struct {
	Folds    []*Result     `json:"folds"`
	MacroF1  []float64     `json:"macro_f1"` // by fold
	Mean     float64       `json:"mean"`     // of MacroF1
	Accuracy eval.Share    `json:"accuracy"` // over all pictures, Wilson
	Pooled   eval.Averages `json:"pooled"`   // over all pictures, bootstrap
	Classes  []eval.Class  `json:"classes"`  // over all pictures
	// Answers are those to all pictures, of the first head, fold by fold.
	Answers *eval.Answers `json:"-"`
}

// CrossValidate trains k times, each fold in a folder of its own below o.Out. With resume, epochs that were finished before are not
// trained again, and must be of the same options; a probe alone has none, and is fitted anew. tell hears of all folds.
func CrossValidate(ctx context.Context, o recipe.Options, k int, resume bool, tell Reporter) (*CrossValidation, error) {
	if k < 2 {
		return nil, &InputError{fmt.Errorf("folds=%d: a cross-validation has at least 2", k)}
	}
	if o.Fold != "" {
		return nil, &InputError{fmt.Errorf("fold=%s: a cross-validation goes through all folds; leave fold= out, or --folds", o.Fold)}
	}
	c := &CrossValidation{Answers: &eval.Answers{}}
	out := o.Out
	o.Report = false // what counts is all folds together
	if out == "" {
		return nil, &InputError{o.Check()}
	}
	for i := range k {
		tell.note(fmt.Sprintf("fold %d of %d", i+1, k))
		o.Out, o.Fold = filepath.Join(out, runs.FoldDir(i+1)), fmt.Sprintf("%d/%d", i+1, k)
		r, err := Fit(ctx, o, resume && runs.Begun(o.Out), tell)
		if err != nil {
			return nil, fmt.Errorf("fold %d: %w", i+1, err)
		}
		a := r.Answers[0]
		c.Folds = append(c.Folds, r)
		c.MacroF1 = append(c.MacroF1, eval.Average(len(a.Labels), a.Truth, a.Best()).MacroF1.Value)
		c.Mean += c.MacroF1[i] / float64(k)
		c.Answers.Labels = a.Labels
		c.Answers.P, c.Answers.Truth = append(c.Answers.P, a.P...), append(c.Answers.Truth, a.Truth...)
	}
	s, err := eval.Summarise(c.Answers)
	if err != nil {
		return nil, err
	}
	c.Accuracy, c.Classes = s.Accuracy, s.Classes
	c.Pooled = eval.Average(len(c.Answers.Labels), c.Answers.Truth, c.Answers.Best())
	return c, nil
}
