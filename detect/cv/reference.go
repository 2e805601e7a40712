package cv

import (
	"time"

	"gleaner/detect"
)

// reference is the learned background: per pixel the mean colour and the variance around it, in the light of the first
// frame. It learns only where it sees background, so a thing that stops stays foreground for as long as it lies there.
//
// The light of the whole scene is one gain per channel, measured in every frame as the median of now over then among
// the pixels that were background before; pixels that an object covers follow the light with it. A change that no gain
// explains, over most of the picture, is a new scene: it is learned anew and reported as nothing.
type reference struct {
	o    detect.MotionOptions
	w, h int
	roi  []bool // nil: everywhere

	fresh bool      // nothing is learned yet
	mean  []float32 // w*h*3, BGR
	vari  []float32 // w*h: mean square distance from mean, summed over the channels
	age   []uint16  // frames that taught the pixel, saturated
	fore  []byte    // 1: foreground in the frame before, grown by one pixel
	still []float32 // seconds that a foreground pixel has kept its colour
	cand  []byte    // that colour
	gain  [3]float32

	ghosts, ghostsNext []ghost
	dt                 time.Duration
}

const (
	startVar = 3 * 8 * 8 // before anything is learned: 8 grey levels of standard deviation
	floorVar = 3 * 3 * 3 // 3 grey levels: a sensor's noise after scaling; less would make noise foreground
	ageMax   = 60000
	// A scene is new when this share of what was background is foreground.
	newScene = 0.6
)

func newReference(o detect.MotionOptions) *reference { return &reference{o: o} }

func (r *reference) Close() error { return nil }

func (r *reference) resize(w, h int, roi []bool) {
	n := w * h
	*r = reference{o: r.o, w: w, h: h, roi: roi, fresh: true,
		mean: make([]float32, 3*n), vari: make([]float32, n), age: make([]uint16, n), fore: make([]byte, n),
		still: make([]float32, n), cand: make([]byte, 3*n), gain: [3]float32{1, 1, 1}}
}

func (r *reference) mask(small, dst []byte, dt time.Duration) (bool, error) {
	r.dt = dt
	if r.fresh {
		r.fresh = false
		r.adoptAll(small)
		return false, nil
	}
	r.measureGain(small)
	was, now := r.compare(small, dst)
	if now > int(newScene*float64(was)) && now > len(dst)/4 {
		r.adoptAll(small)
		return false, nil
	}
	r.learn(small, dst)
	return true, nil
}

// compare writes the mask and counts the pixels that were background before, and those of them that no longer are.
func (r *reference) compare(small, dst []byte) (was, now int) {
	k2 := float32(r.o.Threshold * r.o.Threshold)
	ib, ig, ir := 1/r.gain[0], 1/r.gain[1], 1/r.gain[2]
	for i := range dst {
		p := small[3*i : 3*i+3 : 3*i+3]
		m := r.mean[3*i : 3*i+3 : 3*i+3]
		b, g, c := float32(p[0])*ib-m[0], float32(p[1])*ig-m[1], float32(p[2])*ir-m[2]
		d := b*b + g*g + c*c
		var f byte
		if d > k2*max(r.vari[i], floorVar) {
			f = 1
		}
		dst[i] = f
		if r.fore[i] == 0 {
			was++
			now += int(f)
		}
	}
	return was, now
}

// learn teaches the background where it shows, and ages what lies still.
func (r *reference) learn(small, fg []byte) {
	copy(r.fore, fg)
	swell3(r.fore, r.w)
	base := float32(r.dt.Seconds() / r.o.Learn.Seconds())
	ib, ig, ir := 1/r.gain[0], 1/r.gain[1], 1/r.gain[2]
	for i := range r.fore {
		if r.fore[i] != 0 {
			r.wait(small, i)
			continue
		}
		r.still[i] = 0
		a := min(max(base, 1/float32(r.age[i]+2)), 1)
		if r.age[i] < ageMax {
			r.age[i]++
		}
		p := small[3*i : 3*i+3 : 3*i+3]
		m := r.mean[3*i : 3*i+3 : 3*i+3]
		b, g, c := float32(p[0])*ib-m[0], float32(p[1])*ig-m[1], float32(p[2])*ir-m[2]
		m[0], m[1], m[2] = m[0]+a*b, m[1]+a*g, m[2]+a*c
		r.vari[i] += a * (b*b + g*g + c*c - r.vari[i])
	}
}

// wait counts how long a foreground pixel has kept its colour, and makes it background when that is long enough.
func (r *reference) wait(small []byte, i int) {
	if r.o.Absorb == 0 {
		return
	}
	p, c := small[3*i:3*i+3:3*i+3], r.cand[3*i:3*i+3:3*i+3]
	if far(p[0], c[0]) || far(p[1], c[1]) || far(p[2], c[2]) {
		c[0], c[1], c[2] = p[0], p[1], p[2]
		r.still[i] = 0
		return
	}
	if r.still[i] += float32(r.dt.Seconds()); float64(r.still[i]) > r.o.Absorb.Seconds() {
		r.adopt(small, i)
	}
}

func far(a, b byte) bool { return a > b+20 && b < 235 || b > a+20 && a < 235 }

func (r *reference) adopt(small []byte, i int) {
	for c := range 3 {
		r.mean[3*i+c] = float32(small[3*i+c]) / r.gain[c]
	}
	r.vari[i], r.age[i], r.fore[i], r.still[i] = startVar, 0, 0, 0
}

func (r *reference) adoptAll(small []byte) {
	r.gain = [3]float32{1, 1, 1}
	for i := range r.vari {
		r.adopt(small, i)
	}
	r.ghosts = r.ghosts[:0]
}

// measureGain takes the median of now over then, per channel, over every second pixel of every second row that was
// background in the frame before.
func (r *reference) measureGain(small []byte) {
	const unit, bins = 128, 1024 // ratios 0 to 8
	var hist [3][bins]int32
	var n int32
	for y := 0; y < r.h; y += 2 {
		for x := 0; x < r.w; x += 2 {
			i := y*r.w + x
			if r.fore[i] != 0 || r.roi != nil && !r.roi[i] {
				continue
			}
			m := r.mean[3*i : 3*i+3 : 3*i+3]
			if m[0] < 8 || m[1] < 8 || m[2] < 8 { // too dark to divide by
				continue
			}
			for c := range 3 {
				hist[c][min(int(unit*float32(small[3*i+c])/m[c]), bins-1)]++
			}
			n++
		}
	}
	if int(n) < len(r.vari)/80 { // 5 % of the samples: the picture is full of objects
		return
	}
	for c := range 3 {
		var below int32
		for b, k := range hist[c] {
			if 2*(below+k) > n {
				r.gain[c] = max((float32(b)+float32(n-2*below)/float32(2*k))/unit, 0.02)
				break
			}
			below += k
		}
	}
}
