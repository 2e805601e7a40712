package imprint

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// clouds draws n points of each of k classes around random centres, stretched along one direction that all classes
// share, so that the plain nearest mean goes wrong.
func clouds(k, n, d int, seed uint64) (f [][]float32, l []int) {
	rng := rand.New(rand.NewPCG(7, 7)) // the centres are the same for every seed
	centres := make([][]float64, k)
	for c := range centres {
		for range d {
			centres[c] = append(centres[c], rng.NormFloat64())
		}
	}
	rng = rand.New(rand.NewPCG(seed, 8))
	for c := range k {
		for range n {
			x, along := make([]float32, d), rng.NormFloat64()*8
			for i := range x {
				x[i] = float32(centres[c][i] + rng.NormFloat64()*0.5 + along)
			}
			f, l = append(f, x), append(l, c)
		}
	}
	return f, l
}

func TestFitBeatsNearestMean(t *testing.T) {
	f, l := clouds(5, 200, 12, 1)
	tf, tl := clouds(5, 200, 12, 2)
	w, b, err := Fit(f, l, 5, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	plain, pb, err := Fit(f, l, 5, Options{Shrink: 1, Uniform: true})
	if err != nil {
		t.Fatal(err)
	}
	got, mean := Score(tf, tl, w, b), Score(tf, tl, plain, pb)
	t.Logf("discriminant %.3f, nearest mean %.3f", got, mean)
	if got < 0.97 || got < mean+0.1 {
		t.Errorf("discriminant %.3f, nearest mean %.3f", got, mean)
	}
}

// TestFitOfTwoIsKnown compares with the closed form: two classes at -1 and 1 with variance v give a log-odds of 2x/v.
func TestFitOfTwoIsKnown(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var f [][]float32
	var l []int
	const v = 0.5
	for i := range 40000 {
		c := i % 2
		f, l = append(f, []float32{float32(float64(2*c-1) + rng.NormFloat64()*math.Sqrt(v))}), append(l, c)
	}
	for _, o := range []Options{{Shrink: 1e-9}, {HeldOut: 0.2, Seed: 3}} {
		w, b, err := Fit(f, l, 2, o)
		if err != nil {
			t.Fatal(err)
		}
		if slope, at := w[1][0]-w[0][0], b[1]-b[0]; math.Abs(float64(slope)-2/v) > 0.15 || math.Abs(float64(at)) > 0.1 {
			t.Errorf("%+v: log-odds %.3f·x %+.3f, want %.1f·x", o, slope, at, 2/v)
		}
	}
}

// TestFewPicturesGiveTheSame computes one discriminant both ways.
func TestFewPicturesGiveTheSame(t *testing.T) {
	f, l := clouds(3, 12, 50, 1) // fewer pictures than features
	var in []int
	for i := range f {
		in = append(in, i)
	}
	few, err := measure(f, l, in, 3)
	if err != nil {
		t.Fatal(err)
	}
	if few.x == nil {
		t.Fatal("the pictures were not kept")
	}
	many := *few
	many.x, many.gram = nil, nil
	many.shared = mat.NewSymDense(50, nil)
	many.shared.SymOuterK(1, few.x.T())
	for _, s := range shrinks {
		a, err := few.solve(s, true)
		if err != nil {
			t.Fatal(err)
		}
		b, err := many.solve(s, true)
		if err != nil {
			t.Fatal(err)
		}
		if !mat.EqualApprox(a.w, b.w, 1e-6) {
			t.Errorf("shrink %v: the two ways differ", s)
		}
	}
}

func TestFitRepeats(t *testing.T) {
	f, l := clouds(3, 60, 6, 1)
	w1, b1, err := Fit(f, l, 3, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	w2, b2, _ := Fit(f, l, 3, DefaultOptions())
	for c := range w1 {
		for k := range w1[c] {
			if w1[c][k] != w2[c][k] || b1[c] != b2[c] {
				t.Fatal("the same pictures give two heads")
			}
		}
	}
}

// TestFitOfAFew: fewer pictures than a tenth makes one of do not silently give the head that follows them most closely. One is held out,
// of a class that keeps another, and where none can be it is the plain nearest mean.
func TestFitOfAFew(t *testing.T) {
	for _, c := range []struct {
		name    string
		of      []int // pictures of each class
		nearest bool
	}{{"one to spare", []int{1, 2, 1}, false}, {"several", []int{3, 3, 3}, false}, {"none to spare", []int{1, 1, 1}, true}} {
		t.Run(c.name, func(t *testing.T) {
			var f [][]float32
			var l []int
			all, labels := clouds(3, 3, 4, 1)
			for i, v := range all {
				if i%3 < c.of[labels[i]] {
					f, l = append(f, v), append(l, labels[i])
				}
			}
			for seed := range uint64(20) {
				o := Options{HeldOut: 0.1, Uniform: true, Seed: seed}
				in, out := split(l, o)
				if c.nearest != (len(out) == 0) || len(in)+len(out) != len(l) {
					t.Fatalf("held out are %v", out)
				}
				w, b, err := Fit(f, l, 3, o)
				if err != nil {
					t.Fatal(err)
				}
				closest, _, err := Fit(f, l, 3, Options{Shrink: 0.001, Uniform: true})
				if err != nil {
					t.Fatal(err)
				}
				if reflect.DeepEqual(w, closest) {
					t.Error("it follows the pictures as closely as can be")
				}
				plain, pb, err := Fit(f, l, 3, Options{Shrink: 1, Uniform: true})
				if err != nil {
					t.Fatal(err)
				}
				if c.nearest && (!reflect.DeepEqual(w, plain) || !reflect.DeepEqual(b, pb)) {
					t.Error("it is not the nearest mean")
				}
			}
		})
	}
}

// TestFitOfAFewIsNotSure: two groups that lie apart, and one picture held out: its right answer does not make the head sure of all.
func TestFitOfAFewIsNotSure(t *testing.T) {
	f, l := [][]float32{{-1, 2}, {-2, -1}, {-0.5, -1}, {1, 1}, {2, -2}, {0.5, 1}}, []int{0, 0, 0, 1, 1, 1}
	w, b, err := Fit(f, l, 2, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if odds := math.Abs(float64(w[1][0]-w[0][0])*0.2 + float64(b[1]-b[0])); odds > 5 {
		t.Errorf("beside the middle the log-odds are %.3g", odds)
	}
}

func TestFitRefuses(t *testing.T) {
	f, l := clouds(3, 20, 4, 1)
	nan := [][]float32{{float32(math.NaN())}, {1}, {2}, {3}}
	for _, c := range []struct {
		name string
		f    [][]float32
		l    []int
		n    int
		o    Options
		want string
	}{
		{"nothing", nil, nil, 2, DefaultOptions(), "0 feature vectors"},
		{"fewer labels", f, l[:5], 3, DefaultOptions(), "60 feature vectors and 5 labels"},
		{"one class", f, l, 1, DefaultOptions(), "at least two"},
		{"label out of range", f, l, 2, DefaultOptions(), "label 2"},
		{"class without pictures", f, l, 4, DefaultOptions(), "class 3 has no picture"},
		{"ragged", append([][]float32{{1}}, f[1:]...), l, 3, DefaultOptions(), "vector 1 has 4 numbers, the first has 1"},
		{"no choice", f, l, 3, Options{}, "shrink must be given"},
		{"held out", f, l, 3, Options{HeldOut: 0.9}, "held_out"},
		{"not a number", nan, []int{0, 1, 0, 1}, 2, Options{Shrink: 0.1}, "imprint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := Fit(c.f, c.l, c.n, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want it to contain %q", err, c.want)
			}
		})
	}
	same := [][]float32{{1, 2}, {1, 2}, {3, 4}, {3, 4}}
	if w, b, err := Fit(same, []int{0, 0, 1, 1}, 2, Options{Shrink: 0.5}); err != nil || Score(same, []int{0, 0, 1, 1}, w, b) != 1 {
		t.Errorf("classes without any spread: %v", err)
	}
}
