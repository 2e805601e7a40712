package capture

import (
	"image"
	"image/color"
	"testing"
)

// numbered is a w×h image whose bytes count up, in rows of the given stride.
func numbered(w, h, stride int) Image {
	m := Image{Pix: make([]byte, stride*h), Stride: stride, W: w, H: h}
	for i := range m.Pix {
		m.Pix[i] = byte(i)
	}
	return m
}

func TestImageSub(t *testing.T) {
	m := numbered(5, 4, 17)
	for _, c := range []struct {
		name string
		r    image.Rectangle
		want image.Rectangle // empty: an empty image
	}{
		{"inside", image.Rect(1, 1, 3, 4), image.Rect(1, 1, 3, 4)},
		{"all", m.Bounds(), m.Bounds()},
		{"over the border", image.Rect(-2, 2, 9, 9), image.Rect(0, 2, 5, 4)},
		{"beside", image.Rect(5, 0, 7, 2), image.Rectangle{}},
		{"empty", image.Rect(2, 2, 2, 3), image.Rectangle{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := m.Sub(c.r)
			if s.W != c.want.Dx() || s.H != c.want.Dy() || s.Empty() != c.want.Empty() {
				t.Fatalf("%d×%d, want %v", s.W, s.H, c.want)
			}
			for y := range s.H {
				for i, b := range s.Row(y) {
					if want := m.Pix[(y+c.want.Min.Y)*m.Stride+3*c.want.Min.X+i]; b != want {
						t.Fatalf("row %d byte %d: %d, want %d", y, i, b, want)
					}
				}
			}
		})
	}
	m.Sub(image.Rect(2, 1, 3, 2)).Pix[0] = 200
	if m.Pix[1*17+6] != 200 {
		t.Fatal("Sub does not share pixels")
	}
	if r := m.Sub(image.Rect(0, 0, 2, 2)).Row(0); cap(r) != 6 {
		t.Fatalf("Row's capacity %d reaches beyond the row", cap(r))
	}
}

func TestImageCopyTo(t *testing.T) {
	m := numbered(5, 4, 17).Sub(image.Rect(1, 1, 4, 3))
	kept := make([]byte, 100)
	c := m.CopyTo(Image{Pix: kept})
	if &c.Pix[0] != &kept[0] || c.Stride != 9 || c.W != 3 || c.H != 2 {
		t.Fatalf("copy is %d×%d, stride %d, own memory %v", c.W, c.H, c.Stride, &c.Pix[0] != &kept[0])
	}
	for y := range m.H {
		if string(c.Row(y)) != string(m.Row(y)) {
			t.Fatalf("row %d: %v, want %v", y, c.Row(y), m.Row(y))
		}
	}
	if c = m.CopyTo(Image{}); len(c.Pix) != 18 {
		t.Fatalf("%d bytes, want 18", len(c.Pix))
	}
}

func TestImageGoRoundTrip(t *testing.T) {
	src := image.NewRGBA(image.Rect(3, 5, 6, 7)) // bounds need not begin at 0
	src.SetRGBA(3, 5, color.RGBA{R: 10, G: 20, B: 30, A: 255})
	src.SetRGBA(5, 6, color.RGBA{R: 1, G: 2, B: 3, A: 255})
	m := FromGo(src)
	if m.W != 3 || m.H != 2 || string(m.Pix[:3]) != "\x1e\x14\x0a" || string(m.Row(1)[6:]) != "\x03\x02\x01" {
		t.Fatalf("%d×%d, pixels %v: want B, G, R", m.W, m.H, m.Pix)
	}
	if got := m.ToGo().RGBAAt(0, 0); got != (color.RGBA{R: 10, G: 20, B: 30, A: 255}) {
		t.Fatalf("back in Go: %v", got)
	}
}
