package train

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/classify"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/export/trial"
	"gleaner/train/recipe"
)

// TestUnknown puts the score of unknown objects into files of every make: the manifest states the threshold, the report says so, and
// the daemon's classifier refuses of the validation pictures the share that the manifest states, and noise.
func TestUnknown(t *testing.T) {
	if !trial.Possible() {
		t.Skip("no TensorFlow Lite in this build")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := garments(t, 400)
	first, _, err := fit(t, options(t, dir, "net=cnn-small", "epochs=1"), false)
	if err != nil {
		t.Fatal(err)
	}
	backbone := filepath.Join(first.Bundle, bundle.ModelFile)
	for _, c := range []struct {
		name string
		keys []string
	}{
		{"a probe, float32", []string{taught(t, dir), "units=0", "probe=0.01", "epochs=0"}},
		{"squares", []string{"net=" + backbone, "units=0", "probe=0.03", "squares=4", "epochs=0"}},
		{"float16", []string{"epochs=1", "export=float16"}},
		{"an ensemble", []string{"net=cnn-small", "ensemble=4", "epochs=6", "lr=0.01", "schedule=constant"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t, dir, append([]string{"unknown=0.1", "report=true"}, c.keys...)...)
			r, notes, err := fit(t, o, false)
			if err != nil {
				t.Fatal(err)
			}
			b, err := bundle.Open(r.Bundle)
			if err != nil {
				t.Fatal(err)
			}
			u := b.Manifest.Unknown
			if u == nil || u.Output != 1 || u.Refused > 0.1 || u.Refused < 0.05 || !strings.Contains(notes, "unknown objects: ") {
				t.Fatalf("the manifest has %+v; it said %s", u, notes)
			}
			if !strings.Contains(string(read(t, r.Bundle, "report.json")), "unknown to it") {
				t.Error("the report does not say so")
			}
			if got := refused(t, o, b); got != u.Refused {
				t.Errorf("%g of the validation pictures are refused, the manifest says %g", got, u.Refused)
			}
		})
	}
}

// TestUnknownOfInterrupted: a run that is ended while its bundle is made has the score all the same.
func TestUnknownOfInterrupted(t *testing.T) {
	if !trial.Possible() {
		t.Skip("no TensorFlow Lite in this build")
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	r, err := Fit(ctx, options(t, garments(t, 400), "unknown=0.1", "net=cnn-small", "epochs=1"), false, Reporter{Note: func(line string) {
		if strings.HasPrefix(line, "the file beside the network") {
			end()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(r.Bundle)
	if err != nil || ctx.Err() == nil {
		t.Fatal(err, ctx.Err())
	}
	if b.Manifest.Unknown == nil {
		t.Error("the bundle has no score of unknown objects")
	}
}

// refused is the share of a run's validation pictures that its bundle takes for unknown objects.
func refused(t *testing.T, o recipe.Options, b *bundle.Bundle) float64 {
	t.Helper()
	pool, err := model.NewPool(func() (model.Runner, error) { return tflite.Open(b.ModelPath(), tflite.DefaultOptions()) }, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	by, err := classify.NewModel(b, pool)
	if err != nil {
		t.Fatal(err)
	}
	d, err := recipe.Open(t.Context(), &o, nil)
	if err != nil {
		t.Fatal(err)
	}
	val := d.Val.(*dataset.Subset)
	n := 0
	for _, i := range val.Index {
		im, err := val.Set.(*dataset.Pictures).Picture(i)
		if err != nil {
			t.Fatal(err)
		}
		_, familiar, err := classify.Look(t.Context(), by, im, nil)
		if err != nil {
			t.Fatal(err)
		}
		if familiar < 0 {
			n++
		}
	}
	return float64(n) / float64(len(val.Index))
}
