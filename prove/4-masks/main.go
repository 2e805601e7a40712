// Command 4-masks proves the masks recipe by five-fold cross-validation: on photos of faces with and without a mask, and on small
// crops of three unbalanced classes, where the recipe's balance of classes stands beside the same network without it. Near copies
// stay in one fold; a fold's pictures choose nothing.
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
	balanced, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+three)
	if err != nil {
		return "", err
	}
	natural, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+three, "balance=none")
	if err != nil {
		return "", err
	}
	figure = fmt.Sprintf("masks macro-F1 %s; three classes %s with the recipe's balance, %s without", cv.Text(masks), cv.Text(balanced), cv.Text(natural))
	if masks.Mean < bar || balanced.Mean-natural.Mean < gain {
		return figure, proof.ErrShort
	}
	return figure, nil
}
