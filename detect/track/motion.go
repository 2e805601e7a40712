package track

import (
	"math"
)

// motion is what most pairs of a frame agree on: where the belt went since the frame before. It is taken from the pairs
// themselves, so that it is right in the very frame in which a belt starts, stops or turns, and it keeps a lost track
// that waits where objects enter from taking one newcomer after the other for its own.
type motion struct {
	ok     bool
	dx, dy float64 // px since the frame before
	vx, vy float64 // px/s
	xs, ys []float64
}

const (
	motionLeast   = 3    // pairs
	motionNear    = 0.15 // deviation of a pair that agrees, in parts of its size
	motionFar     = 0.3  // deviation of a pair that cannot be
	ownWayHits    = 5    // detections after which a track may go a way of its own
	motionMinPart = 2.0 / 3
)

// pair is an assignment that is not yet made.
type pair struct {
	l   *live
	det int
}

// agree works out what the pairs have in common.
func (m *motion) agree(t *Tracker, pairs []pair) {
	m.ok, m.xs, m.ys = false, m.xs[:0], m.ys[:0]
	for _, p := range pairs {
		z := edges(t.dets[p.det].Box)
		m.xs = append(m.xs, rigid(z[0]-p.l.prev[0], z[2]-p.l.prev[2]))
		m.ys = append(m.ys, rigid(z[1]-p.l.prev[1], z[3]-p.l.prev[3]))
	}
	if len(m.xs) < motionLeast || t.dt == 0 {
		return
	}
	m.dx, m.dy = median(m.xs), median(m.ys)
	m.vx, m.vy = m.dx/t.dt, m.dy/t.dt
	near := 0
	for _, p := range pairs {
		if m.off(p.l, edges(t.dets[p.det].Box)) < motionNear {
			near++
		}
	}
	m.ok = float64(near) >= motionMinPart*float64(len(m.xs))
}

// off is how far z is from where l would be if it had gone with the others since the frame before, in parts of its
// size. Of two opposite edges the better one counts: the other may be held by the frame's border.
func (m *motion) off(l *live, z [4]float64) float64 {
	size := max(l.prev[2]-l.prev[0], l.prev[3]-l.prev[1], z[2]-z[0], z[3]-z[1], 1)
	return max(nearer(z[0]-l.prev[0]-m.dx, z[2]-l.prev[2]-m.dx),
		nearer(z[1]-l.prev[1]-m.dy, z[3]-l.prev[3]-m.dy)) / size
}

func nearer(a, b float64) float64 { return min(math.Abs(a), math.Abs(b)) }

// allows reports whether l may be at z, given where the others went.
func (m *motion) allows(l *live, z [4]float64) bool {
	return !m.ok || m.off(l, z) < motionFar || l.Hits >= ownWayHits && !l.rides
}
