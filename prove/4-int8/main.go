// Command 4-int8 proves that the int8 sequel of the recycling recipe, with an ImageNet backbone, loses at most a point: each fold of a
// cross-validation on the waste photos is fine-tuned, goes on for five epochs through fake quantisation, and is written as full int8.
// The float file and the int8 file answer the fold's pictures, which neither has seen, as the device would. A fold's pictures are too
// few for the export's own gate to show a point; all folds together are held to one here.
package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/export/parity"
	"gleaner/train/recipe"
)

func main() { proof.Main("the paired test's upper bound on the loss at most 1.00 points", prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	data, err := cv.Data("trashnet")
	if err != nil {
		return "", err
	}
	net, err := cv.ImageNet()
	if err != nil {
		return "", err
	}
	keys := slices.Clip(append(net, "recipe=recycling", "withprobe=false", "val=0", "data="+data))
	float, err := cv.Run(ctx, dir, keys...)
	if err != nil {
		return "", err
	}
	return int8(ctx, float, keys)
}

// int8 lets each fold go on through fake quantisation, and compares the int8 file with the float one on the fold's test pictures.
func int8(ctx context.Context, float *train.CrossValidation, keys []string) (figure string, err error) {
	var all parity.Paired
	var right [2]int
	for i, f := range float.Folds {
		run := filepath.Dir(f.Bundle)
		o, err := cv.Options(append(keys, "probe=0", "warmup=0", "epochs=5", "lr=0.00003", "quantise=8", "export=int8", "maylose=5", "start="+filepath.Join(run, "best.safetensors"),
			"out="+run+"-int8", fmt.Sprintf("fold=%d/%d", i+1, cv.Folds))...)
		if err != nil {
			return "", err
		}
		r, err := train.Fit(ctx, o, false, cv.Tell())
		if err != nil {
			return "", fmt.Errorf("int8: %w", err)
		}
		answers, err := both(ctx, &o, f.Bundle, r.Bundle)
		if err != nil {
			return "", err
		}
		for k := range answers[0] {
			a, b := answers[0][k], answers[1][k]
			all.N++
			switch {
			case a && !b:
				all.Before++
			case b && !a:
				all.After++
			}
			right[0] += count(a)
			right[1] += count(b)
		}
	}
	figure = fmt.Sprintf("int8 %v right, float %v, loss at most %.2f points", eval.Wilson(right[1], all.N), eval.Wilson(right[0], all.N), 100*all.LossBound())
	if all.LossBound() > parity.Int8LossBar {
		return figure, proof.ErrShort
	}
	return figure, nil
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// both asks two bundles about the test pictures of a fold.
func both(ctx context.Context, o *recipe.Options, bundles ...string) (answers [][]bool, err error) {
	d, err := recipe.Open(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	test, ok := d.Test.(*dataset.Subset)
	if !ok {
		return nil, fmt.Errorf("fold %s has no test pictures", o.Fold)
	}
	for _, b := range bundles {
		right, err := cv.Right(b, test.Set.(*dataset.Pictures), test.Index)
		if err != nil {
			return nil, err
		}
		answers = append(answers, right)
	}
	return answers, nil
}
