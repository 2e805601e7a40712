package linear

import (
	"math"
	"slices"
	"testing"
)

// TestLeaveOut compares what comes of the sums with classifiers that were fitted without the fold, both ways.
func TestLeaveOut(t *testing.T) {
	for name, c := range map[string]struct{ n, d int }{"more features": {40, 60}, "more examples": {90, 12}} {
		x, y := blobs(c.n, c.d, 3, 0.8, 11)
		y[5] = (y[5] + 1) % 3
		fold := make([]int, c.n)
		for i := range fold {
			fold[i] = i * i % 4 // of unlike sizes; the other folds have none
		}
		got, decay, err := LeaveOut(x, y, 3, fold, 5)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(decays, decay) {
			t.Errorf("%s: decay %g", name, decay)
		}
		for f := range 5 {
			want := without(t, x, y, fold, f, decay)
			for i, w := range want {
				for k := range w {
					if math.Abs(w[k]-float64(got[i][k])) > 1e-5 {
						t.Fatalf("%s: example %d of fold %d gets %v, and %v by a classifier without the fold", name, i, f, got[i], w)
					}
				}
			}
		}
		other := (y[5] + 2) % 3
		if c.n > c.d && got[5][other] < got[5][y[5]] {
			t.Errorf("%s: the wrongly labelled one gets %v for label %d", name, got[5], y[5])
		}
	}
}

// without fits by plain gradient descent on the examples outside of a fold, and answers those inside.
func without(t *testing.T, x [][]float32, y []int, fold []int, f int, decay float64) map[int][]float64 {
	t.Helper()
	s := &squares{features: x, labels: y, k: 3}
	if err := s.m.standardise(x); err != nil {
		t.Fatal(err)
	}
	var in, out []int
	for i := range x {
		if fold[i] == f {
			out = append(out, i)
		} else {
			in = append(in, i)
		}
	}
	if len(out) == 0 {
		return nil
	}
	rows, d := s.rows(in), s.width()
	w := make([][3]float64, d)
	for range 20000 {
		g := make([][3]float64, d)
		for r, i := range in {
			row := rows.RawRowView(r)
			for k := range 3 {
				e := 0.0
				for j, v := range row {
					e += v * w[j][k]
				}
				if y[i] == k {
					e--
				}
				for j, v := range row {
					g[j][k] += e * v
				}
			}
		}
		for j := range w {
			for k := range 3 {
				w[j][k] -= (g[j][k] + decay*w[j][k]) / (2 * float64(len(in)))
			}
		}
	}
	answers := map[int][]float64{}
	ask := s.rows(out)
	for r, i := range out {
		a := make([]float64, 3)
		for j, v := range ask.RawRowView(r) {
			for k := range 3 {
				a[k] += v * w[j][k]
			}
		}
		answers[i] = a
	}
	return answers
}

func TestLeaveOutRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		x     [][]float32
		y     []int
		folds int
	}{
		"nothing":  {nil, nil, 2},
		"one fold": {[][]float32{{1}, {2}}, []int{0, 1}, 1},
		"no label": {[][]float32{{1}, {2}}, []int{0}, 2},
		"NaN":      {[][]float32{{nan}, {1}}, []int{0, 1}, 2},
	} {
		if _, _, err := LeaveOut(c.x, c.y, 2, make([]int, len(c.x)), c.folds); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// Features that say nothing are no error: the answers are the classes' shares.
	if a, _, err := LeaveOut([][]float32{{1}, {1}, {1}, {1}}, []int{0, 1, 0, 1}, 2, []int{0, 0, 1, 1}, 2); err != nil || math.Abs(float64(a[0][0]-a[0][1])) > 1e-6 {
		t.Errorf("%v, %v", a, err)
	}
}
