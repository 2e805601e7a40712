package net

import (
	"math"
	"math/rand/v2"
	"testing"

	"gleaner/train/engine"
)

// worn are weights as training might leave them: all of them off their first values, variances positive.
func worn(n *Net, seed uint64) Weights {
	w := n.First(seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, v := range n.Vars() {
		d := w[v.Name]
		for i := range d {
			switch {
			case v.Role == engine.Stat && d[i] == 1: // a variance
				d[i] = 0.2 + 2*r.Float32()
			case d[i] == 1 || d[i] == 0: // γ, β, a bias, a mean
				d[i] += 0.3 * float32(r.NormFloat64())
			}
		}
	}
	return w
}

func TestFoldedNames(t *testing.T) {
	for name, want := range map[string][2]int{ // how many norms there are, and how many stay
		"cnn-bn": {8, 0}, "resnet18": {20, 0}, "mobilenetv2": {52, 0}, "densenet121": {121, 62}, "cnn-small": {0, 0},
	} {
		n, err := New(name, small[name])
		if err != nil {
			t.Fatal(err)
		}
		f, w, err := n.Fold(worn(n, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]int{norms(n), norms(f)}; got != want {
			t.Errorf("%s has %d norms, and %d when it is folded, want %v", name, got[0], got[1], want)
		}
		for _, v := range f.Vars() {
			if len(w[v.Name]) != v.Shape.Size() {
				t.Errorf("%s: %d numbers for %s %v", name, len(w[v.Name]), v.Name, v.Shape)
			}
			for _, x := range w[v.Name] {
				if math.IsNaN(float64(x)) {
					t.Fatalf("%s: %s is not a number", name, v.Name)
				}
			}
		}
		if _, _, err := n.Fold(Weights{}); err == nil {
			t.Errorf("%s: folded without weights", name)
		}
	}
}

func norms(n *Net) (count int) {
	for _, v := range n.vars {
		if v.v.Name == v.layer+"/gamma" {
			count++
		}
	}
	return count
}
