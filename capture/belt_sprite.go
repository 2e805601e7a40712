package capture

import (
	"image"
	"math"
	"math/rand/v2"
)

// sprite is one item's picture, drawn once when the item comes and copied into every frame after that.
type sprite struct {
	w, h int
	// still and moving are w*h pixels of four bytes: B, G, R already multiplied by the coverage, and 255 less the
	// coverage (of item and shadow together), so that a frame's pixel d becomes p + d*k/255.
	still, moving []byte
	// lo and hi are the first and last column of the outline in each row; lo > hi in rows without any.
	lo, hi []int
	// from and to are the columns that a row of moving or still touches at all.
	from, to []int
	box      image.Rectangle // around the outline, sprite pixels
}

// look is how one item lies there.
type look struct {
	size     int    // longer side of the picture in pixels
	sin, cos int    // of its turn, 16 bits of fraction
	tint     [3]int // B, G, R in 1/256, mean brightness 256
	shadow   int    // strength of the shadow in 1/256
	hash     uint32 // decides the cloth's grain
}

// cloth is the colours of dyed cloth (B, G, R); none comes near the belt's blue-green.
var cloth = [...][3]int{{60, 70, 190}, {70, 120, 200}, {90, 160, 190}, {170, 110, 90}, {150, 90, 140}, {120, 110, 190},
	{90, 120, 150}, {190, 130, 110}, {130, 130, 130}, {130, 130, 130}}

// itemSizes is the range of the longer side of an item's picture in pixels.
func itemSizes(o BeltOptions, cutout bool, height int) (lo, hi int) {
	lo, hi = o.SizeMin, o.SizeMax
	if hi == 0 {
		lo, hi = 240*height/beltHeight, 320*height/beltHeight
		if cutout {
			lo, hi = 150*height/beltHeight, 230*height/beltHeight
		}
	}
	return max(lo, 16), max(hi, 16)
}

// pickLook draws by lot how an item lies.
func pickLook(rng *rand.Rand, o BeltOptions, cutout bool, height int) look {
	lo, hi := itemSizes(o, cutout, height)
	l := look{size: lo + rng.IntN(hi-lo+1), shadow: 70, hash: rng.Uint32(), tint: [3]int{256, 256, 256}}
	turn := (rng.Float64()*2 - 1) * 12 * math.Pi / 180
	l.sin, l.cos = int(math.Round(math.Sin(turn)*65536)), int(math.Round(math.Cos(turn)*65536))
	c := cloth[rng.IntN(len(cloth))]
	if !cutout {
		return l
	}
	luma := (29*c[0] + 150*c[1] + 77*c[2]) / 256 // ITU-R BT.601 weights
	strength := int(o.Tint * 256)
	for i := range c {
		l.tint[i] = 256 + strength*(c[i]*256/luma-256)/256
	}
	return l
}

// painter makes sprites; it keeps the memory that this takes.
type painter struct {
	o      Options
	cutout bool
	lo, hi int        // the grey levels that a sprite may have
	cubic  [64][4]int // Catmull-Rom weights in 1/1024 for 64 positions between two pixels
	src    planes
	alpha  []byte // coverage of the item
	shade  []byte // coverage of its shadow
	line   []byte
	blur   int // pixels over which a moving item is smeared, at least 1
}

func newPainter(o Options, cutout bool) *painter {
	p := &painter{o: o, cutout: cutout}
	p.lo, p.hi = levels(o.Belt)
	fps := o.FPS
	if fps == 0 {
		fps = beltFPS
	}
	p.blur = max(1, min(24, int(o.Belt.Speed*o.Belt.Exposure.Seconds()+0.5)))
	for f := range p.cubic {
		// Keys 1981, a = -1/2, with t = f/64, times 1024 (so that t³ is f³/256 …).
		t, t2, t3 := f*1024/64, f*f*1024/4096, f*f*f/256
		w := &p.cubic[f]
		w[0], w[2], w[3] = (-t3+2*t2-t)/2, (-3*t3+4*t2+t)/2, (t3-t2)/2
		w[1] = 1024 - w[0] - w[2] - w[3]
	}
	return p
}

