package dataset

import (
	"math"
	"math/rand/v2"

	"gleaner/capture"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
)

// frame is how a picture lies in memory and becomes numbers: h rows of w pixels with c values each.
type frame struct {
	w, h, c int
	red     int              // which channel of three is red; blue is the other end
	table   *[3][256]float32 // the number of a value, by channel
	ground  [3]uint64        // what lies beyond the edge, by channel, 0 to 255
	floor   floor            // what lies there in place of ground, if not empty
}

// affine maps a pixel of the changed picture to where it lies in the original: x' = xx·x + xy·y + x0, y' = yx·x + yy·y + y0, in
// pixels between the centres of pixels.
type affine struct{ xx, xy, x0, yx, yy, y0 float64 }

// about is the map that turns a w×h picture by an angle in degrees about its middle, makes it larger by a factor, lets its rows
// slide sideways by shear pixels per row, mirrors it, and moves it by whole pixels.
func about(w, h int, degrees, factor, shear float64, flip bool, dx, dy int) affine {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	m := affine{xx: (cos + shear*sin) / factor, xy: (shear*cos - sin) / factor, yx: sin / factor, yy: cos / factor}
	if flip {
		m.xx, m.xy = -m.xx, -m.xy
	}
	mx, my := float64(w-1)/2, float64(h-1)/2
	m.x0 = mx - m.xx*mx - m.xy*my + float64(dx)
	m.y0 = my - m.yx*mx - m.yy*my + float64(dy)
	return m
}

// change is all that is drawn for one picture, the noise and the cut-out aside.
type change struct {
	at     affine
	taps   int           // how many places along the way of a motion blur are averaged; 1: sharp
	bx, by float64       // from one to the next, in pixels of the changed picture
	lit    bool          // add and factor count
	add    float32       // to all values
	factor float32       // around 128
	tinted bool          // chroma counts
	chroma [3][2]float32 // see tint
	sigma  float32       // standard deviation of the noise
}

// drawChange draws a picture's change. What is off draws nothing.
func (a *Augment) drawChange(f frame, r *rand.Rand) change {
	flip, dx, dy := a.place(r)
	upTo := func(most float64) float64 { // between -most and most
		if most == 0 {
			return 0
		}
		return (2*r.Float64() - 1) * most
	}
	degrees, factor, shear := upTo(a.Rotate), 1+upTo(a.Zoom), upTo(a.Shear)
	ch := change{at: about(f.w, f.h, degrees, factor, shear, flip, dx, dy), taps: 1}
	if a.Blur > 0 {
		length, angle := r.Float64()*a.Blur, 0.0
		if a.BlurAny {
			angle = r.Float64() * math.Pi
		}
		ch.taps = 1 + int(math.Ceil(length))
		sin, cos := math.Sincos(angle)
		step := length / float64(max(1, ch.taps-1))
		ch.bx, ch.by = cos*step, sin*step
	}
	if a.Brightness > 0 || a.Contrast > 0 {
		ch.lit = true
		ch.add, ch.factor = a.lamp(r)
	}
	if f.c == 3 && (a.Hue > 0 || a.Saturation > 0) {
		ch.tinted = true
		ch.chroma = tint(upTo(a.Hue), 1+upTo(a.Saturation))
	}
	if a.Noise > 0 {
		ch.sigma = float32(r.Float64() * a.Noise * 255)
	}
	return ch
}

// warp writes the changed picture src as numbers, in one pass: each pixel is looked up where the affine map says, between its four
// neighbours (bilinear), then its colours, its light and its noise change, in the order in which a camera adds them. Beyond the
// edge all is black, or of one colour that is drawn, or a piece of a backdrop.
func (a *Augment) warp(dst []float32, src []byte, f frame, r *rand.Rand) {
	ch := a.drawChange(f, r)
	switch {
	case f.floor.w > 0:
		f.floor.x0, f.floor.y0 = r.IntN(f.floor.w), r.IntN(f.floor.h)
	case a.Ground:
		for k := range f.c {
			f.ground[k] = uint64(r.IntN(256))
		}
	}
	ch.fill(dst, src, f, r)
	a.cut(dst, f.w, f.h, f.c, r)
}

// Coordinates are whole numbers of 2^-32 pixels, so that a turn by 90° and a map that changes nothing hit pixels exactly.
const (
	fixedBits = 32
	fixedOne  = 1 << fixedBits
)

func fixed(v float64) int64 { return int64(math.Round(v * fixedOne)) }

func (ch *change) fill(dst []float32, src []byte, f frame, r *rand.Rand) {
	m := &ch.at
	stepX, stepY := fixed(m.xx), fixed(m.yx)
	tapX, tapY := fixed(m.xx*ch.bx+m.xy*ch.by), fixed(m.yx*ch.bx+m.yy*ch.by)
	share := 1 / (float64(ch.taps) * fixedOne)
	for y := range f.h {
		fx := fixed(m.xy*float64(y)+m.x0) - tapX*int64(ch.taps-1)/2
		fy := fixed(m.yy*float64(y)+m.y0) - tapY*int64(ch.taps-1)/2
		row := dst[y*f.w*f.c : (y+1)*f.w*f.c]
		for at := 0; at < len(row); at += f.c {
			var sum [3]uint64
			for tap := range int64(ch.taps) {
				f.add(&sum, src, fx+tap*tapX, fy+tap*tapY)
			}
			v := [3]float32{float32(float64(sum[0]) * share), float32(float64(sum[1]) * share), float32(float64(sum[2]) * share)}
			ch.finish(&v, &f, r)
			f.number(row[at:at+f.c], &v)
			fx, fy = fx+stepX, fy+stepY
		}
	}
}

