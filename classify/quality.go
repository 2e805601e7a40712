package classify

import (
	"image"

	"gleaner/capture"
	"gleaner/detect"
)

// Reason says why a crop may not vote. It stands in records, so it is part of the public format.
type Reason string

// The reasons.
const (
	Fine        Reason = ""
	TooSmall    Reason = "too_small"     // the box is under MinSide pixels
	CutByBorder Reason = "cut_by_border" // the object may go on outside the frame
	Blurred     Reason = "blurred"       // the crop has less detail than MinSharpness
)

// laplaceSide bounds the picture on which sharpness is judged.
const laplaceSide = 96

// Quality is the gate before the classifier. The zero value is ready; one goroutine uses it, for it holds scratch
// memory.
type Quality struct {
	rows [3][laplaceSide]int32
}

// Check reports whether the crop of the object in box is good enough to vote, and if not, why. It allocates nothing.
func (q *Quality) Check(im capture.Image, box detect.Box, crop image.Rectangle, o Options) (ok bool, reason Reason) {
	g := o.Quality
	small := float32(g.MinSide)
	switch {
	case crop.Empty() || box.W() < small || box.H() < small:
		return false, TooSmall
	case cut(box.X0, box.X1, im.W, g.BorderPx) || cut(box.Y0, box.Y1, im.H, g.BorderPx):
		return false, CutByBorder
	case g.MinSharpness > 0 && q.Sharpness(im.Sub(crop)) < g.MinSharpness:
		return false, Blurred
	}
	return true, Fine
}

// cut reports whether exactly one end of lo to hi is within border of 0 or size.
func cut(lo, hi float32, size, border int) bool {
	if border == 0 {
		return false
	}
	return (lo < float32(border)) != (hi > float32(size-border))
}

// Sharpness is the variance of the 4-neighbour Laplacian of the luma (Pech-Pacheco et al., "Diatom autofocusing in
// brightfield microscopy", ICPR 2000), after shrinking the picture to at most 96 pixels a side; 0 for pictures under 3
// pixels. Noise of single pixels counts less that way, and the cost is the same for every crop.
func (q *Quality) Sharpness(im capture.Image) float64 {
	f := (max(im.W, im.H) + laplaceSide - 1) / laplaceSide
	if f == 0 {
		return 0
	}
	w, h := im.W/f, im.H/f
	if w < 3 || h < 3 {
		return 0
	}
	a, b, c := &q.rows[0], &q.rows[1], &q.rows[2]
	shrink(im, a, 0, f, w)
	shrink(im, b, 1, f, w)
	var sum, squares int64
	for y := 2; y < h; y++ {
		shrink(im, c, y, f, w)
		for x := 1; x < w-1; x++ {
			l := int64(4*b[x] - b[x-1] - b[x+1] - a[x] - c[x])
			sum += l
			squares += l * l
		}
		a, b, c = b, c, a
	}
	n := float64((w - 2) * (h - 2))
	mean := float64(sum) / n
	// The luma has 4 more bits than a byte, so the variance has 8.
	return (float64(squares)/n - mean*mean) / 256
}

// shrink makes row y of the picture shrunk f times: each cell is the mean luma of at most 2×2 pixels of it, times 16.
func shrink(im capture.Image, dst *[laplaceSide]int32, y, f, w int) {
	step := (f + 1) / 2
	n := int32(0)
	clear(dst[:w])
	for dy := 0; dy < f; dy += step {
		row := im.Row(y*f + dy)
		for dx := 0; dx < f; dx += step {
			n++
			for x := range w {
				p := row[3*(x*f+dx):]
				dst[x] += (int32(p[0])*1868 + int32(p[1])*9617 + int32(p[2])*4899) >> 10 // BT.601, 14 bits less 10
			}
		}
	}
	for x := range w {
		dst[x] /= n
	}
}
