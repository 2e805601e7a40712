package dataset

import (
	"fmt"
	"math/rand/v2"

	"gleaner/capture"
)

// Augment says how training pictures are changed at random, each by amounts of its own. The zero value changes nothing. Pixels
// are those of the network's input.
type Augment struct {
	Flip  bool // left and right are swapped, one time in two
	Shift int  // moved by up to so many pixels each way; what comes in is black, as the bars of a letterbox are
	// Cutout is the side in pixels of a square that is blanked, anywhere, also partly outside (DeVries and Taylor 2017). It gets
	// the number 0, the mean of the input.
	Cutout int
	// Brightness b adds up to ±b·255 to all values; Contrast c stretches them around 128 by a factor between 1-c and 1+c.
	// Both are 0 to 1, and values stay in 0 to 255.
	Brightness, Contrast float64
	Erase                float64 // share of the pictures that Cutout blanks a square in, 0 to 1; 0: all

	Rotate float64 // degrees: turned about the middle by up to so many each way, 0 to 180
	Zoom   float64 // made larger or smaller by a factor between 1-Zoom and 1+Zoom, 0 to 0.9
	Shear  float64 // rows slide sideways by up to so many pixels per row, each way, the middle one not, 0 to 1
	// Blur is the greatest length in pixels, 0 to 64, of a motion blur: each pixel is the mean of what passes it, horizontally, as
	// things on a belt do, or with BlurAny in any direction.
	Blur    float64
	BlurAny bool
	// Hue turns the colours by up to so many degrees each way, 0 to 180, and Saturation s makes them stronger or weaker by a factor
	// between 1-s and 1+s, 0 to 1. Brightness (the luma of ITU-R BT.601) stays, gray stays gray, and pictures of one channel do not
	// change.
	Hue, Saturation float64
	// Noise is the greatest standard deviation, as a share of 255, 0 to 1, of the Gaussian noise of a picture, drawn for each value
	// by itself.
	Noise float64
	// Ground gives what lies beyond the edge of a picture that was turned, shrunk or moved a colour drawn for each picture, as what
	// things lie on has; without, it is black.
	Ground bool
	// Backdrop, if not empty, is a picture of what things lie on, such as the empty belt, and comes before Ground: what lies beyond the
	// edge is a piece of it, its place drawn for each picture.
	Backdrop capture.Image
}

// Check tells what is wrong with the numbers.
func (a Augment) Check() error {
	switch {
	case a.Shift < 0 || a.Cutout < 0:
		return fmt.Errorf("shift %d and cutout %d are pixels, not negative", a.Shift, a.Cutout)
	case !(a.Brightness >= 0 && a.Brightness <= 1) || !(a.Contrast >= 0 && a.Contrast <= 1):
		return fmt.Errorf("brightness %g and contrast %g are in 0 to 1", a.Brightness, a.Contrast)
	}
	for _, v := range []struct {
		name       string
		value, top float64
	}{{"erase", a.Erase, 1}, {"rotate", a.Rotate, 180}, {"zoom", a.Zoom, 0.9}, {"shear", a.Shear, 1}, {"blur", a.Blur, 64},
		{"hue", a.Hue, 180}, {"saturation", a.Saturation, 1}, {"noise", a.Noise, 1}} {
		if !(v.value >= 0 && v.value <= v.top) {
			return fmt.Errorf("%s %g is not in 0 to %g", v.name, v.value, v.top)
		}
	}
	return nil
}

// samples tells whether pixels are mixed out of several, so that warp does the work; apply only moves them.
func (a *Augment) samples() bool {
	return a.Rotate > 0 || a.Zoom > 0 || a.Shear > 0 || a.Blur > 0 || a.Hue > 0 || a.Saturation > 0 || a.Noise > 0 || a.Ground || !a.Backdrop.Empty()
}

// apply writes the changed picture src, h rows of w pixels with c values each, as numbers by the table of each channel.
func (a *Augment) apply(dst []float32, src []byte, w, h, c int, table *[3][256]float32, r *rand.Rand) {
	flip, dx, dy := a.place(r)
	black := [3]float32{table[0][0], table[1][0], table[2][0]}
	var lit [3][256]float32
	if a.Brightness > 0 || a.Contrast > 0 {
		a.light(&lit, table, c, r)
		table = &lit
	}
	for y := range h {
		row := dst[y*w*c : (y+1)*w*c]
		from := y + dy
		if from < 0 || from >= h {
			for k := range row {
				row[k] = black[k%c]
			}
			continue
		}
		line := src[from*w*c : (from+1)*w*c]
		for x := range w {
			at := x + dx
			if flip {
				at = w - 1 - x + dx
			}
			if at < 0 || at >= w {
				copy(row[x*c:(x+1)*c], black[:c])
				continue
			}
			for k := range c {
				row[x*c+k] = table[k][line[at*c+k]]
			}
		}
	}
	a.cut(dst, w, h, c, r)
}

// place draws whether a picture is mirrored, and by how many pixels it is moved.
func (a *Augment) place(r *rand.Rand) (flip bool, dx, dy int) {
	flip = a.Flip && r.Uint64()&1 == 1
	if a.Shift > 0 {
		dx, dy = r.IntN(2*a.Shift+1)-a.Shift, r.IntN(2*a.Shift+1)-a.Shift
	}
	return flip, dx, dy
}

// lamp draws a change of light: a value v becomes (v-128)*factor + 128 + add.
func (a *Augment) lamp(r *rand.Rand) (add, factor float32) {
	return float32((2*r.Float64() - 1) * a.Brightness * 255), float32(1 + (2*r.Float64()-1)*a.Contrast)
}

// light makes the table of a picture whose brightness and contrast are changed.
func (a *Augment) light(t, table *[3][256]float32, c int, r *rand.Rand) {
	add, factor := a.lamp(r)
	for k := range c {
		// The table is a straight line: (v-mean)/std, so that any value between 0 and 255 can be read off it.
		low, slope := table[k][0], (table[k][255]-table[k][0])/255
		for v := range 256 {
			t[k][v] = low + slope*min(max((float32(v)-128)*factor+128+add, 0), 255)
		}
	}
}

// cut blanks a square, if that is wanted and its turn.
func (a *Augment) cut(dst []float32, w, h, c int, r *rand.Rand) {
	if a.Cutout <= 0 || a.Erase > 0 && a.Erase < 1 && r.Float64() >= a.Erase {
		return
	}
	x0, y0 := r.IntN(w)-a.Cutout/2, r.IntN(h)-a.Cutout/2
	for y := max(y0, 0); y < min(y0+a.Cutout, h); y++ {
		clear(dst[(y*w+max(x0, 0))*c : (y*w+max(min(x0+a.Cutout, w), 0))*c])
	}
}
