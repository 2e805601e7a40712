package linear

import (
	"math"
	"math/rand/v2"
	"testing"
)

// answer are the logits that two layers give to a feature vector.
func (h *Hidden) answer(x []float32) []float64 {
	u := make([]float64, len(h.C))
	for i := range u {
		u[i] = float64(h.C[i])
		for j, v := range x {
			u[i] += float64(h.V[i*len(x)+j]) * float64(v)
		}
		u[i] *= min(max(u[i]+3, 0), 6) / 6
	}
	z := make([]float64, len(h.B))
	for c := range z {
		z[c] = float64(h.B[c])
		for i, v := range u {
			z[c] += float64(h.W[c*len(u)+i]) * v
		}
	}
	return z
}

func best(z []float64) (k int) {
	for c, v := range z {
		if v > z[k] {
			k = c
		}
	}
	return k
}

// signs are points whose class no plane tells: whether their first two features have the same sign. The others are noise.
func signs(n int, seed uint64) (x [][]float32, y []int) {
	r := rand.New(rand.NewPCG(seed, 2))
	for range n {
		f := make([]float32, 6)
		for j := range f {
			f[j] = float32(r.NormFloat64())
		}
		label := 0
		if f[0]*f[1] > 0 {
			label = 1
		}
		x, y = append(x, f), append(y, label)
	}
	return x, y
}

// TestQuadraticSeesProducts: what no plane tells apart squares do, with all examples as landmarks and with some; two squares per class
// are enough for a product of two features.
func TestQuadraticSeesProducts(t *testing.T) {
	fresh, want := signs(1000, 2)
	for _, landmarks := range []int{400, 200} {
		x, y := signs(400, 1)
		q, err := newQuadratic(x, landmarks)
		if err != nil {
			t.Fatal(err)
		}
		for _, squares := range []int{2, 8} {
			h, err := q.Fit(y, 2, len(x), squares, nil, 0.1)
			if err != nil {
				t.Fatal(err)
			}
			if len(h.C) != Units(2, squares) || len(h.V) != 6*len(h.C) || len(h.W) != 2*len(h.C) {
				t.Fatalf("%d squares: layers of %d, %d and %d numbers", squares, len(h.V), len(h.C), len(h.W))
			}
			right := 0
			for i, f := range fresh {
				if best(h.answer(f)) == want[i] {
					right++
				}
			}
			if right < 800 {
				t.Errorf("%d landmarks, %d squares: %d of 1000 right", landmarks, squares, right)
			}
		}
	}
	x, y := signs(400, 1)
	m, err := Fit(x, y, 2, Options{})
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, p := range m.Probabilities(fresh) {
		if (p[1] > p[0]) == (want[i] == 1) {
			right++
		}
	}
	if right > 600 {
		t.Errorf("logistic regression gets %d of 1000 right: the test shows nothing", right)
	}
}

// TestQuadraticLayers compares the two layers with the kernel's own answers, where all squares are kept.
func TestQuadraticLayers(t *testing.T) {
	x, y := blobs(90, 6, 3, 1, 3)
	q, err := NewQuadratic(x)
	if err != nil {
		t.Fatal(err)
	}
	p := &ridge{q: q, labels: y, classes: 3, decay: 0.3}
	if err := p.shares(); err != nil {
		t.Fatal(err)
	}
	all := make([]int, len(x))
	for i := range all {
		all[i] = i
	}
	a, err := p.solve(all)
	if err != nil {
		t.Fatal(err)
	}
	h, err := q.Fit(y, 3, len(x), 8, nil, 0.3) // two more than there are directions
	if err != nil {
		t.Fatal(err)
	}
	like := q.likeness(all)
	ratio := 0.0
	for i := range x {
		z := h.answer(x[i])
		for c := range z {
			want := p.mean[c]
			for k := range all {
				want += like.At(i, k) * a.At(k, c)
			}
			if ratio == 0 {
				ratio = z[c] / want // the factor that makes logits of answers
			}
			if math.Abs(z[c]-ratio*want) > 1e-4*ratio {
				t.Fatalf("example %d, class %d: %g instead of %g", i, c, z[c], ratio*want)
			}
		}
	}
	if ratio < 0.5 || ratio > 50 {
		t.Errorf("the answers are multiplied by %g", ratio)
	}
}

// TestQuadraticNystrom: with all examples as landmarks both ways of solving agree.
func TestQuadraticNystrom(t *testing.T) {
	x, y := blobs(80, 5, 2, 1, 4)
	y[7], y[20] = -1, -1
	weights := make([]float64, len(x))
	var known []int
	for i := range weights {
		weights[i] = 1 + float64(i%3)
		if y[i] >= 0 {
			known = append(known, i)
		}
	}
	q, err := NewQuadratic(x)
	if err != nil {
		t.Fatal(err)
	}
	p := &ridge{q: q, labels: y, classes: 2, weights: weights, decay: 0.2}
	if err := p.shares(); err != nil {
		t.Fatal(err)
	}
	exact, err := p.solve(known)
	if err != nil {
		t.Fatal(err)
	}
	if exact.At(7, 0) != 0 {
		t.Error("an example without a label has a coefficient")
	}
	fewer := *q
	fewer.at = known
	p.q = &fewer
	some, err := p.solve(known)
	if err != nil {
		t.Fatal(err)
	}
	want, got := q.likeness(known), fewer.likeness(known)
	for r := range known {
		for c := range 2 {
			u, v := 0.0, 0.0
			for k := range q.at {
				u += want.At(r, k) * exact.At(k, c)
			}
			for k := range known {
				v += got.At(r, k) * some.At(k, c)
			}
			if math.Abs(u-v) > 1e-3 {
				t.Fatalf("example %d: %g and %g", known[r], u, v)
			}
		}
	}
}

func TestQuadraticRefuses(t *testing.T) {
	if _, err := NewQuadratic(nil); err == nil {
		t.Error("no examples: no error")
	}
	if _, err := NewQuadratic([][]float32{{1}, {float32(math.NaN())}}); err == nil {
		t.Error("a feature that is no number: no error")
	}
	q, err := NewQuadratic([][]float32{{1, 1}, {1, 1}, {1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Fit([]int{-1, -1, -1}, 2, 3, 4, nil, 0.1); err == nil {
		t.Error("no labels: no error")
	}
	if _, err := q.Fit([]int{0, 2, 1}, 2, 3, 4, nil, 0.1); err == nil {
		t.Error("a label beyond the classes: no error")
	}
	h, err := q.Fit([]int{0, 1, 1}, 2, 3, 4, nil, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	if z := h.answer([]float32{1, 1}); best(z) != 1 || math.IsNaN(z[0]) {
		t.Errorf("examples that are all the same: %v, and the greater class is 1", z)
	}
}
