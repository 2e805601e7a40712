// Command 4-masks proves the masks recipe by five-fold cross-validation: on photos of faces with and without a mask, and on small
// crops of three unbalanced classes, where the recipe's balance of classes stands beside the same network without it. Near copies
// stay in one fold; a fold's pictures choose nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gleaner/prove/internal/cv"
)

// The least macro-F1 of masks, and what the balance must add to that of the three classes.
const (
	bar  = 0.99
	gain = 0.10
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figure, pass, err := prove(ctx)
	if err != nil {
		figure, pass = strings.Join(strings.Fields(err.Error()), " "), false
	}
	word := map[bool]string{true: "PASS", false: "FAIL"}[pass]
	fmt.Printf("FIGURE %s BAR masks F1 at least %.2f; three classes at least %.0f points of macro-F1 over balance=none %s\n", figure, bar, 100*gain, word)
	if !pass {
		os.Exit(1)
	}
}

func prove(ctx context.Context) (figure string, pass bool, err error) {
	dir, err := os.MkdirTemp("", "masks")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	two, err := cv.Data("masks")
	if err != nil {
		return "", false, err
	}
	three, err := cv.Data("masks3")
	if err != nil {
		return "", false, err
	}
	masks, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+two)
	if err != nil {
		return "", false, err
	}
	balanced, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+three)
	if err != nil {
		return "", false, err
	}
	natural, err := cv.Run(ctx, dir, "recipe=masks", "val=0", "data="+three, "balance=none")
	if err != nil {
		return "", false, err
	}
	figure = fmt.Sprintf("masks macro-F1 %s; three classes %s with the recipe's balance, %s without", cv.Text(masks), cv.Text(balanced), cv.Text(natural))
	return figure, masks.Mean >= bar && balanced.Mean-natural.Mean >= gain, nil
}
