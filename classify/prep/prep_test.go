package prep

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

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

// TestNativeSameBytes holds the C kernel to the Go definition.
func TestNativeSameBytes(t *testing.T) {
	if !Native {
		t.Skip("built without the C kernel")
	}
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(10, 150))
		s := bundle.Input{Prep: Linear, Width: side.Draw(t, "w"), Height: side.Draw(t, "h"),
			Colour: rapid.SampledFrom([]string{"rgb", "bgr", "gray"}).Draw(t, "colour"),
			Fit:    rapid.SampledFrom([]string{"stretch", "letterbox", "crop"}).Draw(t, "fit")}
		c := 3
		if s.Colour == "gray" {
			c = 1
		}
		num := rapid.Float32Range(0.25, 255)
		s.Mean = rapid.SliceOfN(num, c, c).Draw(t, "mean")
		s.Std = []float32{num.Draw(t, "std")}
		in := tensor(s.Width, s.Height, c, rapid.SampledFrom([]model.Type{model.Float32, model.Int8, model.UInt8}).Draw(t, "type"))
		if in.Type != model.Float32 && rapid.Bool().Draw(t, "plain") {
			s.Mean, s.Std = []float32{0}, []float32{1}
			in.Zero = rapid.SampledFrom([]int{0, -128}).Draw(t, "plain zero")
		} else {
			in.Scale, in.Zero = 1/num.Draw(t, "scale"), rapid.IntRange(-128, 127).Draw(t, "zero")
		}
		p, err := New(s, in)
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]byte, p.Size()), make([]byte, p.Size())
		for range 2 { // the second picture meets the scratch of the first
			im := noise(side.Draw(t, "sw"), side.Draw(t, "sh"), rapid.IntRange(0, 20).Draw(t, "pad"), rapid.Uint32().Draw(t, "seed"))
			for i := range a {
				a[i], b[i] = 1, 2
			}
			ga, gb := p.fill(a, im, true), p.fill(b, im, false)
			if ga != gb || !bytes.Equal(a, b) {
				t.Fatalf("C and Go differ: %v %v", ga, gb)
			}
		}
	})
}

// TestNativeWide holds the C kernel to the definition at widths where it works on many pixels at once.
func TestNativeWide(t *testing.T) {
	for _, to := range []int{96, 128, 192, 224, 257, 300, 320, 640} {
		for _, colour := range []string{"rgb", "bgr"} {
			p, err := New(spec(to, to, colour, "stretch"), tensor(to, to, 3, model.Float32))
			if err != nil {
				t.Fatal(err)
			}
			a, b := make([]byte, p.Size()), make([]byte, p.Size())
			for _, im := range []capture.Image{noise(1280, 720, 0, 3), noise(641, 481, 7, 4), noise(2, 2, 0, 5), noise(3, 700, 1, 6)} {
				p.fill(a, im, Native)
				p.fill(b, im, false)
				if !bytes.Equal(a, b) {
					t.Fatalf("%d×%d to %d %s: C and Go differ", im.W, im.H, to, colour)
				}
			}
		}
	}
}

// TestAgreesWithOpenCV compares with what cv::resize (4.6.0, INTER_LINEAR) made of the same pictures.
func TestAgreesWithOpenCV(t *testing.T) {
	for _, c := range []struct {
		name           string
		sw, sh, dw, dh int
	}{
		{"down", 61, 47, 17, 23}, {"up", 9, 7, 31, 20}, {"half", 40, 24, 20, 12}, {"same", 16, 11, 16, 11},
		{"one pixel wide", 1, 9, 4, 5}, {"far down", 200, 120, 9, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("testdata/cv-%dx%d-%dx%d.bgr", c.sw, c.sh, c.dw, c.dh)
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := spec(c.dw, c.dh, "bgr", "stretch")
			s.Mean, s.Std = []float32{0}, []float32{1}
			p, err := New(s, tensor(c.dw, c.dh, 3, model.UInt8))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, p.Size())
			p.Fill(got, noise(c.sw, c.sh, 0, 7))
			if len(got) != len(want) {
				t.Fatalf("%d bytes, want %d", len(got), len(want))
			}
			for i := range got {
				if d := int(got[i]) - int(want[i]); d < -1 || d > 1 {
					t.Fatalf("byte %d is %d, OpenCV has %d", i, got[i], want[i])
				}
			}
		})
	}
}

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// TestGolden pins the definition: a change here is a new version, not an update.
func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, ty := range []model.Type{model.Float32, model.Int8, model.UInt8} {
		for _, colour := range []string{"rgb", "bgr", "gray"} {
			for _, f := range []string{"stretch", "letterbox", "crop"} {
				c := 3
				if colour == "gray" {
					c = 1
				}
				in := tensor(33, 21, c, ty)
				in.Scale, in.Zero = 0.0078125, 3
				p, err := New(spec(33, 21, colour, f), in)
				if err != nil {
					t.Fatal(err)
				}
				dst := make([]byte, p.Size())
				g := p.Fill(dst, noise(64, 50, 5, 99))
				fmt.Fprintf(&out, "%d %s %s %x %.4f %.4f %.4f %.4f\n", ty, colour, f, sha256.Sum256(dst), g.ScaleX, g.ScaleY, g.OffX, g.OffY)
			}
		}
	}
	if *update {
		if err := os.WriteFile("testdata/golden.txt", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Fatalf("linear/1 has changed:\n%s\nwant\n%s", out.String(), want)
	}
}

