package unknown

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gleaner/model/flat"
	"gleaner/train/dataset"
)

// blob are n points of width numbers around a centre, all from 0 on, as features behind a ReLU are.
func blob(r *rand.Rand, n int, centre []float64, spread float64) [][]float32 {
	out := make([][]float32, n)
	for i := range out {
		out[i] = make([]float32, len(centre))
		for k, c := range centre {
			out[i][k] = float32(max(0, c+spread*r.NormFloat64()))
		}
	}
	return out
}

func TestScoreTellsFamiliarFromStrange(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const width = 40
	centre := func(at int) []float64 {
		c := make([]float64, width)
		for k := range 8 {
			c[at+k] = 1
		}
		return c
	}
	s, err := New(slices.Concat(blob(r, 60, centre(0), 0.2), blob(r, 60, centre(12), 0.2)))
	if err != nil {
		t.Fatal(err)
	}
	var known, strange []float32
	for _, x := range slices.Concat(blob(r, 50, centre(0), 0.2), blob(r, 50, centre(12), 0.2)) {
		known = append(known, s.Of(x))
	}
	for _, x := range blob(r, 100, centre(30), 0.2) {
		strange = append(strange, s.Of(x))
	}
	threshold, refused := Threshold(known, 0.05)
	if refused > 0.05 {
		t.Errorf("%g of the known ones are refused, and 0.05 may be", refused)
	}
	if most := slices.Max(strange); most >= threshold {
		t.Errorf("a strange one has a familiarity of %g, the threshold is %g", most, threshold)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		features [][]float32
		want     string
	}{
		{"nothing", nil, "no pictures"},
		{"lengths", [][]float32{{1, 2}, {1}}, "picture 1 has 1 features"},
		{"zeros", [][]float32{{0, 0}, {0, 0}}, "0 for all"},
		{"NaN", [][]float32{{1, 2}, {3, float32(math.NaN())}}, "feature 1 of picture 1 is NaN"},
	} {
		if _, err := New(c.features); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if s, err := New([][]float32{{0, 0}, {3, 4}}); err != nil || math.Abs(float64(s.Of([]float32{6, 8}))-1) > 1e-6 {
		t.Errorf("one picture alone, beside itself: %v", err)
	}
}

func TestThreshold(t *testing.T) {
	known := []float32{0.9, 0.1, 0.8, 0.3, 0.7, 0.5, 0.6, 0.4, 0.2, 1}
	for _, c := range []struct {
		share, refused float64
		threshold      float32
	}{{0, 0, 0.1}, {0.05, 0, 0.1}, {0.1, 0.1, 0.2}, {0.5, 0.5, 0.6}} {
		if at, refused := Threshold(known, c.share); at != c.threshold || refused != c.refused {
			t.Errorf("share %g: threshold %g, %g refused", c.share, at, refused)
		}
	}
	if at, refused := Threshold([]float32{0.5, 0.5, 0.5, 0.5}, 0.5); at != 0.5 || refused != 0 {
		t.Errorf("all alike: threshold %g, %g refused", at, refused)
	}
}

// labelled is a set of examples of which the labels alone are known.
type labelled []int

func (l labelled) Len() int     { return len(l) }
func (l labelled) Shape() []int { return []int{1} }
func (l labelled) Heads() []dataset.Head {
	return []dataset.Head{{Name: "class", Labels: []string{"a", "b"}}}
}
func (l labelled) Label(i, _ int) int                     { return l[i] }
func (l labelled) Input([]float32, int, *rand.Rand) error { return nil }
func (l labelled) Name(int) string                        { return "one" }

func TestEvenly(t *testing.T) {
	var set labelled
	for i := range 100 {
		set = append(set, min(1, i%10)) // ten of class 0
	}
	kept := evenly(set, 40)
	var of [2]int
	for _, i := range kept {
		of[set[i]]++
	}
	if len(kept) != 40 || of != [2]int{10, 30} || !slices.IsSorted(kept) || len(slices.Compact(kept)) != 40 {
		t.Errorf("%v of the classes: %v", of, kept)
	}
	if kept := evenly(set, 1000); len(kept) != 100 {
		t.Errorf("%d of 100 are kept", len(kept))
	}
}

// TestIntoNeverFails leaves the file as it is, and says why.
func TestIntoNeverFails(t *testing.T) {
	file := []byte("a file")
	for _, c := range []struct {
		name string
		f    From
		want string
	}{
		{"not wanted", From{}, ""},
		{"no validation pictures", From{Share: 0.05, Train: labelled{0, 1}}, "val="},
		{"no features", From{Share: 0.05, Train: labelled{0, 1}, Val: labelled{0},
			Seen: func(context.Context, dataset.Set) ([][]float32, error) { return nil, errors.New("there are none") }}, "there are none"},
		{"no network", From{Share: 0.05, Train: labelled{0, 1}, Val: labelled{0},
			Seen: func(context.Context, dataset.Set) ([][]float32, error) { return [][]float32{{1}, {2}}, nil }}, "TensorFlow Lite"},
	} {
		said := ""
		c.f.Note = func(line string) { said = line }
		got, u := Into(t.Context(), file, c.f)
		if string(got) != string(file) || u != nil || (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v, %q", c.name, u, said)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	s, err := New([][]float32{{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	m := flat.New("a head alone")
	x := m.AddTensor("x", flat.Float32, 1, 4)
	m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{x}, []int{x}
	if _, err := s.Append(m); err == nil || !strings.Contains(err.Error(), "no layer with weights") {
		t.Errorf("without a head: %v", err)
	}
	if err := m.Head([][]float32{{1, 2, 3, 4}, {4, 3, 2, 1}}, []float32{0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(m); err == nil || !strings.Contains(err.Error(), "3 features, and the network has 4") {
		t.Errorf("with another number of features: %v", err)
	}
}
