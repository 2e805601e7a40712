package track

import (
	"math"
	"time"

	"gleaner/detect"
)

// stage says where a track is looked for.
type stage uint8

const (
	byPrediction stage = iota // where the filter expects it
	byMotion                  // where the others' common motion brought it
	byLastSeen                // where it was: it may have stopped or turned (OC-SORT's recovery)
)

type who bool

const (
	everyone      who = false
	confirmedOnly who = true
)

// Gates, in parts of the object's size where no other unit is said.
const (
	gateSigma2   = 16.0 // squared Mahalanobis distance of the centres, two degrees of freedom: 99.97 %
	gateIoU      = 0.25 // boxes that overlap so much pass without it
	gateReach    = 1.25 // the centre is never farther off than this
	gateReachSec = 1.0  // and this per second of loss
	weakReach    = 0.3  // for weak detections, which must lie where they are expected
	weakIoU      = 0.3
	seenIoU      = 0.3 // for the last place seen
)

// associate assigns the untaken detections from lo to hi to the tracks that have none yet.
func (t *Tracker) associate(now time.Time, s stage, lo, hi int, w who) {
	for _, p := range t.match(s, lo, hi, w) {
		t.taken[p.det] = true
		t.hitBy(p.l, t.dets[p.det], now)
	}
}

// first is the first association of a frame: by prediction, less what contradicts the motion that the pairs share. While
// the tracks share none, the boxes themselves are asked for one first.
func (t *Tracker) first(now time.Time) {
	shared := t.motion.ok
	t.motion.ok = false
	if !shared {
		if t.shift(); t.motion.ok {
			t.associate(now, byMotion, 0, t.high, everyone)
			t.associate(now, byPrediction, 0, t.high, everyone)
			return
		}
	}
	pairs := t.match(byPrediction, 0, t.high, everyone)
	t.motion.agree(t, pairs)
	for _, p := range pairs {
		if t.motion.allows(p.l, edges(t.dets[p.det].Box)) {
			t.taken[p.det] = true
			t.hitBy(p.l, t.dets[p.det], now)
		}
	}
}

// match finds the best pairs without assigning them. The slice is valid until the next match.
func (t *Tracker) match(s stage, lo, hi int, w who) []pair {
	t.rows, t.cols, t.pairs = t.rows[:0], t.cols[:0], t.pairs[:0]
	for _, l := range t.live {
		if !l.hit && (l.Confirmed || w == everyone) {
			t.rows = append(t.rows, l)
		}
	}
	for i := lo; i < hi; i++ {
		if !t.taken[i] {
			t.cols = append(t.cols, i)
		}
	}
	if len(t.rows) == 0 || len(t.cols) == 0 {
		return nil
	}
	t.solve.reset(len(t.rows), len(t.cols))
	for r, l := range t.rows {
		for c, i := range t.cols {
			if cost, ok := t.cost(l, t.dets[i], s, w == confirmedOnly); ok {
				t.solve.set(r, c, cost)
			}
		}
	}
	for r, c := range t.solve.solve() {
		if c >= 0 {
			t.pairs = append(t.pairs, pair{t.rows[r], t.cols[c]})
		}
	}
	return t.pairs
}

// cost is how badly detection d fits track l, 0 to about 1.3, and whether it may be l at all.
func (t *Tracker) cost(l *live, d detect.Detection, s stage, weak bool) (cost float64, ok bool) {
	expected, z := edges(l.body.box()), edges(d.Box)
	switch s {
	case byLastSeen:
		expected = l.obs
		if l.unseen < l.missed { // moved since under another's box
			expected = l.prev
		}
	case byMotion:
		if off := t.motion.off(l, z); t.motion.ok && off < motionFar {
			return off + 0.1*(1-ratio(area(l.prev), area(z))), true
		}
		return 0, false
	}
	size := max(expected[2]-expected[0], expected[3]-expected[1], 1)
	dx, dy := (z[0]+z[2]-expected[0]-expected[2])/2, (z[1]+z[3]-expected[1]-expected[3])/2
	far := math.Hypot(dx, dy) / size
	iou := overlap(expected, z)
	switch {
	case !t.motion.allows(l, z):
		return 0, false
	case s == byLastSeen && iou < seenIoU:
		return 0, false
	case weak && iou < weakIoU && far > weakReach:
		return 0, false
	case far > gateReach+gateReachSec*l.Lost.Seconds():
		return 0, false
	case s == byPrediction && iou < gateIoU && t.unlikely(l, dx, dy, size):
		return 0, false
	}
	shape := ratio(area(expected), area(z))
	cost = 0.5*(1-iou) + 0.3*min(1, far) + 0.1*(1-shape) + 0.1*turn(l, z, size)
	if l.Class >= 0 && d.Class >= 0 && l.Class != d.Class {
		cost += 0.1
	}
	if !l.Confirmed {
		cost += 0.05
	}
	return cost + 0.05*min(1, l.Lost.Seconds()/t.o.MaxLost.Seconds()), true
}

// unlikely is the Mahalanobis gate on the centre.
func (t *Tracker) unlikely(l *live, dx, dy, size float64) bool {
	r := edgeNoise * size
	sx := (l.body[0].pp+l.body[2].pp)/2 + r*r + 0.25
	sy := (l.body[1].pp+l.body[3].pp)/2 + r*r + 0.25
	return dx*dx/sx+dy*dy/sy > gateSigma2
}

// turn is 0 for a detection that lies in the direction in which the track moves, seen from the frame before, 1 for one
// behind it (OC-SORT's momentum). Slow tracks and short ways have no direction: 0.
func turn(l *live, z [4]float64, size float64) float64 {
	vx, vy := l.body.velocity()
	dx, dy := (z[0]+z[2]-l.prev[0]-l.prev[2])/2, (z[1]+z[3]-l.prev[1]-l.prev[3])/2
	v, d := math.Hypot(vx, vy), math.Hypot(dx, dy)
	if l.Hits < 2 || v < 0.5*size || d < 0.2*size {
		return 0
	}
	return (1 - (vx*dx+vy*dy)/(v*d)) / 2
}

func area(b [4]float64) float64 { return max(0, b[2]-b[0]) * max(0, b[3]-b[1]) }

func common(a, b [4]float64) float64 {
	return area([4]float64{max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])})
}

func overlap(a, b [4]float64) float64 {
	i := common(a, b)
	if i == 0 {
		return 0
	}
	return i / (area(a) + area(b) - i)
}

func ratio(a, b float64) float64 { return min(a, b) / max(a, b, 1e-9) }