// planes is a picture ready to be enlarged: colour planes and coverage, with a rim.
type planes struct {
	w, h   int
	c      [3][]byte // B, G, R; a cut-out has only the first
	n      int       // colour planes in use
	mask   []byte    // coverage 0 to 255; nil: the whole rectangle
	border int       // pixels of rim on every side
	queue  []int     // scratch of the cutting out, as are the next two
	known  []byte
	levels []byte
	// largest is how many pixels the mask's largest piece has.
	largest int
}

// at is the plane's value at fixed-point (16 bits of fraction) u, v by bicubic interpolation (Keys 1981).
func (p *painter) at(plane []byte, u, v int) int {
	w, h := p.src.w, p.src.h
	x, y := u>>16, v>>16
	wx, wy := &p.cubic[u>>10&63], &p.cubic[v>>10&63]
	sum := 0
	if x >= 1 && y >= 1 && x < w-2 && y < h-2 {
		for j := range 4 {
			r := plane[(y+j-1)*w+x-1:]
			r = r[:4]
			sum += wy[j] * (wx[0]*int(r[0]) + wx[1]*int(r[1]) + wx[2]*int(r[2]) + wx[3]*int(r[3]))
		}
	} else {
		for j := range 4 {
			r := plane[min(max(y+j-1, 0), h-1)*w:]
			s := 0
			for i := range 4 {
				s += wx[i] * int(r[min(max(x+i-1, 0), w-1)])
			}
			sum += wy[j] * s
		}
	}
	return min(max(sum>>20, 0), 255)
}

// render draws im as l says into s.
func (p *painter) render(s *sprite, im Image, l look) {
	if p.cutout {
		p.src.fromCutout(im)
	} else {
		p.src.fromPhoto(im, l.size)
	}
	side := max(p.src.w, p.src.h) - 2*p.src.border
	scale := l.size * 65536 / side // pixels of the sprite per source pixel, 16 bits of fraction
	w, h := p.src.w*scale>>16, p.src.h*scale>>16
	cos, sin := l.cos, max(l.sin, -l.sin)
	const rim = 28 // room for the shadow and the blur
	s.resize((w*cos+h*sin)>>16+2*rim, (w*sin+h*cos)>>16+2*rim)
	p.alpha, p.shade = grow(p.alpha, s.w*s.h), grow(p.shade, s.w*s.h)
	clear(p.alpha)
	// Back from the sprite to the source: turn by -angle, divide by scale.
	du, dv := l.cos*65536/scale, l.sin*65536/scale
	for y := range s.h {
		cx, cy := 1-s.w, 2*y+1-s.h // twice the distance from the centre
		u := (du*cx+dv*cy)/2 + p.src.w<<15 - 1<<15
		v := (du*cy-dv*cx)/2 + p.src.h<<15 - 1<<15
		for x := range s.w {
			a := p.cover(u, v, scale)
			if i := y*s.w + x; a > 0 {
				p.alpha[i] = byte(a)
				p.colour(s.still[4*i:4*i+3:4*i+3], u, v, x, y, a, l)
			}
			u += du
			v -= dv
		}
	}
	s.outline(p.alpha)
	p.finish(s, l)
}

// cover is how much of the sprite's pixel the item covers, 0 to 255.
func (p *painter) cover(u, v, scale int) int {
	w, h := p.src.w<<16, p.src.h<<16
	if u <= -1<<16 || v <= -1<<16 || u >= w || v >= h {
		return 0
	}
	if p.src.mask != nil {
		return smooth(p.at(p.src.mask, u, v), 72, 136)
	}
	edge := min(u+1<<15, v+1<<15, w-u-1<<15, h-v-1<<15) // distance from the photograph's edge in source pixels
	return min(max(edge*scale>>16*85>>16, 0), 255)      // three pixels of the sprite wide
}

// smooth rises from 0 at lo to 255 at hi without a corner.
func smooth(v, lo, hi int) int {
	return min(255, ease(min(max((v-lo)*256/(hi-lo), 0), 256)))
}

