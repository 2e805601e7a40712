package linear

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestPrincipal compares with the eigenvectors of the covariance, where the directions are wide enough apart to be told.
func TestPrincipal(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := mat.NewDense(200, 30, nil)
	for i := range 200 {
		for k := range 30 {
			x.Set(i, k, r.NormFloat64()*math.Pow(0.8, float64(k)))
		}
	}
	directions, variances := Principal(x, 5, 6)
	s := mat.NewSymDense(30, nil)
	s.SymOuterK(1./200, x.T())
	values, vectors := descending(s)
	for k := range 5 {
		if along := math.Abs(mat.Dot(directions.ColView(k), vectors.ColView(k))); math.Abs(along-1) > 1e-4 || math.Abs(variances[k]/values[k]-1) > 1e-4 {
			t.Errorf("direction %d: cosine %g, variance %g instead of %g", k, along, variances[k], values[k])
		}
	}
	if d, v := Principal(mat.NewDense(2, 9, []float64{1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}), 5, 6); len(v) != 1 || d.At(0, 0)*d.At(0, 0) < 0.999 {
		t.Errorf("all points on a line have %d directions", len(v))
	}
}
