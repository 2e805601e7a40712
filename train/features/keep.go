package features

import "fmt"

// Keep is the n feature vectors in the file at path, or, where there is none or it cannot be read, those that compute gives, which are
// then written there. The caller names the file by everything that decides them. An empty path keeps nothing. A file that cannot be
// written costs the time to compute them again, no more: note, if not nil, is told of it.
func Keep(path string, n int, note func(string), compute func() ([][]float32, error)) ([][]float32, error) {
	if path != "" {
		if f, err := load(path, n); err == nil {
			return f, nil
		}
	}
	f, err := compute()
	if err != nil || path == "" {
		return f, err
	}
	if err := save(path, f); err != nil && note != nil {
		note(fmt.Sprintf("WARNING: the features are not kept, and are computed anew the next time: %v", err))
	}
	return f, nil
}
