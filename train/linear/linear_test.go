package linear

import (
	"math"
	"math/rand/v2"
	"testing"
)

// blobs are points around the corners of a simplex, and their corners.
func blobs(n, d, k int, spread float64, seed uint64) (x [][]float32, y []int) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		f := make([]float32, d)
		for j := range f {
			f[j] = float32(spread * r.NormFloat64())
		}
		f[i%k] += 3
		x, y = append(x, f), append(y, i%k)
	}
	return x, y
}

func TestFitSeparatesBlobs(t *testing.T) {
	x, y := blobs(300, 20, 4, 0.5, 1)
	m, err := Fit(x, y, 4, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fresh, want := blobs(200, 20, 4, 0.5, 2)
	right := 0
	for i, p := range m.Probabilities(fresh) {
		sum, best := 0.0, 0
		for k, v := range p {
			sum += float64(v)
			if v > p[best] {
				best = k
			}
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Fatalf("probabilities sum to %g", sum)
		}
		if best == want[i] {
			right++
		}
	}
	if right < 195 {
		t.Errorf("%d of 200 right", right)
	}
}

func TestGradientIsTheLosss(t *testing.T) {
	x, y := blobs(30, 5, 3, 1, 3)
	m := &Model{}
	if err := m.standardise(x); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	at, g := make([]float64, 18), make([]float64, 18)
	weights := make([]float64, 30)
	for i := range at {
		at[i] = r.NormFloat64()
	}
	for i := range weights {
		weights[i] = r.Float64()
	}
	p := newProblem(m.matrix(x), y, 3, 0.1, weights)
	p.gradient(g, at)
	for j := range at {
		const h = 1e-6
		at[j] += h
		up := p.loss(at)
		at[j] -= 2 * h
		down := p.loss(at)
		at[j] += h
		if d := (up - down) / (2 * h); math.Abs(d-g[j]) > 1e-7 {
			t.Errorf("gradient %d is %g, differences give %g", j, g[j], d)
		}
	}
}

func TestRefusals(t *testing.T) {
	nan := float32(math.NaN())
	for name, err := range map[string]error{
		"nothing":  failed(Fit(nil, nil, 2, Options{})),
		"lengths":  failed(Fit([][]float32{{1, 2}, {1}}, []int{0, 1}, 2, Options{})),
		"no label": failed(Fit([][]float32{{1}}, nil, 2, Options{})),
		"NaN":      failed(Fit([][]float32{{nan}, {1}}, []int{0, 1}, 2, Options{})),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func failed(_ *Model, err error) error { return err }