// colour writes B, G, R at u, v multiplied by the coverage a.
func (p *painter) colour(dst []byte, u, v, x, y, a int, l look) {
	g := p.at(p.src.c[0], u, v)
	if p.src.n == 1 {
		// A grain of the size of a thread, or the enlarged garment looks like plastic.
		g = p.lo + 6 + g*(p.hi-p.lo-6)/255 + int(hash32(uint32(x)*7919+uint32(y>>1)*104729+l.hash)>>29) - 3
		for i := range dst {
			dst[i] = byte(min(max(g*l.tint[i]>>8, p.lo), p.hi) * a / 255)
		}
		return
	}
	dst[0] = byte((p.lo + g*(p.hi-p.lo)/255) * a / 255)
	for i := 1; i < 3; i++ {
		dst[i] = byte((p.lo + p.at(p.src.c[i], u, v)*(p.hi-p.lo)/255) * a / 255)
	}
}

// resize makes the sprite w×h and empty.
func (s *sprite) resize(w, h int) {
	s.w, s.h = w, h
	s.still, s.moving = grow(s.still, 4*w*h), grow(s.moving, 4*w*h)
	clear(s.still)
	s.lo, s.hi, s.from, s.to = grow(s.lo, h), grow(s.hi, h), grow(s.from, h), grow(s.to, h)
}

// grow is b with n elements; memory that is too small is replaced by half as much again, so that a belt soon has all
// that its largest item needs.
func grow[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n, n+n/2)
	}
	return b[:n]
}

// outline finds what at least half covers.
func (s *sprite) outline(alpha []byte) {
	s.box = image.Rectangle{}
	for y := range s.h {
		row := alpha[y*s.w : (y+1)*s.w]
		lo, hi := s.w, -1
		for x, a := range row {
			if a >= 128 {
				lo, hi = min(lo, x), x
			}
		}
		if s.lo[y], s.hi[y] = lo, hi; lo <= hi {
			s.box = s.box.Union(image.Rect(lo, y, hi+1, y+1))
		}
	}
	if s.box.Empty() { // a picture without anything in it still lies somewhere
		s.box = image.Rect(s.w/2-8, s.h/2-8, s.w/2+8, s.h/2+8)
	}
}

// finish adds the shadow, turns coverage into what the frame keeps, and smears a copy for the moving belt.
func (p *painter) finish(s *sprite, l look) {
	const dx, dy = 5, 7 // the lamp hangs above and to the left
	clear(p.shade)
	for y := dy; y < s.h; y++ {
		copy(p.shade[y*s.w+dx:(y+1)*s.w], p.alpha[(y-dy)*s.w:])
	}
	p.line = grow(p.line, max(s.w, s.h))
	for range 2 {
		for y := range s.h {
			boxBlur(p.shade[y*s.w:], 1, s.w, 9, p.line)
		}
		for x := range s.w {
			boxBlur(p.shade[x:], s.w, s.h, 9, p.line)
		}
	}
	for i, a := range p.alpha[:s.w*s.h] {
		k := 255 - int(a)
		s.still[4*i+3] = byte(k - k*int(p.shade[i])*l.shadow>>16)
	}
	copy(s.moving, s.still)
	for y := range s.h {
		row := s.moving[4*y*s.w : 4*(y+1)*s.w]
		for c := range 4 {
			boxBlur(row[c:], 4, s.w, p.blur, p.line)
		}
		s.from[y], s.to[y] = s.w, 0
		for x := range s.w {
			if row[4*x+3] != 255 || s.still[4*(y*s.w+x)+3] != 255 {
				s.from[y], s.to[y] = min(s.from[y], x), x+1
			}
		}
	}
}

// boxBlur replaces each of n values, step bytes apart, by the mean of the size values around it; beyond the ends the
// end values go on. line has room for n.
func boxBlur(v []byte, step, n, size int, line []byte) {
	if size <= 1 || n == 0 {
		return
	}
	before := (size - 1) / 2
	for i := range n {
		line[i] = v[i*step]
	}
	sum := 0
	for i := -before; i < size-before; i++ {
		sum += int(line[min(max(i, 0), n-1)])
	}
	for i := range n {
		v[i*step] = byte((sum + size/2) / size)
		sum += int(line[min(i+size-before, n-1)]) - int(line[max(i-before, 0)])
	}
}
