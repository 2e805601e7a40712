package capture

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// The belt is vulcanised at seams a "metre" apart; its drawing repeats after two.
const (
	seamEvery = 1152
	strip     = 2 * seamEvery // pixels: a multiple of the weave (12) and of the blotches (64)
)

// The belt's colour (B, G, R) under full light: a dusky blue-green, far from most cloth in at least one channel.
const beltB, beltG, beltR = 122, 114, 70

// beltTop is the row where the belt begins below the upper rail; beltRows is how many rows it has.
func beltTop(height int) int { return height * 44 / beltHeight }

func beltRows(height int) int { return height - 2*beltTop(height) }

// levels are the grey levels that may be drawn before light and noise are laid on, so that neither runs out of a
// byte: the noise's reach stays free at both ends.
func levels(o BeltOptions) (lo, hi int) {
	reach := noiseReach(o.Noise)
	dark := (1 - 2*o.LightDrift) * (1 - o.LightStep) * darkest / 256
	return int(math.Ceil(float64(reach+2) / dark)), 255 - reach - 2
}

// darkest is the least that the vignette and the rails' shadow leave of the light, in 1/256.
const darkest = 150

// scene draws what world says: the belt's texture, copied row by row from a strip made once, the items over it, then
// light and noise in one pass over each row while it is in the cache.
type scene struct {
	o             Options
	still, moving Image // the belt, strip×H pixels, sharp and smeared by its own speed
	rails         Image // the frame's own size; only the rows outside the belt are drawn
	sensor        sensor
}

func newScene(o Options) *scene {
	s := &scene{o: o, still: NewImage(strip, o.Height), moving: NewImage(strip, o.Height), rails: NewImage(o.Width, o.Height)}
	paintBelt(s.still, o.Belt)
	s.still.CopyTo(s.moving)
	p := newPainter(o, false)
	line := make([]byte, strip)
	for y := range o.Height {
		for c := range 3 {
			boxBlur(s.moving.Row(y)[c:], 3, strip, p.blur, line)
		}
	}
	paintRails(s.rails, o.Belt)
	s.sensor = newSensor(o.Width, o.Height, o.Belt, o.FPS)
	return s
}

// draw fills dst, which has the scene's size.
func (s *scene) draw(dst Image, w *world) {
	off := w.here()
	moving := abs(w.speed)*2 > int64(s.o.Belt.Speed*256/w.fps)
	belt := s.still
	if moving {
		belt = s.moving
	}
	at := ((-off)%strip + strip) % strip // column of the strip at the left edge
	top, rows := beltTop(s.o.Height), beltRows(s.o.Height)
	s.sensor.frame(w.frame)
	for y := range dst.H {
		row := dst.Row(y)
		if y < top || y >= top+rows {
			copy(row, s.rails.Row(y))
		} else {
			src := belt.Row(y)
			for n := copy(row, src[3*at:]); n < len(row); {
				n += copy(row[n:], src)
			}
			for i := range w.on {
				p := &w.on[i]
				if r := y - p.y; r >= 0 && r < p.sp.h {
					p.sp.blit(row, r, p.x+off, moving)
				}
			}
		}
		s.sensor.expose(row, y)
	}
}

func abs(v int64) int64 { return max(v, -v) }

// blit lays row r of the sprite over a frame's row, its left edge at x.
func (s *sprite) blit(row []byte, r, x int, moving bool) {
	from, to := max(s.from[r], -x), min(s.to[r], len(row)/3-x)
	if from >= to {
		return
	}
	pix := s.still
	if moving {
		pix = s.moving
	}
	src := pix[4*(r*s.w+from) : 4*(r*s.w+to)]
	dst := row[3*(x+from) : 3*(x+to)]
	for len(src) >= 4 && len(dst) >= 3 {
		switch k := uint32(src[3]); k {
		case 0:
			dst[0], dst[1], dst[2] = src[0], src[1], src[2]
		case 255:
		default:
			k += k >> 7 // 0 to 256, so that the division is a shift
			dst[0] = src[0] + byte(uint32(dst[0])*k>>8)
			dst[1] = src[1] + byte(uint32(dst[1])*k>>8)
			dst[2] = src[2] + byte(uint32(dst[2])*k>>8)
		}
		src, dst = src[4:], dst[3:]
	}
}

// noiseReach is the most that noise of the given deviation adds or takes, in grey levels.
func noiseReach(sigma float64) int { return int(math.Ceil(sigma * 3)) }

