package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Augment says how training pictures are changed at random. The zero value changes nothing.
type Augment struct {
	Flip  bool // left and right are swapped, one time in two
	Shift int  // moved by up to so many pixels each way; what comes in is black, as the bars of a letterbox are
	// Cutout is the side in pixels of a square that is blanked, anywhere, also partly outside (DeVries and Taylor 2017). It gets
	// the number 0, the mean of the input.
	Cutout int
	// Brightness b adds up to ±b·255 to all values; Contrast c stretches them around 128 by a factor between 1-c and 1+c.
	// Both are 0 to 1, and values stay in 0 to 255.
	Brightness, Contrast float64
}

// Check tells what is wrong with the numbers.
func (a Augment) Check() error {
	switch {
	case a.Shift < 0 || a.Cutout < 0:
		return fmt.Errorf("shift %d and cutout %d are pixels, not negative", a.Shift, a.Cutout)
	case !(a.Brightness >= 0 && a.Brightness <= 1) || !(a.Contrast >= 0 && a.Contrast <= 1):
		return fmt.Errorf("brightness %g and contrast %g are in 0 to 1", a.Brightness, a.Contrast)
	}
	return nil
}

// apply writes the changed picture src, h rows of w pixels with c values each, as numbers by the table of each channel.
func (a Augment) apply(dst []float32, src []byte, w, h, c int, table *[3][256]float32, r *rand.Rand) {
	flip := a.Flip && r.Uint64()&1 == 1
	dx, dy := 0, 0
	if a.Shift > 0 {
		dx, dy = r.IntN(2*a.Shift+1)-a.Shift, r.IntN(2*a.Shift+1)-a.Shift
	}
	black := [3]float32{table[0][0], table[1][0], table[2][0]}
	if a.Brightness > 0 || a.Contrast > 0 {
		table = a.light(table, c, r)
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
	if a.Cutout > 0 {
		a.cut(dst, w, h, c, r)
	}
}

// light is the table of a picture whose brightness and contrast are changed.
func (a Augment) light(table *[3][256]float32, c int, r *rand.Rand) *[3][256]float32 {
	add := float32((2*r.Float64() - 1) * a.Brightness * 255)
	factor := float32(1 + (2*r.Float64()-1)*a.Contrast)
	var t [3][256]float32
	for k := range c {
		// The table is a straight line: (v-mean)/std, so that any value between 0 and 255 can be read off it.
		low, slope := table[k][0], (table[k][255]-table[k][0])/255
		for v := range 256 {
			t[k][v] = low + slope*min(max((float32(v)-128)*factor+128+add, 0), 255)
		}
	}
	return &t
}

func (a Augment) cut(dst []float32, w, h, c int, r *rand.Rand) {
	x0, y0 := r.IntN(w)-a.Cutout/2, r.IntN(h)-a.Cutout/2
	for y := max(y0, 0); y < min(y0+a.Cutout, h); y++ {
		clear(dst[(y*w+max(x0, 0))*c : (y*w+max(min(x0+a.Cutout, w), 0))*c])
	}
}
