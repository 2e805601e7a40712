package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"gleaner/train/recipe"
)

// cropFirst cuts the objects out of the pictures of data=, as `data crop` with the same keys does, and lets the training have them.
// The crops lie beside the run's folder, so that they stay when the run is thrown away; a run that goes on has those that are there.
func cropFirst(c *cobra.Command, o *recipe.Options, keys []string, resume, asJSON bool) error {
	if o.Data == "" || o.Out == "" {
		return nil // train says what is missing
	}
	crop, err := parseCrop(append([]string{o.Data}, keys...))
	if err != nil {
		return &badInput{fmt.Errorf("--crop %w", err)}
	}
	crop.out = filepath.Clean(o.Out) + ".crops.set"
	if err := crop.run(c, &configFlags{}, asJSON); err != nil && !(resume && errors.Is(err, fs.ErrExist)) {
		return err
	}
	o.Data = crop.out
	return nil
}