func TestValues(t *testing.T) {
	im := capture.NewImage(4, 2) // left half blue 10, green 20, red 30, right half 200, 100, 50
	for y := range 2 {
		for x := range 4 {
			px := []byte{10, 20, 30}
			if x >= 2 {
				px = []byte{200, 100, 50}
			}
			copy(im.Row(y)[3*x:], px)
		}
	}
	rgb := func(c float32) float32 { return (c - 127.5) / 127.5 }
	p, err := New(spec(4, 2, "rgb", "stretch"), tensor(4, 2, 3, model.Float32))
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, p.Size())
	p.Fill(dst, im)
	at := func(i int) float32 { return math.Float32frombits(binary.NativeEndian.Uint32(dst[4*i:])) }
	for i, want := range []float32{rgb(30), rgb(20), rgb(10)} {
		if at(i) != want || at(i+3) != want {
			t.Errorf("left channel %d: %v, want %v", i, at(i), want)
		}
	}
	if at(9) != rgb(50) || at(23) != rgb(200) {
		t.Errorf("right: red %v, blue %v", at(9), at(23))
	}
	g := spec(4, 2, "gray", "stretch")
	g.Mean, g.Std = []float32{0}, []float32{1}
	if p, err = New(g, tensor(4, 2, 1, model.UInt8)); err != nil {
		t.Fatal(err)
	}
	p.Fill(dst[:8], im)
	if dst[0] != 22 || dst[3] != 96 { // 0.114 B + 0.587 G + 0.299 R = 21.85 and 96.45
		t.Errorf("grey %d and %d, want 22 and 96", dst[0], dst[3])
	}
}

func TestGeometry(t *testing.T) {
	for _, c := range []struct {
		fit            string
		w, h           int // picture
		x, y, ix, iy   float32
		x2, y2, i2, j2 float32
	}{
		{"stretch", 200, 100, 0, 0, 0, 0, 50, 50, 200, 100},
		{"letterbox", 200, 100, 0, 12.5 - 0.5, 0, 0, 50, 37, 200, 100},
		{"letterbox", 100, 200, 12, 0, 0, 0, 37, 50, 100, 200},
		{"crop", 200, 100, 0, 0, 50, 0, 50, 50, 150, 100},
		{"crop", 100, 300, 25, 25, 50, 150, 0, 0, 0, 100},
	} {
		t.Run(fmt.Sprintf("%s %d×%d", c.fit, c.w, c.h), func(t *testing.T) {
			p, err := New(spec(50, 50, "rgb", c.fit), tensor(50, 50, 3, model.UInt8))
			if err != nil {
				t.Fatal(err)
			}
			g := p.Fill(make([]byte, p.Size()), noise(c.w, c.h, 0, 1))
			for _, q := range [][4]float32{{c.x, c.y, c.ix, c.iy}, {c.x2, c.y2, c.i2, c.j2}} {
				x, y := g.ToImage(q[0], q[1])
				u, v := g.UnitToImage(q[0]/50, q[1]/50)
				if abs(x-q[2]) > 1e-3 || abs(y-q[3]) > 1e-3 || abs(u-x) > 1e-3 || abs(v-y) > 1e-3 {
					t.Errorf("(%v, %v) maps to (%v, %v), want (%v, %v)", q[0], q[1], x, y, q[2], q[3])
				}
			}
		})
	}
}

