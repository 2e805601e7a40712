package parity

import "math"

// Paired is how two networks answered the same pictures.
type Paired struct {
	N      int // pictures
	Before int // pictures that only the first, the float network, answered right
	After  int // pictures that only the second answered right
}

// Loss is the share of right answers that the second network lost, -1 to 1; negative where it gained.
func (p Paired) Loss() float64 {
	if p.N == 0 {
		return 0
	}
	return float64(p.Before-p.After) / float64(p.N)
}

// confident is the quantile of the normal distribution for one-sided bounds of 95 %.
const confident = 1.6448536269514722

// LossBound is the upper end of the one-sided 95 % interval for the true loss: no greater loss is compatible with what was seen.
// It is Tango's score interval for the difference of paired proportions (Tango, Statistics in Medicine 17, 1998, 891-908),
// which holds its level with few discordant pairs, and with none: it is then z²/(N+z²), so that a bound of one point takes 268
// pictures at least.
func (p Paired) LossBound() float64 {
	if p.N == 0 {
		return 1
	}
	lo, hi := p.Loss(), 1.0
	for range 60 {
		mid := (lo + hi) / 2
		if p.score(mid) > -confident {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// Enough is how many pictures it takes to show that no more than a share is lost, where not one is answered differently.
func Enough(mayLose float64) int {
	z := confident * confident
	return int(math.Ceil(z * (1 - mayLose) / mayLose * (1 - 1e-12)))
}

// score is how many standard errors the loss that was seen lies above delta, with the standard error that there is if delta
// is the true loss. It falls as delta grows.
func (p Paired) score(delta float64) float64 {
	n, b, c := float64(p.N), float64(p.Before), float64(p.After)
	// The likeliest share of pairs that only the second gets right, given delta: the root of Tango's equation (4).
	q := 2 * n
	r := -b - c + (2*n-b+c)*delta
	s := -c * delta * (1 - delta)
	share := (math.Sqrt(math.Max(r*r-4*q*s, 0)) - r) / (2 * q)
	deviation := math.Sqrt(n * math.Max(2*share+delta*(1-delta), 0))
	if d := b - c - n*delta; deviation > 0 {
		return d / deviation
	} else if d != 0 {
		return math.Copysign(math.Inf(1), d)
	}
	return 0
}
