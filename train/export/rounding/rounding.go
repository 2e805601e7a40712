// Package rounding rounds a layer's weights to what a file holds of them, and says what that does to the layer's result. Which
// weights are rounded to what is in train/export.
package rounding

import (
	"math"

	"gleaner/model/flat"
)

// Int8 rounds one output channel's weights to dst, -127 to 127 times the scale that it returns: max|w|/127, or least if that
// is more.
func Int8(dst []byte, w []float32, least float64) (scale float32) {
	var top float32
	for _, x := range w {
		top = max(top, float32(math.Abs(float64(x))))
	}
	if scale = top / 127; float64(scale) < least {
		scale = float32(least)
	}
	if scale == 0 {
		scale = 1
	}
	for i, x := range w {
		dst[i] = byte(int8(math.RoundToEven(float64(x / scale))))
	}
	return scale
}

// Float16 rounds weights to float16: the little-endian bytes, and the numbers that they stand for. One that is too large
// becomes an infinity.
func Float16(w []float32) (half []byte, rounded []float32) {
	half = flat.Float16Bytes(w)
	return half, flat.Float16s(half)
}

// Shift is what rounding adds to the mean of a channel's result: its weights are w and were rounded to rounded, and the channels
// of its input, which the weights go through again and again, have these means. Taken off the bias it does not add up from
// layer to layer (bias correction, Nagel et al. 2019, section 4.2; padding is not reckoned with).
func Shift(w []float32, rounded func(i int) float32, mean []float64) float32 {
	sum := 0.0
	for i, x := range w {
		sum += (float64(rounded(i)) - float64(x)) * mean[i%len(mean)]
	}
	return float32(sum)
}