// add adds the values at a place, in 2^-32 pixels, to sum, in 2^-32 of a value. The shares of the four neighbours have 16 bits a way:
// in whole numbers the sum is the same on every processor.
func (f *frame) add(sum *[3]uint64, src []byte, fx, fy int64) {
	ix, iy := int(fx>>fixedBits), int(fy>>fixedBits)
	tx, ty := uint64(uint32(fx)>>16), uint64(uint32(fy)>>16)
	a, b, c, d := (1<<16-tx)*(1<<16-ty), tx*(1<<16-ty), (1<<16-tx)*ty, tx*ty
	if ix >= 0 && iy >= 0 && ix+1 < f.w && iy+1 < f.h {
		above := src[(iy*f.w+ix)*f.c:]
		below := src[((iy+1)*f.w+ix)*f.c:]
		if f.c == 1 {
			sum[0] += a*uint64(above[0]) + b*uint64(above[1]) + c*uint64(below[0]) + d*uint64(below[1])
			return
		}
		above, below = above[:6], below[:6]
		sum[0] += a*uint64(above[0]) + b*uint64(above[3]) + c*uint64(below[0]) + d*uint64(below[3])
		sum[1] += a*uint64(above[1]) + b*uint64(above[4]) + c*uint64(below[1]) + d*uint64(below[4])
		sum[2] += a*uint64(above[2]) + b*uint64(above[5]) + c*uint64(below[2]) + d*uint64(below[5])
		return
	}
	for k := range f.c {
		sum[k] += a*f.value(src, ix, iy, k) + b*f.value(src, ix+1, iy, k) + c*f.value(src, ix, iy+1, k) + d*f.value(src, ix+1, iy+1, k)
	}
}

// value is that of a pixel; the ground's beyond the edge.
func (f *frame) value(src []byte, x, y, k int) uint64 {
	if x < 0 || y < 0 || x >= f.w || y >= f.h {
		if f.floor.w > 0 {
			return f.floor.value(x, y, k)
		}
		return f.ground[k]
	}
	return uint64(src[(y*f.w+x)*f.c+k])
}

// floor is a backdrop in the pixels of the network's input: h rows of w with c values each. Beyond its edges it goes on as its mirror
// image does, and the picture's first pixel lies on (x0, y0).
type floor struct {
	w, h, c int
	pix     []byte
	x0, y0  int
}

// newFloor is a picture, at its own size, in the colours of an input, "rgb", "bgr" or "gray".
func newFloor(im capture.Image, colour string) floor {
	if im.Empty() {
		return floor{}
	}
	in := bundle.Input{Prep: prep.Linear, Width: im.W, Height: im.H, Colour: colour, Mean: []float32{0}, Std: []float32{1}, Fit: "stretch"}
	f := floor{w: im.W, h: im.H, c: in.Channels()}
	p, err := prep.New(in, model.Tensor{Name: "backdrop", Type: model.UInt8, Shape: []int{1, f.h, f.w, f.c}})
	if err != nil {
		return floor{} // an unknown colour, which the pictures themselves are refused for
	}
	f.pix = make([]byte, p.Size())
	p.Fill(f.pix, im)
	return f
}

func (f *floor) value(x, y, k int) uint64 {
	return uint64(f.pix[(mirror(y+f.y0, f.h)*f.w+mirror(x+f.x0, f.w))*f.c+k])
}

// mirror is the place between 0 and n-1 that v has where n places are followed by their mirror image, and so on.
func mirror(v, n int) int {
	if v = ((v % (2 * n)) + 2*n) % (2 * n); v >= n {
		return 2*n - 1 - v
	}
	return v
}

// finish changes the colours, the light and the noise of a pixel.
func (ch *change) finish(v *[3]float32, f *frame, r *rand.Rand) {
	if ch.tinted {
		recolour(v, f.red, &ch.chroma)
	}
	if !ch.lit && !ch.tinted && ch.sigma == 0 {
		return
	}
	for k := range f.c {
		if ch.lit {
			v[k] = (v[k]-128)*ch.factor + 128 + ch.add
		}
		if ch.sigma > 0 {
			v[k] += ch.sigma * float32(r.NormFloat64())
		}
		v[k] = min(max(v[k], 0), 255)
	}
}

// number writes a pixel's numbers: the table's, and on the line between two of them.
func (f *frame) number(dst []float32, v *[3]float32) {
	for k := range dst {
		i := int(v[k])
		low, high := f.table[k][i&255], f.table[k][min(i+1, 255)]
		dst[k] = low + (v[k]-float32(i))*(high-low)
	}
}
