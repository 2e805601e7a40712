package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"gleaner/train"
	"gleaner/train/recipe"
)

// crossValidate trains once per fold and says what the options are worth on the pictures at hand.
func crossValidate(ctx context.Context, o recipe.Options, folds int, resume bool, show *trainShow) error {
	r, err := train.CrossValidate(ctx, o, folds, resume, show.reporter())
	show.close()
	if err != nil {
		return err
	}
	if show.json {
		return json.NewEncoder(show.out).Encode(map[string]any{"cross_validation": r})
	}
	fmt.Fprintf(show.out, "%d pictures, each answered by a network that never saw it: accuracy %v\nmacro-F1 %.4f on the mean of %d folds (", len(r.Answers.P),
		r.Accuracy, r.Mean, folds)
	for i, f := range r.MacroF1 {
		if i > 0 {
			fmt.Fprint(show.out, ", ")
		}
		fmt.Fprintf(show.out, "%.4f", f)
	}
	fmt.Fprintf(show.out, "), over all pictures %v\n", r.Pooled.MacroF1)
	t := tabwriter.NewWriter(show.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "class\tpictures\tprecision\trecall\tF1")
	for _, c := range r.Classes {
		fmt.Fprintf(t, "%s\t%d\t%v\t%v\t%v\n", c.Label, c.Pictures, c.Precision, c.Recall, c.F1)
	}
	return t.Flush()
}