// sensor lays light (vignette, drift, steps) and noise over a drawn row, sixteen bytes at a time.
type sensor struct {
	o     BeltOptions
	fps   float64
	cols  []uint16 // light at every sixteenth byte of a row, 1/256
	rows  []uint16 // light at every row, 1/256
	bank  []byte   // noise plus reach, longer than a row by bankSize
	reach uint64
	state uint64 // decides where in the bank the frame's rows begin
	light uint32 // of this frame, 1/256
	salt  uint64
}

// bankSize is how many places there are in the noise bank at which a row may begin.
const bankSize = 1 << 16

func newSensor(w, h int, o BeltOptions, fps float64) sensor {
	if fps == 0 {
		fps = beltFPS
	}
	s := sensor{o: o, fps: fps, cols: make([]uint16, (3*w+15)/16), rows: make([]uint16, h), reach: uint64(noiseReach(o.Noise))}
	for i := range s.cols {
		d := (2*16*i - 3*w) * 256 / (3 * w) // -256 at the left edge to 256 at the right
		s.cols[i] = uint16(256 - 22*d*d>>16)
	}
	top, rows := beltTop(h), beltRows(h)
	for y := range s.rows {
		d := (2*y - h) * 256 / h
		v := 256 - 18*d*d>>16
		if in := min(y-top, top+rows-1-y); in >= 0 && in < top/2 { // the rails' shadow on the belt
			q := (top/2 - in) * 256 / (top / 2)
			v -= v * q / 256 * q / 256 * 70 / 256
		}
		s.rows[y] = uint16(v)
	}
	rng := rand.New(rand.NewPCG(o.Seed, 1<<63))
	s.bank = make([]byte, bankSize+3*w+8)
	for i := range s.bank {
		n := rng.NormFloat64() * o.Noise
		s.bank[i] = byte(int(s.reach) + int(math.Round(min(max(n, -float64(s.reach)), float64(s.reach)))))
	}
	return s
}

func (s *sensor) seed(v uint64) { s.salt = v }

// frame sets the light and noise of frame n.
func (s *sensor) frame(n int) {
	t := float64(n) / s.fps
	// Two slow swings that do not come together again: lamps warming, clouds before a skylight.
	swing := (2 + float64(math.Sin(t*2*math.Pi/23)) + float64(math.Sin(t*2*math.Pi/7.3))) / 2 // 0 to 2
	light := 256 * (1 - s.o.LightDrift*swing)
	if e := s.o.LightStepEvery.Seconds(); s.o.LightStep > 0 && e > 0 && int(t/e)%2 == 1 {
		light *= 1 - s.o.LightStep
	}
	s.light = uint32(light + 0.5)
	s.state = s.salt*0x9e3779b97f4a7c15 + uint64(n)*0xbf58476d1ce4e5b9
}

// expose lays light and noise over row y. With every value v of the row within levels, v*gain + noise stays in a byte:
// so eight bytes can be computed in two registers, in lanes of 16 bits, without any carry between them.
func (s *sensor) expose(row []byte, y int) {
	s.state = s.state*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
	noise := s.bank[s.state>>48:]
	gain := uint32(s.rows[y]) * s.light // 16 bits of fraction
	bias := s.reach * 0x0101010101010101
	const even, odd = 0x00ff00ff00ff00ff, 0xff00ff00ff00ff00
	cols := s.cols
	for len(row) >= 16 && len(noise) >= 16 && len(cols) > 0 {
		g := uint64(uint32(cols[0]) * (gain >> 4) >> 12)
		v, w := binary.LittleEndian.Uint64(row), binary.LittleEndian.Uint64(row[8:])
		v = (v&even)*g>>8&even | (v>>8&even)*g&odd
		w = (w&even)*g>>8&even | (w>>8&even)*g&odd
		binary.LittleEndian.PutUint64(row, v+binary.LittleEndian.Uint64(noise)-bias)
		binary.LittleEndian.PutUint64(row[8:], w+binary.LittleEndian.Uint64(noise[8:])-bias)
		row, noise, cols = row[16:], noise[16:], cols[1:]
	}
	for i := range row {
		g := uint64(uint32(cols[0]) * (gain >> 4) >> 12)
		row[i] = byte(uint64(row[i])*g>>8 + uint64(noise[i]) - s.reach)
	}
}