func abs(x float32) float32 { return max(x, -x) }

// TestLetterboxBars demands that the bars are the value of black, every time.
func TestLetterboxBars(t *testing.T) {
	p, err := New(spec(20, 20, "rgb", "letterbox"), tensor(20, 20, 3, model.Float32))
	if err != nil {
		t.Fatal(err)
	}
	dst := bytes.Repeat([]byte{0x55}, p.Size())
	p.Fill(dst, noise(10, 40, 0, 1))
	black := math.Float32bits(-1)
	for y := range 20 {
		for _, x := range []int{0, 6, 15, 19} {
			for c := range 3 {
				if got := binary.NativeEndian.Uint32(dst[4*(3*(20*y+x)+c):]); got != black && (x < 7 || x > 14) {
					t.Fatalf("bar at %d,%d is %v", x, y, math.Float32frombits(got))
				}
			}
		}
	}
}

func TestEmptyIsBlack(t *testing.T) {
	p, err := New(spec(5, 4, "bgr", "crop"), tensor(5, 4, 3, model.Int8))
	if err != nil {
		t.Fatal(err)
	}
	dst := bytes.Repeat([]byte{9}, p.Size())
	p.Fill(dst, capture.Image{})
	if !bytes.Equal(dst, bytes.Repeat([]byte{0xff}, p.Size())) { // (0-127.5)/127.5 = -1, scale 1
		t.Errorf("%v", dst)
	}
}

func TestErrors(t *testing.T) {
	ok := func() (bundle.Input, model.Tensor) { return spec(8, 6, "rgb", "crop"), tensor(8, 6, 3, model.Float32) }
	for _, c := range []struct {
		name, want string
		change     func(*bundle.Input, *model.Tensor)
	}{
		{"prep", `asks for prep "area/1"`, func(s *bundle.Input, in *model.Tensor) { s.Prep = "area/1" }},
		{"rank", "shape [8 6 3]", func(s *bundle.Input, in *model.Tensor) { in.Shape = []int{8, 6, 3} }},
		{"channels first", "shape [1 3 6 8]", func(s *bundle.Input, in *model.Tensor) { in.Shape = []int{1, 3, 6, 8} }},
		{"unknown size", "input is -1×6", func(s *bundle.Input, in *model.Tensor) { in.Shape = []int{1, 6, -1, 3} }},
		{"size", "says 9×6 pixels, the model's input is 8×6", func(s *bundle.Input, in *model.Tensor) { s.Width = 9 }},
		{"colour", `colour "yuv"`, func(s *bundle.Input, in *model.Tensor) { s.Colour = "yuv" }},
		{"grey on three", `"gray" has 1 channels`, func(s *bundle.Input, in *model.Tensor) { s.Colour = "gray" }},
		{"fit", `fit "zoom"`, func(s *bundle.Input, in *model.Tensor) { s.Fit = "zoom" }},
		{"no mean", "mean has 0 numbers", func(s *bundle.Input, in *model.Tensor) { s.Mean = nil }},
		{"two stds", "std has 2 numbers", func(s *bundle.Input, in *model.Tensor) { s.Std = []float32{1, 1} }},
		{"std of zero", "std 0 is no usable", func(s *bundle.Input, in *model.Tensor) { s.Std = []float32{0} }},
		{"type", "neither float32", func(s *bundle.Input, in *model.Tensor) { in.Type = model.Int32 }},
		{"bytes", "holds 3 bytes", func(s *bundle.Input, in *model.Tensor) { in.Data = make([]byte, 3) }},
		{"scale", "scale -1", func(s *bundle.Input, in *model.Tensor) { in.Type, in.Scale = model.Int8, -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, in := ok()
			if _, err := New(s, in); err != nil {
				t.Fatal(err)
			}
			c.change(&s, &in)
			if _, err := New(s, in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestNoAllocations(t *testing.T) {
	p, err := New(spec(32, 32, "rgb", "letterbox"), tensor(32, 32, 3, model.Float32))
	if err != nil {
		t.Fatal(err)
	}
	a, b, dst := noise(50, 40, 0, 1), noise(40, 50, 0, 1), make([]byte, p.Size())
	if n := testing.AllocsPerRun(20, func() { p.Fill(dst, a); p.Fill(dst, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
