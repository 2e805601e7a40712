package export

import (
	"gleaner/model/flat"
	"gleaner/train/engine"
)

// margins are rows and columns of padding around a picture, in pixels.
type margins struct{ top, bottom, left, right int }

// fit says how TensorFlow Lite has to be asked for a window over h×w pixels that gives oh×ow: padding SAME or VALID by itself, or
// VALID behind a PAD of these margins. SAME is TensorFlow's: ceil(n/stride) results, and the odd row of padding behind the
// picture (tensorflow/lite/kernels/padding.h).
func fit(win engine.Window, h, w, oh, ow int) (padding int, pad margins) {
	eh, ew := (win.KH-1)*win.DH+1, (win.KW-1)*win.DW+1
	// Rows of padding that no window reaches need not be there.
	bottom := (oh-1)*win.SH + eh - h - win.Top
	right := (ow-1)*win.SW + ew - w - win.Left
	same := func(n, k, stride, before, out int) bool {
		want := (n + stride - 1) / stride
		return out == want && before == max(0, (want-1)*stride+k-n)/2
	}
	switch {
	case win.Top == 0 && win.Left == 0 && bottom <= 0 && right <= 0:
		return flat.PadValid, margins{}
	case same(h, eh, win.SH, win.Top, oh) && same(w, ew, win.SW, win.Left, ow):
		return flat.PadSame, margins{}
	}
	return flat.PadValid, margins{win.Top, max(0, bottom), win.Left, max(0, right)}
}

// counts are, for each place of a pooling's result, the pixels of its window that are no padding.
func counts(win engine.Window, h, w, oh, ow int) []float32 {
	inside := func(at, before, k, n int) int { return min(at-before+k, n) - max(at-before, 0) }
	var c []float32
	for y := range oh {
		for x := range ow {
			c = append(c, float32(inside(y*win.SH, win.Top, win.KH, h)*inside(x*win.SW, win.Left, win.KW, w)))
		}
	}
	return c
}
