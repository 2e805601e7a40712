// Command 2-clothing proves that clothing is learnt from scratch in as much work as two cores do in ten minutes: three networks are
// trained on Fashion-MNIST by the project's own loop, in this process, on the CPU, by one thread, because the seconds of two that share
// a core count twice. Validation is cut from the 60,000 training pictures.
// The recipes were chosen on validation alone; the 10,000 test pictures are looked at once per network, at the end of its run.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"gleaner/prove/internal/proof"
	"gleaner/train"
	"gleaner/train/engine/onednn"
	"gleaner/train/eval"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// pictures is the size of Fashion-MNIST's test set.
const pictures = 10000

// seconds is what the first network may take of the processors, from this process's start to its figure, user and system.
const seconds = 1200

// trial is one network, how it learns, and the accuracy that it must reach on the test pictures.
type trial struct {
	net  string
	bar  float64
	keys []string
}

var trials = []trial{
	{"resnet-small", 0.945, []string{"recipe=clothing"}},
	{"cnn-small", 0.916, []string{"epochs=16", "batch=64", "optimiser=adamw", "lr=0.002", "decay=0.05", "schedule=onecycle", "smoothing=0.1",
		"drop=0.3", "flip=true", "average=0.999"}},
	{"dense", 0.88, []string{"epochs=10", "batch=128", "optimiser=adam", "lr=0.001", "decay=0"}},
}

func main() {
	if err := onednn.Passive(); err != nil {
		fmt.Println(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figure, err := run(ctx)
	bar := fmt.Sprintf("94.5 %% in %d CPU-seconds, 91.6 and 88 %%", seconds)
	if err != nil {
		fmt.Printf("FIGURE %s: %s BAR %s FAIL\n", figure, strings.ReplaceAll(err.Error(), "\n", "; "), bar)
		os.Exit(1)
	}
	fmt.Printf("FIGURE %s BAR %s PASS\n", figure, bar)
}

// run trains all of them. An argument is the seed, 1 where there is none.
func run(ctx context.Context) (figure string, err error) {
	seed := uint64(1)
	if len(os.Args) > 1 {
		if seed, err = strconv.ParseUint(os.Args[1], 10, 64); err != nil {
			return "no seed", err
		}
	}
	dir, err := os.MkdirTemp("", "clothing")
	if err != nil {
		return "no folder", err
	}
	defer os.RemoveAll(dir)
	var parts []string
	var errs []error
	for i, t := range trials {
		before := proof.Used()
		share, err := t.run(ctx, filepath.Join(dir, t.net), seed)
		if err == nil && share.Value < t.bar {
			err = fmt.Errorf("%s is below %.1f %%", t.net, 100*t.bar)
		}
		if i == 0 && proof.Used() > seconds {
			err = errors.Join(err, fmt.Errorf("it took %.0f CPU-seconds", proof.Used()))
		}
		errs = append(errs, err)
		part := fmt.Sprintf("%s %.2f %% (%.1f to %.1f) in %.0f CPU-seconds", t.net, 100*share.Value, 100*share.Low, 100*share.High, proof.Used()-before)
		fmt.Println(part)
		parts = append(parts, part)
	}
	return strings.Join(parts, ", "), errors.Join(errs...)
}

// run trains one network and gives its accuracy on the test pictures.
func (t trial) run(ctx context.Context, out string, seed uint64) (eval.Share, error) {
	o := recipe.DefaultOptions()
	keys := append([]string{"data=/usr/share/datasets/fashion-mnist", "net=" + t.net, "out=" + out, "val=0.05", "mean=73", "std=90", "threads=1",
		"workers=1", "keep=last", "overfit=off", "scan=off", "save=0", "device=cpu", "seed=" + strconv.FormatUint(seed, 10)}, t.keys...)
	for _, k := range keys {
		if err := o.Set(k); err != nil {
			return eval.Share{}, err
		}
	}
	fmt.Printf("== %s: %s\n", t.net, strings.Join(keys[2:], " "))
	result, err := train.Fit(ctx, o, false, train.Reporter{
		Note: func(line string) { fmt.Println(line) },
		Epoch: func(r runs.Row, c runs.Timing, _ bool) {
			fmt.Printf("epoch %2d: training loss %.3f, %.2f %%; validation loss %.3f, %.2f %%; %.2f CPU-ms per picture, %.0f CPU-seconds so far\n",
				r.Epoch, r.TrainLoss, 100*r.TrainAcc, r.ValLoss, 100*r.ValAcc, c.CPU, proof.Used())
		},
	})
	switch {
	case err != nil:
		return eval.Share{}, fmt.Errorf("%s: %w", t.net, err)
	case !result.Tested:
		return eval.Share{}, fmt.Errorf("%s: there are no test pictures", t.net)
	}
	return eval.Wilson(int(math.Round(result.TestAcc*pictures)), pictures), nil
}
