package track

import (
	"math"

	"gleaner/detect"
)

// shift finds by how much most boxes of the frame before have moved all together, from the boxes alone. It is what gets
// the tracker going on a belt that moves by about a box per frame: there the nearest box is often the wrong one, and
// wrong pairs would give wrong speeds that breed more wrong pairs. Each pair of boxes of two frames votes for its own
// displacement; one that clearly more boxes agree on than on any other is taken.
const (
	shiftBoxes = 16   // at most so many boxes of a frame vote
	shiftLeast = 3    // votes
	shiftNear  = 0.08 // deviation of each edge, in parts of the box's size
)

// shift sets t.motion when it finds one.
func (t *Tracker) shift() {
	a, b := t.before, t.dets[:t.high]
	a, b = a[:min(len(a), shiftBoxes)], b[:min(len(b), shiftBoxes)]
	if t.dt == 0 || len(a) < shiftLeast || len(b) < shiftLeast {
		return
	}
	var votes [shiftBoxes * shiftBoxes]displacement
	best, n := displacement{}, 0
	for _, p := range a {
		for _, c := range b {
			d := displacement{x: middle(c.Box.X0, c.Box.X1) - middle(p.Box.X0, p.Box.X1), y: middle(c.Box.Y0, c.Box.Y1) - middle(p.Box.Y0, p.Box.Y1)}
			d.size = float64(max(p.Box.W(), p.Box.H()))
			if !same(p.Box, c.Box, d) || math.Hypot(d.x, d.y) > gateReach*d.size {
				continue
			}
			d.votes = count(a, b, d)
			votes[n] = d
			n++
			if d.votes > best.votes {
				best = d
			}
		}
	}
	if best.votes < shiftLeast || 2*best.votes < min(len(a), len(b)) {
		return
	}
	for _, d := range votes[:n] {
		if math.Hypot(d.x-best.x, d.y-best.y) > 2*shiftNear*best.size && 2*d.votes > best.votes {
			return // another one is nearly as good
		}
	}
	m := &t.motion
	m.ok, m.dx, m.dy, m.vx, m.vy = true, best.x, best.y, best.x/t.dt, best.y/t.dt
}

type displacement struct {
	x, y, size float64
	votes      int
}

func count(a, b []detect.Detection, d displacement) (n int) {
	for _, p := range a {
		for _, c := range b {
			if same(p.Box, c.Box, d) {
				n++
				break
			}
		}
	}
	return n
}

// same reports whether c is p moved by d.
func same(p, c detect.Box, d displacement) bool {
	near := shiftNear * max(p.W(), p.H())
	x, y := float32(d.x), float32(d.y)
	return apart(c.X0, p.X0+x) < near && apart(c.X1, p.X1+x) < near && apart(c.Y0, p.Y0+y) < near && apart(c.Y1, p.Y1+y) < near
}

func apart(a, b float32) float32 { return max(a-b, b-a) }

func middle(a, b float32) float64 { return float64(a+b) / 2 }
