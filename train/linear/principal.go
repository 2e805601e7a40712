package linear

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// furtherDirections are followed beside the wanted ones, so that these come out well.
const furtherDirections = 16

// Principal finds the d directions [D d] in which the rows of x [n D] vary the most, the greatest first, and the variances, by
// subspace iteration from a fixed random start (Halko, Martinsson and Tropp, "Finding Structure with Randomness", 2011, algorithm
// 4.4) in so many rounds: three find about the directions, six find them well. The rows have a mean of 0. There may be fewer than d.
func Principal(x *mat.Dense, d, rounds int) (directions *mat.Dense, variances []float64) {
	n, width := x.Dims()
	most := min(n, width)
	k := min(d+furtherDirections, most)
	r := rand.New(rand.NewPCG(1, 0xFA111A2))
	q := mat.NewDense(width, k, nil)
	for i := range width {
		row := q.RawRowView(i)
		for j := range row {
			row[j] = r.NormFloat64()
		}
	}
	q = orthonormal(q)
	var y, z mat.Dense
	for range rounds {
		y.Mul(x, q)
		z.Mul(x.T(), &y)
		q = orthonormal(&z)
	}
	y.Mul(x, q) // [n k]
	inside := mat.NewSymDense(k, nil)
	inside.SymOuterK(1/float64(n), y.T())
	values, turn := descending(inside)
	d = min(d, k)
	for d > 1 && values[d-1] < 1e-9*values[0] {
		d--
	}
	directions = mat.NewDense(width, d, nil)
	directions.Mul(q, turn.Slice(0, k, 0, d))
	return directions, values[:d]
}

// orthonormal is a basis of the columns of x [n k], by the modified Gram-Schmidt process.
func orthonormal(x *mat.Dense) *mat.Dense {
	columns := mat.DenseCopyOf(x.T())
	k, _ := columns.Dims()
	for i := range k {
		v := columns.RawRowView(i)
		length := floats.Norm(v, 2)
		if length < tiny {
			clear(v)
			continue
		}
		floats.Scale(1/length, v)
		for j := i + 1; j < k; j++ {
			w := columns.RawRowView(j)
			floats.AddScaled(w, -floats.Dot(v, w), v)
		}
	}
	return mat.DenseCopyOf(columns.T())
}

// tiny is what counts as no length at all.
const tiny = 1e-12

// descending are the eigenvalues of s, the greatest first, and the eigenvectors, in columns.
func descending(s *mat.SymDense) ([]float64, *mat.Dense) {
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		panic("linear: a symmetric matrix of finite numbers has no eigenvalues") // LAPACK's loop always ends on such
	}
	n := s.SymmetricDim()
	var v mat.Dense
	e.VectorsTo(&v)
	values, vectors := make([]float64, n), mat.NewDense(n, n, nil)
	for i, x := range e.Values(nil) {
		values[n-1-i] = math.Max(x, 0)
		for row := range n {
			vectors.Set(row, n-1-i, v.At(row, i))
		}
	}
	return values, vectors
}
