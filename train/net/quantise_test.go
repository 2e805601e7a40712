package net

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gleaner/train/engine"
)

// noise are batches of pictures between -1 and 1, soft as pictures are.
func noise(n *Net, batch, count int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		r := rand.New(rand.NewPCG(11, 4))
		for range count {
			x := make([]float32, batch*n.Input.Size())
			for i := range x {
				x[i] = float32(math.Sin(float64(i%97)/7+r.Float64()) * r.Float64())
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

func first(s iter.Seq2[[]float32, error]) []float32 {
	for x := range s {
		return x
	}
	return nil
}

// answers are a network's logits on a batch, head by head.
func answers(t *testing.T, n *Net, w Weights, batch int, x []float32, o EvalOptions) (out []float32) {
	t.Helper()
	o.Logits = true
	p, err := n.Evaluation(batch, o)
	if err != nil {
		t.Fatal(err)
	}
	b := newBackend()
	defer b.Close()
	if err := n.Load(b, w); err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var outs [][]float32
	for _, v := range p.Outputs {
		outs = append(outs, make([]float32, v.Shape.Size()))
	}
	if err := engine.Run(r, [][]float32{x}, outs); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(outs...)
}

// TestFoldedAnswersTheSame compares a network with its folded one: 1e-5 of the greatest logit.
func TestFoldedAnswersTheSame(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			n, err := New(name, small[name])
			if err != nil {
				t.Fatal(err)
			}
			w := worn(n, 3)
			f, fw, err := n.Fold(w)
			if err != nil {
				t.Fatal(err)
			}
			x := first(noise(n, 2, 1))
			want := answers(t, n, w, 2, x, EvalOptions{})
			got := answers(t, f, fw, 2, x, EvalOptions{})
			if d, s := worst(got, want); d > 1e-5*s || s == 0 {
				t.Errorf("off by %g of %g", d, s)
			}
		})
	}
}

// TestQuantisedBuildIsNear calibrates each folded preset and compares the quantised build with the float one: within a tenth of
// the spread of its logits on the mean of three draws, which is what rounding to 8 bits in each of many layers costs networks with
// weights drawn by chance.
func TestQuantisedBuildIsNear(t *testing.T) {
	names := Names()
	if testing.Short() {
		names = []string{"cnn-bn", "dense", "mobilenetv2", "resnet-small"}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			n, err := New(name, small[name])
			if err != nil {
				t.Fatal(err)
			}
			if norms(n) > 0 {
				_, err := n.Evaluation(2, EvalOptions{Quantise: 8})
				if err == nil || !strings.Contains(err.Error(), "folded") {
					t.Fatalf("quantised without folding: %v", err)
				}
			}
			off := 0.0
			for seed := range uint64(3) {
				one := quantisedOff(t, n, seed+5)
				t.Logf("off by %.3f of the spread", one)
				off += one / 3
			}
			if off == 0 || off > 0.1 {
				t.Errorf("off by %.3f of the spread", off)
			}
			f, _, err := n.Fold(n.First(5))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Training(2, TrainOptions{Quantise: 8, Optimiser: engine.Optimiser{Kind: "sgd"}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// quantisedOff is how far the quantised build is from the float one, as a share of the logits' spread, for one draw of weights.
func quantisedOff(t *testing.T, n *Net, seed uint64) float64 {
	t.Helper()
	b := newBackend()
	defer b.Close()
	w, err := n.FitNorms(b, n.First(seed), 4, noise(n, 4, 3))
	if err != nil {
		t.Fatal(err)
	}
	if n, w, err = n.Fold(w); err != nil {
		t.Fatal(err)
	}
	if w, err = n.Calibrate(b, w, 4, noise(n, 4, 3)); err != nil {
		t.Fatal(err)
	}
	x := first(noise(n, 4, 1))
	want := answers(t, n, w, 4, x, EvalOptions{})
	got := answers(t, n, w, 4, x, EvalOptions{Quantise: 8})
	return rms(got, want) / rms(want, make([]float32, len(want)))
}

// TestQuantisedSteps lists what a quantised build rounds, for one network with everything in it.
func TestQuantisedSteps(t *testing.T) {
	n, err := New("densenet121", small["densenet121"])
	if err != nil {
		t.Fatal(err)
	}
	n, _, err = n.Fold(n.First(8))
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Evaluation(1, EvalOptions{Quantise: 8, Logits: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Steps {
		if s.Op.Kind == engine.Reshape {
			continue
		}
		got = append(got, fmt.Sprintf("%s %s", s.Op.Kind, s.Op.Layer))
	}
	want := []string{"fake_quant input", "fake_quant_w stem", "conv2d stem", "relu stem", "fake_quant stem", "maxpool pool",
		"norm_infer stage1/layer1/norm", "relu stage1/layer1/norm", "fake_quant stage1/layer1/norm",
		"fake_quant_w stage1/layer1/conv1", "conv2d stage1/layer1/conv1", "relu stage1/layer1/conv1", "fake_quant stage1/layer1/conv1",
		"fake_quant_w stage1/layer1/conv2", "conv2d stage1/layer1/conv2", "fake_quant stage1/layer1/conv2",
		"concat stage1/layer1/concat", "fake_quant stage1/layer1/concat"}
	if !slices.Equal(got[:len(want)], want) {
		t.Errorf("the first steps are\n%s", strings.Join(got[:len(want)], "\n"))
	}
	want = []string{"norm_infer norm", "relu norm", "fake_quant norm", "gap gap", "fake_quant gap",
		"fake_quant_w head/class", "dense head/class", "fake_quant head/class"}
	if !slices.Equal(got[len(got)-len(want):], want) {
		t.Errorf("the last steps are\n%s", strings.Join(got[len(got)-len(want):], "\n"))
	}
	i := slices.Index(got, "avgpool transition1/pool")
	if i < 0 || got[i+1] != "fake_quant transition1/pool" || n.Var("transition1/pool/range") != nil {
		t.Error("the average pooling is not rounded in the range of what it reads")
	}
}

func TestCalibrateRefuses(t *testing.T) {
	n, err := New("cnn-small", small["cnn-small"])
	if err != nil {
		t.Fatal(err)
	}
	b := newBackend()
	defer b.Close()
	if _, err := n.Calibrate(b, n.First(8), 2, noise(n, 2, 0)); err == nil || !strings.Contains(err.Error(), "no pictures") {
		t.Errorf("no pictures: %v", err)
	}
	if _, err := n.Calibrate(b, n.First(8), 2, noise(n, 3, 1)); err == nil || !strings.Contains(err.Error(), "takes 128 numbers") {
		t.Errorf("a batch too large: %v", err)
	}
	w := n.First(8)
	w["conv/b"][0] = float32(math.NaN())
	if _, err := n.Calibrate(b, w, 2, noise(n, 2, 1)); err == nil || !strings.Contains(err.Error(), "conv/range") {
		t.Errorf("no number: %v", err)
	}
}
