// Command 4-recycling proves the recycling recipe with an ImageNet backbone on 2,055 photos of waste by five-fold cross-validation:
// heads on the frozen backbone, fine-tuning, and an int8 sequel of that. Near copies stay in one fold; a fold's pictures are
// answered once and choose nothing. 4-registry is the same with the backbone that every user can fetch; 4-ensemble joins checkpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gleaner/prove/internal/cv"
	"gleaner/train"
	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/export/parity"
	"gleaner/train/recipe"
)

const bars = "macro-F1 at least 0.86 frozen and 0.93 fine-tuned, the worst class's recall 0.80; int8 at most 1 point worse by the paired test"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &proof{}
	err := p.run(ctx)
	word := "PASS"
	if err = errors.Join(append(p.short, err)...); err != nil {
		word = "FAIL"
		p.figures = append(p.figures, "short: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", strings.Join(p.figures, "; "), bars, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

// proof gathers figures, and what falls short.
type proof struct {
	figures []string
	short   []error
}

// state adds a figure.
func (p *proof) state(name string, r *train.CrossValidation, bar float64) {
	p.figures = append(p.figures, name+" "+cv.Text(r))
	if r.Mean < bar {
		p.short = append(p.short, fmt.Errorf("%s is below %.2f", name, bar))
	}
}

func (p *proof) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "recycling")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data, err := cv.Data("trashnet")
	if err != nil {
		return err
	}
	file, err := cv.Model("mobilenet_v1_1.0_224_quant_embedding_extractor.tflite")
	if err != nil {
		return err
	}
	imagenet := slices.Clip([]string{"recipe=recycling", "val=0", "data=" + data, "net=" + file, "cut=" + cv.MobileNetV1})
	frozen, err := cv.Run(ctx, dir, append(imagenet, "epochs=0")...)
	if err != nil {
		return err
	}
	p.state("frozen", frozen, 0.86)
	best, err := cv.Run(ctx, dir, imagenet...)
	if err != nil {
		return err
	}
	p.state("fine-tuned", best, 0.93)
	p.worst(best)
	return p.int8(ctx, best, imagenet)
}

// worst states the least recall of a class.
func (p *proof) worst(r *train.CrossValidation) {
	least := r.Classes[0]
	for _, c := range r.Classes {
		if c.Recall.Value < least.Recall.Value {
			least = c
		}
	}
	p.figures = append(p.figures, fmt.Sprintf("worst recall %s %v", least.Label, least.Recall))
	if least.Recall.Value < 0.80 {
		p.short = append(p.short, errors.New("the worst class's recall is below 0.80"))
	}
}

// int8 lets each fold go on through fake quantisation, and compares the int8 file with the float one on the fold's test pictures.
func (p *proof) int8(ctx context.Context, float *train.CrossValidation, keys []string) error {
	var all parity.Paired
	var right [2]int
	for i, f := range float.Folds {
		run := filepath.Dir(f.Bundle)
		o, err := cv.Options(append(keys, "probe=0", "epochs=2", "lr=0.00003", "quantise=8", "export=int8", "start="+filepath.Join(run, "best.safetensors"),
			"out="+run+"-int8", fmt.Sprintf("fold=%d/%d", i+1, cv.Folds))...)
		if err != nil {
			return err
		}
		r, err := train.Fit(ctx, o, false, cv.Tell())
		if err != nil {
			return fmt.Errorf("int8: %w", err)
		}
		answers, err := both(ctx, &o, f.Bundle, r.Bundle)
		if err != nil {
			return err
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
	p.figures = append(p.figures, fmt.Sprintf("int8 %v right, float %v, loss at most %.2f points", eval.Wilson(right[1], all.N), eval.Wilson(right[0], all.N), 100*all.LossBound()))
	if all.LossBound() > parity.Int8LossBar {
		p.short = append(p.short, errors.New("int8 may lose more than a point"))
	}
	return nil
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
