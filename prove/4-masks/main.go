// Command 4-masks proves the masks recipe by five-fold cross-validation: on photos of faces with and without a mask, and on small
// crops of three unbalanced classes, where the balances of classes, the recipe's among them, stand beside the same network without
// one. Near copies stay in one fold; a fold's pictures choose nothing.
package main

import (
	"context"
	"fmt"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
)

// The least macro-F1 of masks, and what the balance must add to that of the three classes.
const (
	bar  = 0.99
	gain = 0.10
)

func main() {
	proof.Main(fmt.Sprintf("masks F1 at least %.2f; three classes at least %.0f points of macro-F1 over balance=none", bar, 100*gain), prove)
}

func prove(ctx context.Context, dir string) (figure string, err error) {
	two, err := cv.Data("masks")
	if err != nil {
		return "", err
	}
	three, err := cv.Data("masks3")
	if err != nil {
		return "", err
	}
	masks, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+two)
	if err != nil {
		return "", err
	}
	figure = "masks macro-F1 " + cv.Text(masks) + "; three classes"
	chosen, err := cv.Options("recipe=masks")
	if err != nil {
		return "", err
	}
	means := map[string]float64{}
	for _, balance := range []string{"none", "weights", "over"} {
		r, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+three, "balance="+balance)
		if err != nil {
			return "", err
		}
		means[balance] = r.Mean
		figure += fmt.Sprintf(" %s by balance=%s,", cv.Text(r), balance)
	}
	figure += " of which the recipe has " + chosen.Balance
	if masks.Mean < bar || means[chosen.Balance]-means["none"] < gain {
		return figure, proof.ErrShort
	}
	return figure, nil
}
