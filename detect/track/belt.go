package track

import (
	"math"
	"slices"
	"time"
)

// belt is the speed that the tracks share.
type belt struct {
	vx, vy float64 // px/s
	ok     bool
	at     time.Time // of the last measurement
	xs, ys []float64 // scratch
}

const (
	beltSmooth = 0.33 // seconds
	beltSpread = 0.3  // median deviation, as a share of the speed, up to which the tracks move as one
	beltFresh  = time.Second
	beltStale  = 10 * time.Second
)

// measure takes the median over the confirmed tracks that were seen in this frame.
func (b *belt) measure(tracks []*live, now time.Time, step float64) {
	b.xs, b.ys = b.xs[:0], b.ys[:0]
	size := 0.0
	for _, l := range tracks {
		if l.Confirmed && l.Measured && l.Hits >= 3 {
			b.xs, b.ys = append(b.xs, l.VX), append(b.ys, l.VY)
			size += l.body.size()
		}
	}
	if len(b.xs) == 0 {
		return
	}
	size /= float64(len(b.xs))
	mx, my := median(b.xs), median(b.ys)
	for i := range b.xs {
		b.xs[i], b.ys[i] = math.Abs(b.xs[i]-mx), math.Abs(b.ys[i]-my)
	}
	spread := math.Hypot(median(b.xs), median(b.ys))
	if spread > beltSpread*math.Hypot(mx, my)+0.3*size {
		b.ok = false
		return
	}
	f := 1.0
	if b.ok && now.Sub(b.at) < beltFresh {
		f = 1 - math.Exp(-step/beltSmooth)
	}
	b.vx, b.vy = b.vx+f*(mx-b.vx), b.vy+f*(my-b.vy)
	b.ok, b.at = true, now
	for _, l := range tracks {
		if l.Measured {
			l.rides = math.Hypot(l.VX-b.vx, l.VY-b.vy) < 0.35*math.Hypot(b.vx, b.vy)+0.1*size
		}
	}
}

// prior is the velocity that a newborn box begins with and how sure that is, in px/s.
func (b *belt) prior(z [4]float64, now time.Time, step float64) (vx, vy, sigma float64) {
	size := max(z[2]-z[0], z[3]-z[1], 1)
	age := now.Sub(b.at)
	switch speed := math.Hypot(b.vx, b.vy); {
	case b.ok && age <= beltFresh:
		return b.vx, b.vy, 0.3*speed + size
	case b.ok && age <= beltStale:
		return b.vx, b.vy, speed + size
	case step > 0:
		return 0, 0, 0.5 * size / step // up to about a box per frame, either way
	}
	return 0, 0, 10 * size
}

// carry lets lost tracks that rode the belt go on with it: when it stops, so do they.
func (t *Tracker) carry() {
	if !t.belt.ok || !t.belt.at.Equal(t.last) {
		return
	}
	for _, l := range t.live {
		if l.State == Lost && l.rides {
			for i := range l.body {
				l.body[i].v = t.belt.vx
				if i%2 == 1 {
					l.body[i].v = t.belt.vy
				}
			}
		}
	}
}

// median sorts v, which must not be empty.
func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
