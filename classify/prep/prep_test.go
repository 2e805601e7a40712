package prep

import (
	"testing"

	"gleaner/capture"
	"gleaner/model"
	"gleaner/model/bundle"
)

func noise(w, h, pad int, seed uint32) capture.Image {
	m := capture.Image{W: w, H: h, Stride: 3*w + pad}
	m.Pix = make([]byte, (h-1)*m.Stride+3*w)
	for i := range m.Pix {
		seed = seed*1664525 + 1013904223
		m.Pix[i] = byte(seed >> 24)
	}
	return m
}

func tensor(w, h, c int, t model.Type) model.Tensor {
	return model.Tensor{Name: "in", Type: t, Shape: []int{1, h, w, c}}
}

func spec(w, h int, colour, fit string) bundle.Input {
	return bundle.Input{Prep: Linear, Width: w, Height: h, Colour: colour, Fit: fit, Mean: []float32{127.5}, Std: []float32{127.5}}
}

func BenchmarkFill(b *testing.B) {
	for _, c := range []struct {
		name       string
		sw, sh, to int
		t          model.Type
	}{
		{"720p-300-float", 1280, 720, 300, model.Float32},
		{"720p-300-uint8", 1280, 720, 300, model.UInt8},
		{"320x240-224-float", 320, 240, 224, model.Float32},
	} {
		for _, nat := range []bool{true, false} {
			name := c.name + "/go"
			if nat {
				name = c.name + "/native"
			}
			b.Run(name, func(b *testing.B) {
				p, err := New(spec(c.to, c.to, "rgb", "stretch"), tensor(c.to, c.to, 3, c.t))
				if err != nil {
					b.Fatal(err)
				}
				im, dst := noise(c.sw, c.sh, 0, 1), make([]byte, p.Size())
				b.ReportAllocs()
				for b.Loop() {
					p.fill(dst, im, nat)
				}
			})
		}
	}
}
