package track

import (
	"time"

	"gleaner/detect"
)

// axis is a Kalman filter over one edge of a box: position and velocity, with white noise as acceleration
// (Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section 6.2.2).
type axis struct {
	p, v       float64 // px, px/s
	pp, pv, vv float64 // covariance
}

// predict moves the state by dt seconds; q is the noise's density in px²/s³.
func (a *axis) predict(dt, q float64) {
	a.p += a.v * dt
	a.pp += dt*(2*a.pv+dt*a.vv) + q*dt*dt*dt/3
	a.pv += dt*a.vv + q*dt*dt/2
	a.vv += q * dt
}

// update takes in the position z, measured with variance r in px².
func (a *axis) update(z, r float64) {
	s := a.pp + r
	kp, kv := a.pp/s, a.pv/s
	d := z - a.p
	a.p += kp * d
	a.v += kv * d
	a.vv -= kv * a.pv
	a.pv *= 1 - kp
	a.pp *= 1 - kp
}

// Noise in parts of the object's size. Edges are measured to about a thirtieth; an object may change its speed by two
// of its sizes per second, and one that moves by more, so that a belt that stops within a few frames is followed.
const (
	edgeNoise   = 0.03
	mergedNoise = 0.10
	deformNoise = 0.25
	sizeAccel   = 2.0
	speedAccel  = 1.5
	// oruSteps bounds the virtual observations after a loss.
	oruSteps = 30
)

// body is the moving box: the edges x0, y0, x1, y1, each with a velocity of its own. Thus a box that grows out of the
// frame's border, one edge standing and one moving, is predicted rightly without knowing where the border is.
type body [4]axis

func (b *body) box() detect.Box {
	return detect.Box{X0: float32(b[0].p), Y0: float32(b[1].p), X1: float32(b[2].p), Y1: float32(b[3].p)}
}

// size is the longer side in pixels, at least 1.
func (b *body) size() float64 { return max(b[2].p-b[0].p, b[3].p-b[1].p, 1) }

// velocity is the object's, in px/s: that of the faster edge, because the other may be held back by the frame's border;
// when the edges part or close, that of the centre.
func (b *body) velocity() (vx, vy float64) { return rigid(b[0].v, b[2].v), rigid(b[1].v, b[3].v) }

func rigid(a, b float64) float64 {
	switch {
	case a*b < 0:
		return (a + b) / 2
	case max(a, -a) > max(b, -b):
		return a
	}
	return b
}

func (b *body) predict(dt float64) {
	size := b.size()
	vx, vy := b.velocity()
	q := sizeAccel*sizeAccel*size*size + speedAccel*speedAccel*(vx*vx+vy*vy)
	for i := range b {
		b[i].predict(dt, q)
	}
	for i := range 2 { // a box never turns inside out
		if b[i+2].p < b[i].p+1 {
			c := (b[i].p + b[i+2].p) / 2
			b[i].p, b[i+2].p = c-0.5, c+0.5
			v := (b[i].v + b[i+2].v) / 2
			b[i].v, b[i+2].v = v, v
		}
	}
}

func (b *body) update(z [4]float64, noise float64) {
	r := noise * b.size()
	r = r*r + 0.25 // half a pixel of rounding
	for i := range b {
		b[i].update(z[i], r)
	}
}

// born is a body at z with velocity v, known to within sigma px/s.
func born(z [4]float64, vx, vy, sigma float64) body {
	var b body
	for i := range b {
		b[i].p = z[i]
	}
	r := edgeNoise * b.size()
	for i := range b {
		b[i].pp, b[i].vv = r*r+0.25, sigma*sigma
		b[i].v = vx
		if i%2 == 1 {
			b[i].v = vy
		}
	}
	return b
}

// stiffen gives opposite edges one velocity each way: (vx, vy).
func (b *body) stiffen(vx, vy float64) {
	b[0].v, b[2].v, b[1].v, b[3].v = vx, vx, vy, vy
}

// deformed reports whether z has another size than the box before by more than motion explains: two objects became one
// box or one box became two, or an object comes in over the border. What the edges did then is no velocity.
func deformed(before, z [4]float64) bool {
	size := max(before[2]-before[0], before[3]-before[1], z[2]-z[0], z[3]-z[1])
	dw, dh := z[2]-z[0]-before[2]+before[0], z[3]-z[1]-before[3]+before[1]
	return max(dw, -dw, dh, -dh) > deformNoise*size
}

// recover runs the filter again from the last observation to z along the straight line between, in place of the
// prediction that went its own way meanwhile (OC-SORT's observation-centric re-update: Cao et al., CVPR 2023).
func (b *body) recover(from [4]float64, z [4]float64, total time.Duration, steps int) {
	steps = min(steps, oruSteps)
	dt := total.Seconds() / float64(steps)
	for i := 1; i <= steps; i++ {
		f := float64(i) / float64(steps)
		var at [4]float64
		for k := range at {
			at[k] = from[k] + f*(z[k]-from[k])
		}
		b.predict(dt)
		b.update(at, edgeNoise)
	}
}

func edges(b detect.Box) [4]float64 {
	return [4]float64{float64(b.X0), float64(b.Y0), float64(b.X1), float64(b.Y1)}
}
