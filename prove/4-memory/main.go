// Command 4-memory proves that memory does not grow with the data: a set of 370,000 pictures is trained on, one epoch of a real
// network, by a process that may have 1 GB; and that an import costs little more than decoding: as many pictures per second of
// processor time as at least nine tenths of what the JPEG decoder alone reaches on the same files and cores.
package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"gleaner/internal/shared"
	"gleaner/prove/internal/proof"
)

const (
	pictures = 370_000
	side     = 64 // of a picture, pixels
	limit    = 1_000_000_000
	ratio    = 0.9
	bar      = "370,000 pictures, one epoch, anonymous memory at most 1 GB; import at least 0.9 of the JPEG decoder alone"
)

func main() {
	proof.Main(bar, func(_ context.Context, dir string) (string, error) {
		figure, ok, err := run(dir)
		if err == nil && !ok {
			err = proof.ErrShort
		}
		return figure, err
	})
}

func run(dir string) (figure string, ok bool, err error) {
	root := shared.Root()
	if root == "" {
		return "", false, errors.New("no test material: set GLEANER_SHARED")
	}
	ok = true
	for _, name := range []string{"data/trashnet", "data/aihub/composite"} {
		r, err := importRate(filepath.Join(root, name), dir)
		if err != nil {
			return figure, false, fmt.Errorf("import of %s: %w", name, err)
		}
		figure += fmt.Sprintf("import of %s %s; ", filepath.Base(name), r)
		ok = ok && r.ratio() >= ratio
	}
	path := filepath.Join(dir, "many.set")
	if err := room(dir); err != nil {
		return figure, false, err
	}
	if err := generate(path); err != nil {
		return figure, false, fmt.Errorf("generate %d pictures: %w", pictures, err)
	}
	t, err := trainWithin(path, dir)
	if err != nil {
		return figure, false, fmt.Errorf("train: %w", err)
	}
	figure += t.String()
	return figure, ok && t.steps >= t.wanted && t.anon > 0 && t.anon <= limit, nil
}
