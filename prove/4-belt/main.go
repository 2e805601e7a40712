// Command 4-belt proves the recycling recipe from end to end: a network is trained by it on one list of waste photos and on the crops
// that a camera takes of them on the drawn belt, with the backbone that every user can fetch and a picture of the empty belt; the belt
// then carries the photos of another list, which training never saw, past the pipeline with that bundle. The share of objects with the
// right verdict is compared with the bundle's on the same photos as stills.
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

	taughtCount = 1644 // each training photo once
)

func main() { proof.Main(bar, prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	lists, err := cv.Data("lists")
	if err != nil {
		return "", err
	}
	spec := belt.Camera(count, 1)
	spec.Belt.Pictures = filepath.Join(lists, "trashnet_val.txt")
	spec.Classify.Margin = 0 // training saw the photos alone, and on the belt a photo is the object
	floor := filepath.Join(dir, "belt.png")
	if err := belt.Photo(ctx, spec, floor); err != nil {
		return "", fmt.Errorf("the empty belt: %w", err)
	}
	taught := spec
	taught.Belt.Pictures, taught.Belt.Count = filepath.Join(lists, "trashnet_train.txt"), taughtCount
	taught.Belt.Speed, taught.Belt.Exposure = 5*taught.Belt.Speed, taught.Belt.Exposure/5 // less to draw, and as blurred
	list, err := belt.Crops(ctx, taught, filepath.Join(dir, "crops"), 2, 3, 4, 5)
	if err != nil {
		return "", fmt.Errorf("the crops of four belts with the training photos: %w", err)
	}
	// The probe, which has seen the photos as they are, tells 55 % of what a belt carries: the network answers alone.
	o, err := cv.Options("recipe=recycling", "val=0", "withprobe=false", "ground="+floor, "data="+list, "out="+filepath.Join(dir, "run"))
	if err != nil {
		return "", err
	}
	r, err := train.Fit(ctx, o, false, cv.Tell())
	if err != nil {
		return "", err
	}
	spec.Classify.Models = []string{r.Bundle}
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
