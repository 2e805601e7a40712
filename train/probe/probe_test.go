package probe

import (
	"math/rand/v2"
	"strings"
	"testing"

	"gleaner/train/dataset"
	"gleaner/train/net"
)

// labelled is a set of labels alone, by example and head.
type labelled [][]int

func (l labelled) Len() int                                   { return len(l) }
func (labelled) Shape() []int                                 { return nil }
func (labelled) Heads() []dataset.Head                        { return nil }
func (l labelled) Label(i, head int) int                      { return l[i][head] }
func (labelled) Input(_ []float32, _ int, _ *rand.Rand) error { return nil }
func (labelled) Name(int) string                              { return "" }

var two = &net.Net{Heads: []net.Head{{Name: "material", Classes: 3}, {Name: "dirt", Classes: 2}}}

// things are n examples, two looks at each: the material decides the first two features, the dirt the third. The label of every fifth
// material is not known, and its features would mislead.
func things(n int) (x [][]float32, set labelled) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		set = append(set, []int{i % 3, i / 3 % 2})
	}
	for look := range 2 {
		for i := range n {
			f := []float32{float32(look) * 0.1, 0, float32(set[i][1]*2 - 1)}
			if m := i % 3; m > 0 {
				f[m-1] += 2
			}
			if i%5 == 0 {
				f[0], f[1] = 9, -9
			}
			for k := range f {
				f[k] += float32(r.NormFloat64()) * 0.1
			}
			x = append(x, f)
		}
	}
	for i := 0; i < n; i += 5 {
		set[i][0] = -1
	}
	return x, set
}

// TestFit: each head answers its own question, looks that come again have the labels of the first, and examples without a label teach
// nothing.
func TestFit(t *testing.T) {
	x, set := things(60)
	w, err := Fit(two, x, set, nil, Options{Decay: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	for h, head := range two.Heads {
		name, bias := net.HeadVars(head.Name)
		wrong := 0
		for i, f := range x {
			best, most := -1, float32(0)
			for k := range head.Classes {
				v := w[bias][k]
				for j, xj := range f {
					v += w[name][k*len(f)+j] * xj
				}
				if best < 0 || v > most {
					best, most = k, v
				}
			}
			if l := set[i%len(set)][h]; l >= 0 && best != l {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("head %s: %d of %d are wrong", head.Name, wrong, len(x))
		}
	}
}

// TestWeighted: a class that weighs more is answered more often where features tell nothing.
func TestWeighted(t *testing.T) {
	_, set := things(60)
	x := make([][]float32, 60)
	for i := range x {
		x[i] = []float32{0, 0, 0}
	}
	w, err := Fit(two, x, set, [][]float32{{1, 1, 1}, {1, 4}}, Options{Decay: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	if _, b := net.HeadVars("dirt"); !(w[b][1] > w[b][0]+1) {
		t.Errorf("the biases are %v", w[b])
	}
}

func TestFitRefuses(t *testing.T) {
	none := labelled{{-1, 0}, {-1, 1}}
	if _, err := Fit(two, [][]float32{{1}, {2}}, none, nil, Options{Decay: 0.01}); err == nil || !strings.Contains(err.Error(), "material") {
		t.Errorf("a head without labels: %v", err)
	}
}
