//go:build cgo && !nonative

package garments

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"testing"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify/prep"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/tflite"
)

// TestShipped wants of the demo's classifier, as a user gets it, what its manifest says, on garments on the belt that chose nothing.
func TestShipped(t *testing.T) {
	test, err := pictures.Open("fashion-mnist:test")
	if err != nil {
		t.Skip(err)
	}
	entry, err := catalogue.Find("garments")
	if err != nil {
		t.Fatal(err)
	}
	m, files, err := catalogue.Build(t.Context(), entry, "", catalogue.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Write(filepath.Join(t.TempDir(), "garments"), m, files)
	if err != nil {
		t.Fatal(err)
	}
	run, err := tflite.Open(b.ModelPath(), tflite.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	fill, err := prep.New(m.Input, run.Inputs()[0])
	if err != nil {
		t.Fatal(err)
	}
	right, n := 0, 0
	if err := belts(test, 6000, 6400, 9)[0](t.Context(), func(im capture.Image, class int) error {
		fill.Fill(run.Inputs()[0].Data, im)
		if err := run.Invoke(); err != nil {
			return err
		}
		best, top := 0, float32(-1)
		for k := range b.Labels {
			if p := math.Float32frombits(binary.NativeEndian.Uint32(run.Outputs()[0].Data[4*k:])); p > top {
				best, top = k, p
			}
		}
		if n++; best == class {
			right++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := float64(right) / float64(n)
	t.Logf("%.3f of %d; the manifest says %.4f on %s", got, n, m.Accuracy, m.AccuracyOn)
	if n < 380 || m.Accuracy < 0.88 || got < m.Accuracy-0.06 { // the standard deviation of such a sample is 0.016
		t.Errorf("%.3f of %d are right, the manifest says %.4f", got, n, m.Accuracy)
	}
}
