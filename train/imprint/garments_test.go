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

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/classify/prep"
	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/flat"
	"gleaner/model/tflite"
)

// shipped is the garment classifier as a user gets it.
type shipped struct {
	test   *pictures.Set
	entry  catalogue.Entry
	bundle *bundle.Bundle
	run    model.Runner
	prep   *prep.Prep
	native string
}

func openShipped(t *testing.T) *shipped {
	t.Helper()
	s := &shipped{native: filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))}
	var err error
	if s.test, err = pictures.Open("fashion-mnist:test"); err != nil {
		t.Skip(err)
	}
	if s.entry, err = catalogue.Find("garments"); err != nil {
		t.Fatal(err)
	}
	m, files, err := catalogue.Build(context.Background(), s.entry, "", catalogue.Options{NativeDir: s.native}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.bundle, err = bundle.Write(filepath.Join(t.TempDir(), "garments"), m, files); err != nil {
		t.Fatal(err)
	}
	if s.run, err = tflite.Open(s.bundle.ModelPath(), tflite.DefaultOptions()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.run.Close() })
	if s.prep, err = prep.New(s.bundle.Manifest.Input, s.run.Inputs()[0]); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shipped) probs(t *testing.T, im capture.Image) []float32 {
	t.Helper()
	s.prep.Fill(s.run.Inputs()[0].Data, im)
	if err := s.run.Invoke(); err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(s.bundle.Labels))
	for i := range out {
		out[i] = math.Float32frombits(binary.NativeEndian.Uint32(s.run.Outputs()[0].Data[4*i:]))
	}
	return out
}

// score is the share of right answers to what j shows.
func (s *shipped) score(t *testing.T, j job) float64 {
	t.Helper()
	right, n := 0, 0
	err := j(context.Background(), func(im capture.Image, class int) error {
		p, best := s.probs(t, im), 0
		for i := range p {
			if p[i] > p[best] {
				best = i
			}
		}
		if n++; best == class {
			right++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return float64(right) / float64(n)
}

// TestGarmentsAccuracy wants of the shipped classifier what its manifest says, on pictures that it has not seen.
func TestGarmentsAccuracy(t *testing.T) {
	s := openShipped(t)
	g, m := gatherer{}, s.bundle.Manifest
	stills := s.score(t, g.stills(s.test, 3000, 3400)[0])
	belt := s.score(t, func(ctx context.Context, show func(capture.Image, int) error) error {
		return beltCrops(ctx, s.test, 4000, 4300, 1, 9, classify.DefaultOptions(), show)
	})
	t.Logf("stills %.3f of 400, belt %.3f of 300; the manifest says %.4f on %s", stills, belt, m.Accuracy, m.AccuracyOn)
	if m.Accuracy < 0.85 {
		t.Errorf("the manifest says %.3f, at least 0.85 is wanted", m.Accuracy)
	}
	// Samples as small as these have standard deviations of 0.018 and 0.021.
	if stills < m.Accuracy-0.07 {
		t.Errorf("stills: %.3f, the manifest says %.3f", stills, m.Accuracy)
	}
	if belt < 0.83-0.08 {
		t.Errorf("on the belt: %.3f", belt)
	}
}

// TestGarmentsIsItsHead compares the network's answers with the head computed in Go on the backbone's features.
func TestGarmentsIsItsHead(t *testing.T) {
	s := openShipped(t)
	raw, err := os.ReadFile(filepath.Join("..", "..", "model", "bundle", "catalogue", "heads", s.entry.Graft.Head))
	if err != nil {
		t.Fatal(err)
	}
	h, err := catalogue.ParseHead(raw)
	if err != nil {
		t.Fatal(err)
	}
	net, err := flat.ReadFile(filepath.Join(s.native, "models", "ssd-oidv4.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := catalogue.Backbone(net, s.entry.Graft.Tensors, s.bundle.Manifest.Input)
	if err != nil {
		t.Fatal(err)
	}
	x, err := NewExtractor(back, s.bundle.Manifest.Input)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	worst := 0.0
	for i := range 20 {
		im, err := s.test.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		f, err := x.Features(im)
		if err != nil {
			t.Fatal(err)
		}
		want, got := softmax(h, f), s.probs(t, im)
		for c := range got {
			worst = max(worst, math.Abs(float64(got[c])-want[c]))
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
