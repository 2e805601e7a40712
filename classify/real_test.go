//go:build cgo && !nonative

package classify_test

import (
	"image/jpeg"
	"os"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/classify/classifytest"
	"gleaner/classify/prep"
	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

// realModel is a MobileNet of ../shared on the real runtime.
func realModel(t testing.TB, file string, side int) classify.Classifier {
	path := shared.Path(t, "models/models/"+file)
	text, err := os.ReadFile(shared.Path(t, "models/labels/imagenet_labels.txt"))
	if err != nil {
		t.Fatal(err)
	}
	labels, err := bundle.ParseLabels(text)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := model.NewPool(func() (model.Runner, error) { return tflite.Open(path, tflite.DefaultOptions()) }, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := classify.NewModel(&bundle.Bundle{Labels: labels, SHA256: pool.Info().SHA256, Manifest: bundle.Manifest{
		Name: file, Head: "probs", Background: true, Input: bundle.Input{Prep: prep.Linear, Width: side, Height: side,
			Colour: "rgb", Mean: []float32{128}, Std: []float32{128}, Fit: "crop"}}}, pool)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func photo(t testing.TB, rel string) capture.Image {
	f, err := os.Open(shared.Path(t, rel))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return capture.FromGo(im)
}

// TestRealModels names what known photos show, with quantised networks and their mean.
func TestRealModels(t *testing.T) {
	v2, ptq := realModel(t, "mobilenet_v2_1.0_224_quant.tflite", 224), realModel(t, "tf2_mobilenet_v2_1.0_224_ptq.tflite", 224)
	both, err := classify.NewEnsemble([]classify.Classifier{v2, ptq})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct{ file, want string }{
		{"hot_dog.jpg", "hotdog"}, {"parrot.jpg", "macaw"},
	} {
		im := photo(t, "models/images/"+p.file)
		for name, c := range map[string]classify.Classifier{"v2 quant": v2, "v2 ptq": ptq, "both": both} {
			probs, err := c.Classify(t.Context(), im, nil)
			if err != nil {
				t.Fatal(err)
			}
			top := classify.TopK(probs, 3, nil)
			t.Logf("%s, %s: %s %.2f, %s %.2f", p.file, name, c.Labels()[top[0].Class], top[0].P, c.Labels()[top[1].Class], top[1].P)
			if got := c.Labels()[top[0].Class]; !strings.Contains(got, p.want) {
				t.Errorf("%s shows %q to %s", p.file, got, name)
			}
		}
	}
}

func TestRealConformance(t *testing.T) {
	classifytest.Run(t, func(t testing.TB) classify.Classifier {
		return realModel(t, "mobilenet_v1_0.25_128_quant.tflite", 128)
	})
}
