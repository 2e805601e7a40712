// Command 4-recycling proves the recycling recipe with an ImageNet backbone on 2,055 photos of waste by five-fold cross-validation:
// heads on the frozen backbone, and fine-tuning, after which the bundle answers with the mean of the network before and after
// (withprobe=). Near copies stay in one fold; a fold's pictures are answered once and choose nothing. 4-registry is the same with the
// backbone that every user can fetch, 4-int8 the int8 sequel, and 4-ensemble joins checkpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
)

const bars = "macro-F1 at least 0.86 frozen and 0.93 fine-tuned, the worst class's recall 0.80"

func main() {
	proof.Main(bars, func(ctx context.Context, dir string) (string, error) {
		p := &tally{}
		err := p.run(ctx, dir)
		return strings.Join(p.figures, "; "), errors.Join(append(p.short, err)...)
	})
}

// tally gathers figures, and what falls short.
type tally struct {
	figures []string
	short   []error
}

// state adds a figure.
func (p *tally) state(name string, r *train.CrossValidation, bar float64) {
	p.figures = append(p.figures, name+" "+cv.Text(r))
	if r.Mean < bar {
		p.short = append(p.short, fmt.Errorf("%s is below %.2f", name, bar))
	}
}

func (p *tally) run(ctx context.Context, dir string) error {
	data, err := cv.Data("trashnet")
	if err != nil {
		return err
	}
	net, err := cv.ImageNet()
	if err != nil {
		return err
	}
	imagenet := slices.Clip(append(net, "recipe=recycling", "val=0", "data="+data))
	frozen, err := cv.Run(ctx, dir, append(imagenet, "epochs=0")...)
	if err != nil {
		return err
	}
	p.state("frozen", frozen, 0.86)
	best, err := cv.Run(ctx, dir, imagenet...)
	if err != nil {
		return err
	}
	p.state("fine-tuned and joined with its probe", best, 0.93)
	p.worst(best)
	return nil
}

// worst states the least recall of a class.
func (p *tally) worst(r *train.CrossValidation) {
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
