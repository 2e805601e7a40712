// Command 4-belt proves the recycling recipe from end to end: a network is trained by it on one list of waste photos, with the backbone
// that every user can fetch; the drawn belt then carries the photos of another list, which training never saw, past the pipeline
// with that bundle. The share of objects with the right verdict is compared with the bundle's on the same photos as stills.
package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"gleaner/prove/internal/belt"
	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
)

const (
	bar   = "every object once, and the share with the right verdict at least that of the stills"
	count = 400
)

func main() { proof.Main(bar, prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	lists, err := cv.Data("lists")
	if err != nil {
		return "", err
	}
	o, err := cv.Options("recipe=recycling", "val=0", "data="+filepath.Join(lists, "trashnet_train.txt"), "out="+filepath.Join(dir, "run"))
	if err != nil {
		return "", err
	}
	r, err := train.Fit(ctx, o, false, cv.Tell())
	if err != nil {
		return "", err
	}
	spec := belt.Camera(count, 1)
	spec.Classify.Models = []string{r.Bundle}
	spec.Belt.Pictures = filepath.Join(lists, "trashnet_val.txt")
	b, err := belt.Run(ctx, spec)
	if err != nil {
		return "", err
	}
	figure = fmt.Sprintf("%d waste photos that training never saw: %d missed, %d twice, %d of nothing; right %.1f %%, as stills %.1f %%", b.Objects, b.Missed,
		b.Doubled, b.Stray, 100*b.Right(), 100*b.Still)
	if b.Right() < b.Still || b.Objects != count || b.Missed+b.Doubled > 0 {
		return figure, errors.New("the belt costs verdicts")
	}
	return figure, nil
}
