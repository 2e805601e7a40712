// Command 2-int8 proves that an int8 MobileNetV2, fine-tuned on photos of waste, loses less than a point of accuracy against the
// float network. The registry's backbone learns half of the photos under a new head and is written as float32; it goes on for
// five epochs through fake quantisation and is written as full int8. Both files answer the other half, which neither has seen,
// as the device would run them; then the same with the halves exchanged, since the paired test (parity.Paired) needs more
// pictures than one half has.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/internal/shared"
	"gleaner/model/bundle"
	"gleaner/prove/internal/cv"
	"gleaner/train"
	"gleaner/train/dataset"
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
var settings = []string{"net=.native/models/ssd-oidv4.tflite", "size=128", "batch=32", "optimiser=adamw", "drop=0.2", "flip=true", "keep=last",
	"overfit=off", "scan=off"}

// The two runs: the float network, and its int8 sequel.
var (
	first  = []string{"epochs=8", "lr=0.0002", "rates=head:10", "average=0.98", "export=float32"}
	sequel = []string{"epochs=5", "lr=0.00003", "quantise=8", "export=int8"}
)

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
	halves, err := deal(filepath.Join(root, "data", "trashnet"), dir)
	if err != nil {
		return "", false, err
	}
	var all parity.Paired
	var right [2]int
	for i := range halves {
		answers, err := fold(halves[i], halves[1-i], filepath.Join(dir, fmt.Sprintf("run%d", i)))
		if err != nil {
			return "", false, err
		}
		for _, a := range answers {
			all.N++
			switch {
			case a[0] && !a[1]:
				all.Before++
			case a[1] && !a[0]:
				all.After++
			}
			for k, ok := range a {
				if ok {
					right[k]++
				}
			}
		}
		fmt.Printf("fold %d: %+v, loss at most %.2f points so far\n", i, all, 100*all.LossBound())
	}
	share := func(n int) float64 { return 100 * float64(n) / float64(all.N) }
	return fmt.Sprintf("%d pictures: float %.2f %% right, int8 %.2f %%, %d and %d right by one alone, loss at most %.2f points", all.N,
		share(right[0]), share(right[1]), all.Before, all.After, 100*all.LossBound()), all.LossBound() <= parity.Int8LossBar, nil
}

// fold trains on one half and tells for each picture of the other whether the float file and the int8 file answer it right.
func fold(learn, held, out string) (answers [][2]bool, err error) {
	float, err := fit(append(first, "data="+learn, "val="+held, "out="+out+"-float"))
	if err != nil {
		return nil, err
	}
	int8, err := fit(append(sequel, "data="+learn, "val="+held, "out="+out+"-int8", "start="+filepath.Join(out+"-float", "best.safetensors")))
	if err != nil {
		return nil, err
	}
	for k, dir := range []string{float, int8} {
		right, err := judge(dir, held)
		if err != nil {
			return nil, err
		}
		if answers == nil {
			answers = make([][2]bool, len(right))
		}
		for i, ok := range right {
			answers[i][k] = ok
		}
	}
	return answers, nil
}

// fit trains and gives the bundle's folder.
func fit(more []string) (string, error) {
	o := recipe.DefaultOptions()
	for _, s := range append(append([]string{}, settings...), more...) {
		if err := o.Set(s); err != nil {
			return "", err
		}
	}
	r, err := train.Fit(context.Background(), o, false, train.Reporter{
		Note: func(line string) { fmt.Println(line) },
		Epoch: func(r runs.Row, _ runs.Timing, _ bool) {
			fmt.Printf("epoch %d: loss %.3f, right %.1f %% of the other half\n", r.Epoch, r.TrainLoss, 100*r.ValAcc)
		},
	})
	if err != nil {
		return "", err
	}
	return r.Bundle, nil
}

// judge runs a bundle's file on pictures, as the device does, and tells which answers are right.
func judge(dir, pictures string) (right []bool, err error) {
	b, err := bundle.Open(dir)
	if err != nil {
		return nil, err
	}
	set, err := dataset.Open(context.Background(), pictures, dataset.Options{Input: b.Manifest.Input, Workers: 2, Labels: b.Labels})
	if err != nil {
		return nil, err
	}
	index := make([]int, set.Len())
	for i := range index {
		index[i] = i
	}
	return cv.Right(dir, set, index)
}

// deal puts links to every other photo of each class into one folder, and to the rest into another.
func deal(from, to string) (halves [2]string, err error) {
	files, err := filepath.Glob(filepath.Join(from, "*", "*.jpg"))
	if err != nil || len(files) == 0 {
		return halves, fmt.Errorf("%s has no photos (%v)", from, err)
	}
	for i := range halves {
		halves[i] = filepath.Join(to, fmt.Sprintf("half%d", i))
	}
	for i, f := range files {
		dir := filepath.Join(halves[i%2], filepath.Base(filepath.Dir(f)))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return halves, err
		}
		if err := os.Symlink(f, filepath.Join(dir, filepath.Base(f))); err != nil {
			return halves, err
		}
	}
	return halves, nil
}
