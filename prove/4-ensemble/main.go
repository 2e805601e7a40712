// Command 4-ensemble proves that an ensemble of a run's checkpoints, chosen on validation data and exported as one file, is at least
// as good as the best single checkpoint: the recycling recipe at 128 pixels, cross-validated on the waste photos with the ensemble and
// without it, from the same seeds, so that the checkpoints are the same. A fold's pictures choose nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"gleaner/prove/internal/cv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figure, pass, err := prove(ctx)
	if err != nil {
		figure, pass = strings.Join(strings.Fields(err.Error()), " "), false
	}
	word := map[bool]string{true: "PASS", false: "FAIL"}[pass]
	fmt.Printf("FIGURE %s BAR macro-F1 of the ensemble at least that of the best single checkpoint %s\n", figure, word)
	if !pass {
		os.Exit(1)
	}
}

func prove(ctx context.Context) (figure string, pass bool, err error) {
	dir, err := os.MkdirTemp("", "ensemble")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	data, err := cv.Data("trashnet")
	if err != nil {
		return "", false, err
	}
	keys := slices.Clip([]string{"recipe=recycling", "data=" + data, "size=128", "epochs=6", "keep=accuracy"})
	single, err := cv.Run(ctx, dir, keys...)
	if err != nil {
		return "", false, err
	}
	joined, err := cv.Run(ctx, dir, append(keys, "ensemble=4")...)
	if err != nil {
		return "", false, err
	}
	var members []string
	for _, f := range joined.Folds {
		members = append(members, fmt.Sprint(max(1, len(f.Ensemble))))
	}
	return fmt.Sprintf("macro-F1 %s with ensembles of %s checkpoints, %s with the best one", cv.Text(joined), strings.Join(members, ", "), cv.Text(single)),
		joined.Mean >= single.Mean, nil
}
