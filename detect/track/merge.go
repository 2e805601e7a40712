package track

import "time"

// When two touching objects are detected as one box, neither has a detection of its own, and giving the box to either
// would lose the other and spoil the first one's size. Both go on instead, moved along with the box, until it parts.
const (
	mergeCover  = 0.75 // of a track's expected box lies in the detection
	mergeLarger = 1.25 // the detection's area over the largest of the tracks'
	mergeFit    = 0.5  // IoU of the detection with the box around all the tracks
	mergeOther  = 0.3  // IoU with another detection from which a track is seen by itself
	mergeYoung  = 5    // frames that a track may go on merged before it is confirmed
	mergeUnseen = 3    // frames that a track may have been lost for before
)

// merges finds the detections that cover several tracks and takes both out of the assignment.
func (t *Tracker) merges(now time.Time) {
	for i := range t.dets[:t.high] {
		z := edges(t.dets[i].Box)
		t.group = t.group[:0]
		around, largest := [4]float64{}, 0.0
		for _, l := range t.live {
			e := edges(l.body.box())
			if !l.mergeable() || common(e, z) < mergeCover*area(e) || t.seenAlone(l, i) {
				continue
			}
			if len(t.group) == 0 {
				around = e
			}
			around = [4]float64{min(around[0], e[0]), min(around[1], e[1]), max(around[2], e[2]), max(around[3], e[3])}
			largest = max(largest, area(e))
			t.group = append(t.group, l)
		}
		if len(t.group) < 2 || area(z) < mergeLarger*largest || overlap(around, z) < mergeFit {
			continue
		}
		t.taken[i] = true
		for _, l := range t.group {
			e := edges(l.body.box())
			l.mergedBy(along(e[0], e[2], around[0], around[2], z[0], z[2]), along(e[1], e[3], around[1], around[3], z[1], z[3]), now)
		}
	}
}

// along is how far a track at lo–hi, one of those at gLo–gHi together, has to move for these to lie at zLo–zHi. The one
// at an end follows that end of the box, which is seen; those between follow the middle.
func along(lo, hi, gLo, gHi, zLo, zHi float64) float64 {
	switch first, last := lo <= gLo, hi >= gHi; {
	case first && !last:
		return zLo - gLo
	case last && !first:
		return zHi - gHi
	}
	return (zLo + zHi - gLo - gHi) / 2
}

func (l *live) mergeable() bool {
	return !l.hit && l.unseen <= mergeUnseen && (l.Confirmed || l.missed <= mergeYoung)
}

// seenAlone reports whether another detection fits l by itself.
func (t *Tracker) seenAlone(l *live, but int) bool {
	e := edges(l.body.box())
	for j := range t.dets {
		if j != but && !t.taken[j] && overlap(e, edges(t.dets[j].Box)) >= mergeOther {
			return true
		}
	}
	return false
}

// mergedBy moves l along with the box that covers it.
func (l *live) mergedBy(dx, dy float64, now time.Time) {
	reach := 0.5 * l.body.size()
	dx, dy = min(max(dx, -reach), reach), min(max(dy, -reach), reach)
	z := edges(l.body.box())
	for i := range z {
		if i%2 == 0 {
			z[i] += dx
		} else {
			z[i] += dy
		}
	}
	l.body.update(z, mergedNoise)
	l.body.stiffen(l.body.velocity())
	l.hit, l.seen, l.unseen = true, now, 0
	l.missed++
	l.Measured, l.Lost = false, 0
	l.Box = l.body.box()
	l.VX, l.VY = l.body.velocity()
	if l.Confirmed {
		l.State = Merged
	}
}
