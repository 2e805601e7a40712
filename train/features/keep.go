package features

import (
	"errors"
	"fmt"
	"io/fs"
)

// Keep is the n feature vectors in the file at path, or, where there is none or it is damaged, those that compute gives, which are
// then written there. The caller names the file by everything that decides them. An empty path keeps nothing.
func Keep(path string, n int, compute func() ([][]float32, error)) ([][]float32, error) {
	if path != "" {
		f, err := load(path, n)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamaged) {
			return nil, err
		}
	}
	f, err := compute()
	if err != nil || path == "" {
		return f, err
	}
	if err := save(path, f); err != nil {
		return nil, fmt.Errorf("keep features: %w", err)
	}
	return f, nil
}
