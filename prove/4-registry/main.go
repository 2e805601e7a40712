// Command 4-registry proves the recycling recipe as it stands, with the registry's backbone, which every user can fetch, on 2,055
// photos of waste by five-fold cross-validation: heads on the frozen backbone, and fine-tuning. Near copies stay in one fold; a
// fold's pictures are answered once and choose nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
)

const bars = "macro-F1 at least 0.74 frozen and 0.88 fine-tuned; frozen heads within 60 s once features are cached"

func main() { proof.Main(bars, prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	data, err := cv.Data("trashnet")
	if err != nil {
		return "", err
	}
	keys := slices.Clip([]string{"recipe=recycling", "val=0", "data=" + data})
	frozen, err := cv.Run(ctx, dir, append(keys, "epochs=0")...)
	if err != nil {
		return "", err
	}
	took, err := quick(ctx, filepath.Join(dir, "quick"), keys)
	if err != nil {
		return "", err
	}
	figure = fmt.Sprintf("frozen %s in %.0f CPU-seconds each", cv.Text(frozen), took)
	tuned, err := cv.Run(ctx, dir, keys...)
	if err != nil {
		return figure, err
	}
	figure += ", fine-tuned and joined with its probe " + cv.Text(tuned)
	if frozen.Mean < 0.74 || tuned.Mean < 0.88 {
		return figure, errors.New("macro-F1 is below its bar")
	}
	if took > 60 {
		return figure, errors.New("frozen heads take more than 60 s")
	}
	return figure, nil
}

// quick is how many CPU-seconds the fit of a frozen backbone's heads takes; the features are in the cache by now.
func quick(ctx context.Context, out string, keys []string) (seconds float64, err error) {
	o, err := cv.Options(append(keys, "epochs=0", "fold=1/5", "out="+out)...)
	if err != nil {
		return 0, err
	}
	before := proof.Used()
	_, err = train.Fit(ctx, o, false, cv.Tell())
	return proof.Used() - before, err
}
