//go:build cgo && !nonative

package export_test

import (
	"testing"

	"gleaner/train/engine"
	"gleaner/train/export"
	"gleaner/train/export/parity"
	"gleaner/train/net"
)

// TestPresets writes small builds of all networks that train/net has, folded with fake quantisation as well.
func TestPresets(t *testing.T) {
	small := map[string]net.Options{
		"head": {Input: engine.Shape{40}, Units: 16}, "dense": {Units: 16}, "cnn-small": {Input: engine.Shape{12, 12, 1}, Width: 0.25, Units: 16},
		"cnn-deep": {Input: engine.Shape{16, 16, 3}, Width: 0.25, Units: 16}, "cnn-bn": {Input: engine.Shape{16, 16, 3}, Width: 0.25},
		"vgg16": {Input: engine.Shape{32, 32, 3}, Width: 0.1, Units: 16}, "resnet-small": {Input: engine.Shape{16, 16, 1}, Width: 0.5},
		"resnet18": {Input: engine.Shape{32, 32, 3}, Width: 0.125}, "resnet50": {Input: engine.Shape{32, 32, 3}, Width: 0.125},
		"mobilenetv2": {Input: engine.Shape{32, 32, 3}, Width: 0.1}, "densenet121": {Input: engine.Shape{32, 32, 3}, Width: 0.1},
	}
	for _, name := range net.Names() {
		o, ok := small[name]
		if !ok {
			t.Errorf("network %s has no small build here: add it", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			n, err := net.New(name, o)
			if err != nil {
				t.Fatal(err)
			}
			sample := pictures(8, n.Input, 3)
			batches := func(yield func([]float32, error) bool) {
				x := make([]float32, sample.N*n.Input.Size())
				for i := range sample.N {
					if err := sample.At(i, x[i*n.Input.Size():(i+1)*n.Input.Size()]); err != nil {
						t.Error(err)
					}
				}
				yield(x, nil)
			}
			b := newBackend()
			defer b.Close()
			w, err := n.FitNorms(b, n.First(1), sample.N, batches)
			if err != nil {
				t.Fatal(err)
			}
			for _, kind := range export.Kinds() {
				o := export.Options{Kind: kind, Calibration: &export.Calibration{Backend: b, Pictures: sample}}
				writes(t, b, n, w, net.EvalOptions{}, o, map[export.Kind]float64{export.Float32: 1e-5, export.Float16: parity.Float16Bar, export.Int8: 0.35}[kind])
			}
			f, fw, err := n.Fold(w)
			if err != nil {
				t.Fatal(err)
			}
			if fw, err = f.Calibrate(b, fw, sample.N, batches); err != nil {
				t.Fatal(err)
			}
			writes(t, b, f, fw, net.EvalOptions{Quantise: 8}, export.Options{Kind: export.Int8}, 0.15)
		})
	}
}

// writes writes a network and wants its file to answer as it does.
func writes(t *testing.T, b engine.Backend, n *net.Net, w net.Weights, e net.EvalOptions, o export.Options, bar float64) {
	t.Helper()
	p, err := n.Evaluation(1, e)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Load(b, w); err != nil {
		t.Fatal(err)
	}
	f, err := export.Write(p, func(v *engine.Var) []float32 { return w[v.Name] }, o)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := parity.NewReference(b, p)
	if err != nil {
		t.Fatal(err)
	}
	defer ref.Close()
	run := open(t, f.Bytes, "")
	r, err := parity.Verify(run, ref, pictures(8, n.Input, 4), o.Kind)
	if r == nil {
		t.Fatal(err)
	}
	t.Log(r, " quantised ", e.Quantise, run.Info().Ladder)
	if h := r.Heads[0]; h.MaxDelta > bar {
		t.Errorf("%s with quantise %d: |Δp| %.2g where %g is allowed", o.Kind, e.Quantise, h.MaxDelta, bar)
	}
}
