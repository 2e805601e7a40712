// Command 4-weather proves the weather recipe by five-fold cross-validation on 884 photos whose class is in the file name. Near
// copies stay in one fold; a fold's pictures choose nothing.
package main

import (
	"context"
	"fmt"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
)

const bar = 0.98

func main() { proof.Main(fmt.Sprintf("macro-F1 at least %.2f", bar), prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	data, err := cv.Data("weather")
	if err != nil {
		return "", err
	}
	imagenet, err := cv.ImageNet()
	if err != nil {
		return "", err
	}
	registry, err := cv.Run(ctx, dir, "recipe=weather", "val=0", "data="+data, "epochs=0")
	if err != nil {
		return "", err
	}
	best, err := cv.Run(ctx, dir, append(imagenet, "recipe=weather", "val=0", "data="+data)...)
	if err != nil {
		return "", err
	}
	figure = fmt.Sprintf("macro-F1 %s with an ImageNet backbone, %s with heads on the registry's, frozen", cv.Text(best), cv.Text(registry))
	if best.Mean < bar {
		return figure, proof.ErrShort
	}
	return figure, nil
}
