package parity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestLossBoundKnown compares with published intervals. The two-sided 95 % intervals of Fagerland, Lydersen and Laake (BMC
// Medical Research Methodology 13, 2013, 91; Tango's asymptotic score, the data of Bentur et al. 2009) are met by the same
// equation at another quantile.
func TestLossBoundKnown(t *testing.T) {
	upper := func(p Paired, z float64) float64 {
		lo, hi := p.Loss(), 1.0
		for range 60 {
			if mid := (lo + hi) / 2; p.score(mid) > -z {
				lo = mid
			} else {
				hi = mid
			}
		}
		return hi
	}
	const z = 1.959963984540054
	p := Paired{N: 21, Before: 1, After: 7}
	if u, l := upper(p, z), -upper(Paired{p.N, p.After, p.Before}, z); math.Abs(l+0.517) > 5e-4 || math.Abs(u+0.026) > 5e-4 {
		t.Errorf("the interval is %.4f to %.4f, published are -0.517 to -0.026", l, u)
	}
	for _, n := range []int{100, 268, 1000} {
		want := confident * confident / (float64(n) + confident*confident)
		if got := (Paired{N: n}).LossBound(); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d pictures without a difference: bound %v, want %v", n, got, want)
		}
	}
}

// TestEnough is the least number of pictures whose bound is within what may be lost.
func TestEnough(t *testing.T) {
	for lost, want := range map[float64]int{0.01: 268, 0.05: 52, 0.001: 2703} {
		n := Enough(lost)
		if n != want || (Paired{N: n}).LossBound() > lost || (Paired{N: n - 1}).LossBound() <= lost {
			t.Errorf("%g: %d pictures, want %d; their bound is %v", lost, n, want, Paired{N: n}.LossBound())
		}
	}
}

// TestScoreIsConstrained checks the closed form of the nuisance share against the likelihood's maximum, found by search.
func TestScoreIsConstrained(t *testing.T) {
	for _, c := range []struct {
		p     Paired
		delta float64
	}{{Paired{50, 4, 2}, 0.1}, {Paired{1000, 12, 7}, 0.01}, {Paired{1000, 0, 9}, 0.02}, {Paired{300, 9, 0}, 0.05}} {
		n, b, a := float64(c.p.N), float64(c.p.Before), float64(c.p.After)
		best, at := math.Inf(-1), 0.0
		for i := range 1_000_000 {
			q := (float64(i) + 0.5) / 1e6 * (1 - c.delta) / 2
			l := (n - b - a) * math.Log(1-2*q-c.delta)
			if b > 0 {
				l += b * math.Log(q+c.delta)
			}
			if a > 0 {
				l += a * math.Log(q)
			}
			if l > best {
				best, at = l, q
			}
		}
		want := (b - a - n*c.delta) / math.Sqrt(n*(2*at+c.delta*(1-c.delta)))
		if got := c.p.score(c.delta); math.Abs(got-want) > 1e-3*math.Abs(want) {
			t.Errorf("%+v at %v: score %v, by search %v", c.p, c.delta, got, want)
		}
	}
}

// TestLossBoundCovers draws pairs with a known loss: the bound must lie below it in about one of twenty cases.
func TestLossBoundCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name          string
		n             int
		before, after float64
	}{{"a point lost", 1000, 0.015, 0.005}, {"few differ", 1000, 0.01, 0}, {"many differ", 1000, 0.08, 0.07}, {"none lost", 500, 0.02, 0.02}} {
		missed, runs := 0, 4000
		for range runs {
			p := Paired{N: c.n}
			for range c.n {
				switch u := rng.Float64(); {
				case u < c.before:
					p.Before++
				case u < c.before+c.after:
					p.After++
				}
			}
			if p.LossBound() < c.before-c.after {
				missed++
			}
		}
		if share := float64(missed) / float64(runs); share > 0.07 {
			t.Errorf("%s: the true loss lies above the bound in %.1f %% of cases, 5 %% are meant", c.name, 100*share)
		}
	}
}
