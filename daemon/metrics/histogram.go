package metrics

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets are logarithmic as in HdrHistogram: each doubling from 1 µs to 69 s is cut into 16 equal parts, so a
// quantile is off by 1/16 of its value at most and by half of that as a rule.
const (
	subBits = 4
	sub     = 1 << subBits
	loBits  = 10 // 1,024 ns
	hiBits  = 36 // 68.7 s
	octaves = hiBits - loBits
	buckets = octaves*sub + 2 // below 1,024 ns, the parts, from 68.7 s
)

// Histogram counts durations. Observe is one atomic add each to a bucket, the count and the sum and allocates nothing;
// all methods may be called from any goroutine. The zero value is ready. It takes 3.4 KB.
type Histogram struct {
	n    [buckets]atomic.Uint64
	sum  atomic.Int64 // nanoseconds
	most atomic.Int64 // nanoseconds
}

// Observe counts d; a negative d counts as 0.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	h.n[bucketOf(d)].Add(1)
	h.sum.Add(int64(d))
	for {
		m := h.most.Load()
		if int64(d) <= m || h.most.CompareAndSwap(m, int64(d)) {
			return
		}
	}
}

func bucketOf(d time.Duration) int {
	v := uint64(d)
	e := bits.Len64(v) - 1 // 2^e ≤ v < 2^(e+1)
	switch {
	case v < 1<<loBits:
		return 0
	case e >= hiBits:
		return buckets - 1
	}
	return 1 + (e-loBits)*sub + int(v>>(e-subBits)&(sub-1))
}

// lower is the least duration of bucket i, in nanoseconds; lower(i+1) lies just outside.
func lower(i int) float64 {
	if i == 0 {
		return 0
	}
	i--
	return math.Ldexp(1+float64(i%sub)/sub, loBits+i/sub)
}

// Count is how many durations were observed.
func (h *Histogram) Count() uint64 {
	var n uint64
	for i := range h.n {
		n += h.n[i].Load()
	}
	return n
}

// Sum is all durations together.
func (h *Histogram) Sum() time.Duration { return time.Duration(h.sum.Load()) }

// Max is the longest duration, 0 before the first.
func (h *Histogram) Max() time.Duration { return time.Duration(h.most.Load()) }

// Mean is the arithmetic mean, 0 before the first.
func (h *Histogram) Mean() time.Duration {
	if n := h.Count(); n > 0 {
		return h.Sum() / time.Duration(n)
	}
	return 0
}

// Quantile is the duration that the part q, 0 to 1, of the observed ones does not exceed; 0 before the first. Inside a
// bucket it interpolates evenly, and it never exceeds Max. While others observe, the answer is one of the moments in
// between.
func (h *Histogram) Quantile(q float64) time.Duration {
	var n [buckets]uint64
	var all uint64
	for i := range h.n {
		n[i] = h.n[i].Load()
		all += n[i]
	}
	if all == 0 {
		return 0
	}
	rank := min(max(q, 0), 1) * float64(all)
	most := float64(h.most.Load())
	var below float64
	for i, c := range n {
		if c == 0 {
			continue
		}
		if below+float64(c) < rank {
			below += float64(c)
			continue
		}
		lo, hi := lower(i), most
		if i < buckets-1 {
			hi = lower(i + 1)
		}
		if v := lo + (hi-lo)*(rank-below)/float64(c); v < most {
			return time.Duration(v)
		}
		break
	}
	return h.Max()
}

// octavesSeconds is the cumulative count up to each doubling, by its upper bound in seconds, for Prometheus.
func (h *Histogram) octavesSeconds() (cum map[float64]uint64, all uint64) {
	cum = make(map[float64]uint64, octaves+1)
	for i := range h.n {
		if i == buckets-1 {
			break
		}
		all += h.n[i].Load()
		if i%sub == 0 { // bucket 0 and the last part of each octave
			cum[lower(i+1)/1e9] = all
		}
	}
	return cum, all + h.n[buckets-1].Load()
}
