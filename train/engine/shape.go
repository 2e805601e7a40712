package engine

import (
	"fmt"
	"slices"
)

// Shape is the size of an array along each axis, the outermost first; a scalar has none. Pictures are [N H W C].
type Shape []int

// Size is the number of elements: 1 for a scalar.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal tells whether two shapes have the same axes.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// String is the shape as [8 32 32 3].
func (s Shape) String() string { return fmt.Sprint([]int(s)) }

// Window is how a convolution or a pooling moves over a picture, in pixels. Zero strides and dilations mean 1.
type Window struct {
	KH, KW     int // height and width of the kernel
	SH, SW     int // stride
	DH, DW     int // dilation: the distance of neighbouring taps
	Top, Left  int // padding before the first row and column
	Bottom     int // padding after the last row
	Right      int // padding after the last column
	normalised bool
}

// Square is a k×k window of one stride and the same padding on all four sides.
func Square(k, stride, pad int) Window {
	return Window{KH: k, KW: k, SH: stride, SW: stride, Top: pad, Left: pad, Bottom: pad, Right: pad}
}

// Same is a k×k window padded as TensorFlow's SAME is for a picture of h×w: the output has ceil(h/stride) rows, and an odd
// row of padding goes behind the picture.
func Same(k, stride, h, w int) Window {
	win := Window{KH: k, KW: k, SH: stride, SW: stride}
	win.Top, win.Bottom = samePad(h, k, stride, 1)
	win.Left, win.Right = samePad(w, k, stride, 1)
	return win
}

func samePad(n, k, stride, dilation int) (before, after int) {
	total := max(0, ((n+stride-1)/stride-1)*stride+(k-1)*dilation+1-n)
	return total / 2, total - total/2
}

func (w Window) norm() Window {
	for _, v := range []*int{&w.SH, &w.SW, &w.DH, &w.DW} {
		if *v == 0 {
			*v = 1
		}
	}
	w.normalised = true
	return w
}

// out is the height and width of what the window makes of h×w pixels; an error if it fits nowhere.
func (w Window) out(h, wd int) (oh, ow int, err error) {
	if w.KH < 1 || w.KW < 1 || w.SH < 1 || w.SW < 1 || w.DH < 1 || w.DW < 1 || min(w.Top, w.Left, w.Bottom, w.Right) < 0 {
		return 0, 0, fmt.Errorf("a window of %d×%d, stride %d×%d, dilation %d×%d is not possible", w.KH, w.KW, w.SH, w.SW, w.DH, w.DW)
	}
	eh, ew := (w.KH-1)*w.DH+1, (w.KW-1)*w.DW+1
	ph, pw := h+w.Top+w.Bottom, wd+w.Left+w.Right
	if ph < eh || pw < ew {
		return 0, 0, fmt.Errorf("a window of %d×%d does not fit into a picture of %d×%d with its padding", eh, ew, ph, pw)
	}
	return (ph-eh)/w.SH + 1, (pw-ew)/w.SW + 1, nil
}
