package main

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// stripes is a PNG of stripes, across or down.
func stripes(w, h, seed int, across bool) []byte { return encoded(drawn(w, h, seed, across)) }

func drawn(w, h, seed int, across bool) image.Image {
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			at := x
			if across {
				at = y
			}
			v := uint8(40 + 160*((at+seed)/(2+seed%4)%2) + (x*7+y*13+seed*31)%23)
			im.Set(x, y, color.RGBA{v, v - 20, v - 30, 255})
		}
	}
	return im
}

func encoded(im image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func jpegOf(im image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// deep is a PNG with 16 bits per channel and a see-through corner.
func deep() []byte {
	im := image.NewNRGBA64(image.Rect(0, 0, 24, 24))
	for p := range 24 * 24 {
		im.Set(p%24, p/24, color.NRGBA64{uint16(p * 113), uint16(p * 57), uint16(p * 91), uint16(0xffff * min(p/50, 1))})
	}
	return encoded(im)
}

// palette is a PNG with a palette of four colours, two bits per pixel.
func palette() []byte {
	im := image.NewPaletted(image.Rect(0, 0, 24, 24), color.Palette{color.Black, color.White, color.RGBA{200, 0, 0, 255}, color.RGBA{0, 0, 99, 255}})
	for p := range im.Pix {
		im.Pix[p] = uint8(p / 5 % 4)
	}
	return encoded(im)
}

// animated is a GIF of three pictures.
func animated() []byte {
	g := gif.GIF{}
	for k := range 3 {
		im := image.NewPaletted(image.Rect(0, 0, 24, 24), color.Palette{color.Black, color.White, color.RGBA{200, 0, 0, 255}})
		for p := range im.Pix {
			im.Pix[p] = uint8((p/7 + k) % 3)
		}
		g.Image, g.Delay = append(g.Image, im), append(g.Delay, 9)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &g); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bomb is a PNG of a few bytes that says it has 100,000×100,000 pixels.
func bomb() []byte {
	b := stripes(24, 24, 1, true)
	copy(b[16:], []byte{0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0})
	return b
}

// goPicture is one of the pictures that the Go distribution tests its own decoders with.
func goPicture(name string) []byte {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		panic(err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "src/image/testdata", name))
	if err != nil {
		panic(err)
	}
	return b
}
