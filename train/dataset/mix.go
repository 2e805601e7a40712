package dataset

import (
	"math"
	"math/rand/v2"
)

// mixer mixes pairs of examples into one another: x = λ·x_i + (1-λ)·x_j, and the wanted shares y alike, with λ from Beta(a, a)
// (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018). Of λ and 1-λ the larger is an example's own, which makes
// the same pairs, and leaves the example's class the one that weighs most.
type mixer struct {
	a      float64
	seed   uint64
	source *rand.PCG
	r      *rand.Rand
}

func newMixer(a float64, seed uint64) *mixer {
	m := &mixer{a: a, seed: seed, source: rand.NewPCG(0, 0)}
	m.r = rand.New(m.source)
	return m
}

// partner is the row that row k of n is mixed with; itself: it is not mixed.
func partner(k, n int) int { return n - 1 - k }

// share is the share that examples keep of themselves, 0.5 to 1. It belongs to the epoch and the pair, of which v is the draw of
// the first.
func (m *mixer) share(epoch, v int) float32 {
	m.source.Seed(m.seed^uint64(epoch)*0x9E3779B97F4A7C15, mixStream+uint64(v))
	b := beta(m.r, m.a)
	return float32(max(b, 1-b))
}

// batch mixes the rows of a batch, the first with the last and so on: they come in a random order.
func (m *mixer) batch(b *Batch, size int) {
	for k := range b.N / 2 {
		j, share := partner(k, b.N), m.share(b.Epoch, b.draws[k])
		blend(b.X[k*size:(k+1)*size], b.X[j*size:(j+1)*size], share)
		for h := range b.Y {
			classes := len(b.Y[h]) * size / len(b.X)
			blend(b.Y[h][k*classes:(k+1)*classes], b.Y[h][j*classes:(j+1)*classes], share)
		}
	}
}

// blend lets each of two rows keep a share of itself, and take the rest of the other.
func blend(a, b []float32, share float32) {
	for i, v := range a {
		a[i], b[i] = share*v+(1-share)*b[i], share*b[i]+(1-share)*v
	}
}

// beta is a number of the distribution Beta(a, a), as the share that one of two Gamma(a) numbers has of both.
func beta(r *rand.Rand, a float64) float64 {
	return 1 / (1 + math.Exp(logGamma(r, a)-logGamma(r, a)))
}

// logGamma is the logarithm of a number of the distribution Gamma(a, 1), which a small a makes too small for the number itself:
// Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000, for a+1, times U^(1/a).
func logGamma(r *rand.Rand, a float64) float64 {
	d := a + 1 - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return math.Log(d*v) + math.Log(1-r.Float64())/a
		}
	}
}
