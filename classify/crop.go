package classify

import (
	"image"
	"math"

	"gleaner/capture"
	"gleaner/detect"
)

// Crop is the part of the frame that shows the object in box: widened by the margin, made square if o says so, and
// clipped to the frame. A square is shifted rather than clipped as long as it fits. A box outside the frame gives an
// empty rectangle.
func Crop(im capture.Image, box detect.Box, o Options) image.Rectangle {
	frame := im.Bounds()
	if !(box.Area() > 0) || box.Rect().Intersect(frame).Empty() {
		return image.Rectangle{}
	}
	mx, my := float64(box.W())*o.Margin, float64(box.H())*o.Margin
	x0, x1 := float64(box.X0)-mx, float64(box.X1)+mx
	y0, y1 := float64(box.Y0)-my, float64(box.Y1)+my
	if o.Shape == ShapeSquare {
		side := math.Ceil(max(x1-x0, y1-y0))
		x0, x1 = centred((x0+x1)/2, side, float64(im.W))
		y0, y1 = centred((y0+y1)/2, side, float64(im.H))
	}
	return image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1)), int(math.Ceil(y1))).Intersect(frame)
}

// centred is the stretch of a whole-pixel side around c, shifted into 0 to size where it fits.
func centred(c, side, size float64) (lo, hi float64) {
	lo = math.Round(c - side/2)
	if side <= size {
		lo = min(max(lo, 0), size-side)
	}
	return lo, lo + side
}
