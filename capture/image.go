package capture

import "image"

// Image is a view on 8-bit colour pixels: rows of interleaved B, G, R bytes, each 0 to 255, the first row on top.
// Pixel (x, y) starts at Pix[y*Stride+3*x]. It owns nothing: the memory, native or Go, belongs to whoever made the
// view, and is valid for as long as that owner says (for a frame: until Release).
type Image struct {
	Pix    []byte // at least (H-1)*Stride + 3*W bytes
	Stride int    // bytes from one row to the next, at least 3*W
	W, H   int    // pixels
}

// NewImage allocates a black w×h image in Go memory, rows packed without padding. It panics on a negative size.
func NewImage(w, h int) Image {
	return Image{Pix: make([]byte, 3*w*h), Stride: 3 * w, W: w, H: h}
}

// Empty reports whether the view holds no pixel.
func (m Image) Empty() bool { return m.W <= 0 || m.H <= 0 }

// Bounds is the rectangle (0,0)–(W,H).
func (m Image) Bounds() image.Rectangle { return image.Rect(0, 0, m.W, m.H) }

// Sub is the part of m inside r, in m's coordinates, clipped to m; it shares m's pixels and costs nothing. A rectangle
// that misses m gives an empty image.
func (m Image) Sub(r image.Rectangle) Image {
	r = r.Intersect(m.Bounds())
	if r.Empty() {
		return Image{}
	}
	return Image{Pix: m.Pix[r.Min.Y*m.Stride+3*r.Min.X:], Stride: m.Stride, W: r.Dx(), H: r.Dy()}
}

// Row is the 3*W bytes of row y, which must be in 0 to H-1.
func (m Image) Row(y int) []byte { return m.Pix[y*m.Stride : y*m.Stride+3*m.W : y*m.Stride+3*m.W] }

// CopyTo writes m's pixels into dst and returns it. dst's memory is reused when it is large enough.
func (m Image) CopyTo(dst Image) Image {
	if n := 3 * m.W * m.H; cap(dst.Pix) < n {
		dst.Pix = make([]byte, n)
	} else {
		dst.Pix = dst.Pix[:n]
	}
	dst.Stride, dst.W, dst.H = 3*m.W, m.W, m.H
	for y := range m.H {
		copy(dst.Pix[y*dst.Stride:(y+1)*dst.Stride], m.Row(y))
	}
	return dst
}

// FromGo converts any Go image to a packed BGR Image; transparency is laid over black.
func FromGo(src image.Image) Image {
	b := src.Bounds()
	out := NewImage(b.Dx(), b.Dy())
	for y := range out.H {
		row := out.Row(y)
		for x := range out.W {
			r, g, bl, _ := src.At(b.Min.X+x, b.Min.Y+y).RGBA()
			row[3*x], row[3*x+1], row[3*x+2] = byte(bl>>8), byte(g>>8), byte(r>>8)
		}
	}
	return out
}

// ToGo copies m into a Go RGBA image, for the standard library's encoders.
func (m Image) ToGo() *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	for y := range m.H {
		row, d := m.Row(y), out.Pix[y*out.Stride:]
		for x := range m.W {
			d[4*x], d[4*x+1], d[4*x+2], d[4*x+3] = row[3*x+2], row[3*x+1], row[3*x], 255
		}
	}
	return out
}
