//go:build cgo && !nonative

package daemon

import "testing"

// withModel has the camera classify with a real network, and reports that it does.
func withModel(t *testing.T, o *Options) bool {
	store, one, _, _ := twoBundles(t)
	o.Models.Dir, o.Models.Workers = store.Dir(), 1
	o.Cameras[0].Classify.Models = []string{one}
	return true
}
