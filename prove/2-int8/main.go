// Command 2-int8 proves that an int8 MobileNetV2, fine-tuned on photos of waste, loses less than a point of accuracy against the
// float network that it was written of: the registry's backbone learns half of the photos under a new head, is written as full
// int8, and file and network answer the other half, which neither has seen. The bound is the paired test's (parity.Paired).
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/internal/shared"
	"gleaner/train"
	"gleaner/train/engine/onednn"
	"gleaner/train/export/parity"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

const bar = "int8 within one point of float: the paired test's upper bound on the loss at most 1.00 points, on pictures that neither has seen"

func main() {
	if err := onednn.Passive(); err != nil {
		fmt.Println(err)
	}
	figure, pass, err := prove()
	if err != nil {
		figure, pass = strings.Join(strings.Fields(err.Error()), " "), false
	}
	word := "PASS"
	if !pass {
		word = "FAIL"
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if !pass {
		os.Exit(1)
	}
}

// settings are a gentle fine-tuning: the backbone's norms are folded, so that high rates would tear it apart. The last weights
// are kept, so that the other half of the photos chooses nothing.
var settings = []string{"net=.native/models/ssd-oidv4.tflite", "size=128", "val=0.5", "epochs=8", "batch=32", "optimiser=adamw", "lr=0.0002",
	"rates=head:10", "average=0.98", "drop=0.2", "flip=true", "keep=last", "overfit=off", "scan=off", "export=int8"}

func prove() (figure string, pass bool, err error) {
	root := shared.Root()
	if root == "" {
		return "", false, fmt.Errorf("the waste photos are not there: set GLEANER_SHARED")
	}
	dir, err := os.MkdirTemp("", "prove-int8")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	o := recipe.DefaultOptions()
	for _, s := range append(settings, "data="+filepath.Join(root, "data", "trashnet"), "out="+filepath.Join(dir, "run")) {
		if err := o.Set(s); err != nil {
			return "", false, err
		}
	}
	r, err := train.Fit(context.Background(), o, false, train.Reporter{
		Note: func(line string) { fmt.Println(line) },
		Epoch: func(r runs.Row, _ runs.Timing, _ bool) {
			fmt.Printf("epoch %d: loss %.3f, right %.1f %% of the other half\n", r.Epoch, r.TrainLoss, 100*r.ValAcc)
		},
	})
	if err != nil {
		return "", false, err
	}
	h := r.Parity.Heads[0]
	return fmt.Sprintf("%d pictures: float %.2f %% right, int8 %.2f %%, %d and %d right by one alone, loss at most %.2f points", h.Paired.N,
		share(h.RightNet, h), share(h.RightFile, h), h.Paired.Before, h.Paired.After, 100*h.Paired.LossBound()), h.Paired.LossBound() <= parity.Int8LossBar, nil
}

func share(n int, h parity.HeadReport) float64 { return 100 * float64(n) / float64(h.Paired.N) }
