// Command 4-ensemble proves that an ensemble of a run's checkpoints, chosen on validation data and exported as one file, is at least
// as good as the best single checkpoint: the recycling recipe at 128 pixels, cross-validated on the waste photos with the ensemble and
// without it, from the same seeds, so that the checkpoints are the same. A fold's pictures choose nothing.
package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
)

func main() {
	proof.Main("macro-F1 of the ensemble at least that of the best single checkpoint", prove)
}

func prove(ctx context.Context, dir string) (figure string, err error) {
	data, err := cv.Data("trashnet")
	if err != nil {
		return "", err
	}
	keys := slices.Clip([]string{"recipe=recycling", "withprobe=false", "data=" + data, "size=128", "epochs=6", "keep=accuracy"})
	single, err := cv.Run(ctx, dir, keys...)
	if err != nil {
		return "", err
	}
	joined, err := cv.Run(ctx, dir, append(keys, "ensemble=4")...)
	if err != nil {
		return "", err
	}
	var members []string
	for _, f := range joined.Folds {
		members = append(members, fmt.Sprint(max(1, len(f.Ensemble))))
	}
	figure = fmt.Sprintf("macro-F1 %s with ensembles of %s checkpoints, %s with the best one", cv.Text(joined), strings.Join(members, ", "), cv.Text(single))
	if joined.Mean < single.Mean {
		return figure, proof.ErrShort
	}
	return figure, nil
}
