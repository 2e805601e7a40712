// Command 4-same proves that one seed gives one bundle, byte for byte: a recipe is run twice on the same pictures, into two folders,
// and every file of the two bundles is compared.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
)

func main() { proof.Main("the same files, byte for byte", prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	data, err := cv.Data("masks3")
	if err != nil {
		return "", err
	}
	var bundles []string
	for _, name := range []string{"first", "second"} {
		// The name of the bundle is that of the folder, unless it is given.
		o, err := cv.Options("recipe=masks", "data="+data, "epochs=2", "name=same", "out="+filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		r, err := train.Fit(ctx, o, false, cv.Tell())
		if err != nil {
			return "", err
		}
		bundles = append(bundles, r.Bundle)
	}
	files, size := 0, 0
	var errs []error
	err = filepath.WalkDir(bundles[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(bundles[0], path)
		if err != nil {
			return err
		}
		a, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(bundles[1], name))
		if err != nil || !bytes.Equal(a, b) {
			errs = append(errs, fmt.Errorf("%s differs (%v)", name, err))
		}
		files, size = files+1, size+len(a)
		return nil
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d files, %d bytes, twice the same", files, size), nil
}
