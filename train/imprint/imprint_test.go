//go:build cgo && !nonative

package imprint

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture/pictures"
	"gleaner/classify/prep"
	"gleaner/internal/shared"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/flat"
	"gleaner/model/tflite"
)

// TestHeadIsWhatRuns compares the answers of a shipped classifier, as a user gets it, with its head computed in Go on the backbone's
// features.
func TestHeadIsWhatRuns(t *testing.T) {
	native := filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))
	pics, err := pictures.Open("fashion-mnist:test")
	if err != nil {
		t.Skip(err)
	}
	entry, err := catalogue.Find("recycling")
	if err != nil {
		t.Fatal(err)
	}
	m, files, err := catalogue.Build(t.Context(), entry, "", catalogue.Options{NativeDir: native}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Write(filepath.Join(t.TempDir(), "recycling"), m, files)
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
	raw, err := os.ReadFile(filepath.Join("..", "..", "model", "bundle", "catalogue", "own", entry.Graft.Head))
	if err != nil {
		t.Fatal(err)
	}
	h, err := catalogue.ParseHead(raw)
	if err != nil {
		t.Fatal(err)
	}
	net, err := flat.ReadFile(filepath.Join(native, "models", "ssd-oidv4.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := catalogue.Backbone(net, entry.Graft.Tensors, m.Input)
	if err != nil {
		t.Fatal(err)
	}
	x, err := NewExtractor(back, m.Input)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	worst := 0.0
	for i := range 20 {
		im, err := pics.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		f, err := x.Features(im)
		if err != nil {
			t.Fatal(err)
		}
		fill.Fill(run.Inputs()[0].Data, im)
		if err := run.Invoke(); err != nil {
			t.Fatal(err)
		}
		for c, want := range softmax(h, f) {
			got := math.Float32frombits(binary.NativeEndian.Uint32(run.Outputs()[0].Data[4*c:]))
			worst = max(worst, math.Abs(float64(got)-want))
		}
	}
	t.Logf("worst difference %.1e", worst)
	// The logits are sums of 1,536 products in single precision.
	if worst > 3e-5 {
		t.Errorf("the network and the reference differ by %v", worst)
	}
}

// softmax is the reference: what the head makes of features, in double precision.
func softmax(h *catalogue.Head, f []float32) []float64 {
	out, sum := make([]float64, len(h.W)), 0.0
	for c := range out {
		out[c] = float64(h.B[c])
		for k, v := range h.W[c] {
			out[c] += float64(v) * float64(f[k])
		}
		out[c] = math.Exp(out[c])
		sum += out[c]
	}
	for c := range out {
		out[c] /= sum
	}
	return out
}

// TestMake makes a classifier of a folder of photographs and opens it as a bundle.
func TestMake(t *testing.T) {
	o := DefaultMakeOptions()
	o.NativeDir = filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))
	o.Pictures, o.Name, o.Size = shared.Path(t, "data/masks3"), "masks", 96
	m, err := Make(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Write(filepath.Join(t.TempDir(), "마스크"), m.Manifest, m.Files)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d classes of %d pictures, %d left out: %.3f on %s", len(b.Labels), m.Train, m.Skipped, b.Manifest.Accuracy, b.Manifest.AccuracyOn)
	if b.Manifest.Accuracy < 0.6 || m.Test < 50 || len(b.Labels) < 3 {
		t.Errorf("%d classes, accuracy %.3f on %d pictures", len(b.Labels), b.Manifest.Accuracy, m.Test)
	}
	for _, c := range []struct {
		name   string
		spoil  func(o *MakeOptions)
		expect string
	}{
		{"no pictures", func(o *MakeOptions) { o.Pictures = "/no/such" }, "imprint /no/such"},
		{"no setup", func(o *MakeOptions) { o.NativeDir = t.TempDir() }, "run make setup"},
		{"no such layer", func(o *MakeOptions) { o.Tensors = []int{9999} }, "tensor 9999"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := o
			c.spoil(&o)
			if _, err := Make(context.Background(), o); err == nil || !strings.Contains(err.Error(), c.expect) {
				t.Errorf("error is %v, want it to contain %q", err, c.expect)
			}
		})
	}
}
