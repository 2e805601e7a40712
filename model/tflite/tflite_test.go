//go:build cgo && !nonative

package tflite

import (
	"path/filepath"
	"testing"
	"time"

	"gleaner/internal/shared"
)

func TestLook(t *testing.T) {
	root := shared.Path(t, "models/models")
	files, _ := filepath.Glob(root + "/*.tflite")
	for _, f := range files {
		for _, o := range []Options{DefaultOptions()} {
			s := time.Now()
			r, err := Open(f, o)
			t.Log(filepath.Base(f), time.Since(s), err)
			if err == nil {
				t.Logf("%+v", r.Info())
				for _, x := range append(r.Inputs(), r.Outputs()...) {
					t.Log("   ", x.Name, x.Type, x.Shape, x.Scale, x.Zero, len(x.Data))
				}
				r.Close()
				r.Close()
			}
		}
	}
}
