package detect

import (
	"encoding/binary"
	"math"
	"testing"
)

func near(a, b, tol float32) bool { return a-b <= tol && b-a <= tol }

func nearBox(a, b Box, tol float32) bool {
	return near(a.X0, b.X0, tol) && near(a.Y0, b.Y0, tol) && near(a.X1, b.X1, tol) && near(a.Y1, b.Y1, tol)
}

func TestSSDAnchors(t *testing.T) {
	all := SSDAnchors(300, 300)
	if len(all) != 1917 {
		t.Fatalf("%d anchors, want 1917", len(all))
	}
	s := float32(math.Sqrt2)
	for _, c := range []struct {
		name string
		i    int
		want Anchor
	}{
		{"first map, small square", 0, Anchor{0.5 / 19, 0.5 / 19, 0.1, 0.1}},
		{"first map, twice as wide as high", 1, Anchor{0.5 / 19, 0.5 / 19, 0.2 / s, 0.2 * s}},
		{"first map, twice as high as wide", 2, Anchor{0.5 / 19, 0.5 / 19, 0.2 * s, 0.2 / s}},
		{"first map, next cell to the right", 3, Anchor{0.5 / 19, 1.5 / 19, 0.1, 0.1}},
		{"first map, next row", 57, Anchor{1.5 / 19, 0.5 / 19, 0.1, 0.1}},
		{"second map, square", 1083, Anchor{0.05, 0.05, 0.35, 0.35}},
		{"second map, three times as wide", 1086, Anchor{0.05, 0.05, 0.35 / 1.7320508, 0.35 * 1.7320508}},
		{"second map, between the scales", 1088, Anchor{0.05, 0.05, 0.41833, 0.41833}},
		{"last map, square", 1911, Anchor{0.5, 0.5, 0.95, 0.95}},
		{"last map, between 0.95 and 1", 1916, Anchor{0.5, 0.5, 0.974679, 0.974679}},
	} {
		a := all[c.i]
		if !near(a.Y, c.want.Y, 1e-5) || !near(a.X, c.want.X, 1e-5) || !near(a.H, c.want.H, 1e-4) || !near(a.W, c.want.W, 1e-4) {
			t.Errorf("%s: anchor %d is %v, want %v", c.name, c.i, a, c.want)
		}
	}
	if n := len(SSDAnchors(320, 320)); n != 3*400+6*(100+25+9+4+1) {
		t.Errorf("320×320 gives %d anchors", n)
	}
}

func TestFaceAnchors(t *testing.T) {
	short, full := FaceShortAnchors(), FaceFullAnchors()
	if len(short) != 896 || len(full) != 2304 {
		t.Fatalf("%d and %d anchors, want 896 and 2304", len(short), len(full))
	}
	for _, c := range []struct {
		name string
		got  Anchor
		x, y float32
	}{
		{"short, two to a cell", short[1], 0.5 / 16, 0.5 / 16}, {"short, next cell", short[2], 1.5 / 16, 0.5 / 16},
		{"short, next row", short[32], 0.5 / 16, 1.5 / 16}, {"short, second stride", short[512], 0.5 / 8, 0.5 / 8},
		{"short, last", short[895], 7.5 / 8, 7.5 / 8}, {"full, next row", full[48], 0.5 / 48, 1.5 / 48},
	} {
		if !near(c.got.X, c.x, 1e-6) || !near(c.got.Y, c.y, 1e-6) {
			t.Errorf("%s: (%v, %v), want (%v, %v)", c.name, c.got.X, c.got.Y, c.x, c.y)
		}
	}
}

func TestSSDRaw(t *testing.T) {
	anchors := []Anchor{{0.5, 0.5, 0.2, 0.4}, {0.25, 0.75, 0.1, 0.1}}
	boxes := []float32{1, -1, 5 * float32(math.Log(2)), 0, 0, 0, 0, 0}
	scores := []float32{9, 0, -2, 9, -9, 1} // columns: background, a, b
	got, err := SSDRaw(boxes, scores, 3, anchors, true, 0.5, nil)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, error %v; want two", got, err)
	}
	// Centre moved by a tenth of the anchor, height doubled.
	if want := (Box{0.26, 0.32, 0.66, 0.72}); got[0].Class != 1 || got[0].Score != 0.5 || !nearBox(got[0].Box, want, 1e-5) {
		t.Errorf("first is %v, want class 1, score 0.5, %v", got[0], want)
	}
	if got[1].Class != 2 || !near(got[1].Score, 0.731059, 1e-5) || !nearBox(got[1].Box, Box{0.7, 0.2, 0.8, 0.3}, 1e-5) {
		t.Errorf("second is %v", got[1])
	}
	if got, _ := SSDRaw(boxes, scores, 3, anchors, false, 0.5, nil); len(got) != 4 || got[0].Class != 0 {
		t.Errorf("without background: %v, want four, the first of class 0", got)
	}
	if _, err := SSDRaw(boxes[:7], scores, 3, anchors, true, 0.5, nil); err == nil {
		t.Error("too few boxes are no error")
	}
}

func TestSSDPost(t *testing.T) {
	boxes := []float32{0.1, 0.2, 0.3, 0.4, 0, 0, 1, 1, 0.5, 0.5, 0.4, 0.4, 0, 0, 1, 1}
	classes, scores := []float32{0, 16, 3, 5}, []float32{0.9, 0.4, 0.8, 0.95}
	got, err := SSDPost(boxes, classes, scores, 3, 1, 0.3, nil)
	if err != nil || len(got) != 2 || got[0].Class != 1 || got[1].Class != 17 || !nearBox(got[0].Box, Box{0.2, 0.1, 0.4, 0.3}, 0) {
		t.Errorf("%v, error %v; want classes 1 and 17 and no inverted box, nothing beyond count", got, err)
	}
}

func TestYOLO(t *testing.T) {
	// One box of class 1, centre (0.5, 0.25), 0.2×0.1, and one that is nothing; three classes.
	v5 := []float32{0.5, 0.25, 0.2, 0.1, 0.8, 0.1, 0.9, 0, 0, 0, 1, 1, 0.1, 1, 1, 1}
	v8 := []float32{0.5, 0.25, 0.2, 0.1, 0, 0.72, 0, 0, 0, 1, 1, 0, 0, 0}
	turned := make([]float32, len(v8))
	for i, v := range v8 {
		turned[i%7*2+i/7] = v
	}
	pixels := append([]float32(nil), v8...)
	for i := range 4 {
		pixels[i] *= 320
		pixels[7+i] *= 320
	}
	side := [2]float32{320, 320}
	for name, run := range map[string]func() ([]Detection, error){
		"v5":              func() ([]Detection, error) { return YOLOv5(v5, 3, [2]float32{}, 0.5, nil) },
		"v8, box by box":  func() ([]Detection, error) { return YOLOv8(v8, 3, false, [2]float32{}, 0.5, nil) },
		"v8, as exported": func() ([]Detection, error) { return YOLOv8(turned, 3, true, [2]float32{}, 0.5, nil) },
		"v8 in pixels":    func() ([]Detection, error) { return YOLOv8(pixels, 3, false, side, 0.5, nil) },
	} {
		got, err := run()
		if err != nil || len(got) != 1 || got[0].Class != 1 || !near(got[0].Score, 0.72, 1e-6) ||
			!nearBox(got[0].Box, Box{0.4, 0.2, 0.6, 0.3}, 1e-6) {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
	if _, err := YOLOv5(v5[:15], 3, side, 0.5, nil); err == nil {
		t.Error("a broken row is no error")
	}
}

func TestFaces(t *testing.T) {
	anchors := []Anchor{{Y: 0.5, X: 0.25, H: 1, W: 1}}
	reg := make([]float32, 16)
	copy(reg, []float32{12.8, -12.8, 64, 32})
	got, err := Faces(reg, []float32{200}, 128, anchors, 0.5, nil)
	if err != nil || len(got) != 1 || got[0].Score != 1 || !nearBox(got[0].Box, Box{0.1, 0.275, 0.6, 0.525}, 1e-6) {
		t.Errorf("%v, error %v", got, err)
	}
}

func TestSuppression(t *testing.T) {
	a := Detection{Box{0, 0, 100, 100}, 0, 0.9}
	b := Detection{Box{10, 0, 110, 100}, 0, 0.6}
	other := Detection{Box{0, 0, 100, 100}, 1, 0.5}
	far := Detection{Box{300, 300, 310, 310}, 0, 0.4}
	part := Detection{Box{60, 0, 99, 100}, 0, 0.95}
	for _, c := range []struct {
		name string
		run  func() []Detection
		want []Detection
	}{
		{"class-aware", func() []Detection { return NMS([]Detection{far, b, other, a}, 0.5, 10) }, []Detection{a, other, far}},
		{"no more than asked", func() []Detection { return NMS([]Detection{far, b, other, a}, 0.5, 1) }, []Detection{a}},
		{"nothing", func() []Detection { return NMS(nil, 0.5, 10) }, nil},
		{"averaged by score", func() []Detection { return BlendNMS([]Detection{b, far, a}, 0.5, 10) },
			[]Detection{{Box{4, 0, 104, 100}, 0, 0.9}, far}},
		{"cut at a tile's border", func() []Detection { return MergeTiles([]Detection{part, far, a}, 0.7, 10) },
			[]Detection{{Box{0, 0, 100, 100}, 0, 0.95}, far}},
	} {
		got := c.run()
		ok := len(got) == len(c.want)
		for i := 0; ok && i < len(got); i++ {
			ok = got[i].Class == c.want[i].Class && got[i].Score == c.want[i].Score && nearBox(got[i].Box, c.want[i].Box, 1e-3)
		}
		if !ok {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// floats reads fuzz bytes as float32s, so that NaN, Inf and denormals come up.
func floats(raw []byte, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		if 4*i+4 <= len(raw) {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	}
	return out
}

func bytesOf(v ...float32) (raw []byte) {
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return raw
}

// FuzzDecoders shows every decoder any numbers: what comes out is a box with an area, a score of 0 to 1 and a class in
// range, and survives clipping, filters and suppression.
func FuzzDecoders(f *testing.F) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	f.Add(bytesOf(), uint8(3), float32(0.5))
	f.Add(bytesOf(0, 0, 0, 0, 1, 1, 1, 1, 5, 5, 5, 5), uint8(1), float32(0.5))
	f.Add(bytesOf(nan, inf, -inf, 1e38, 1e-45, nan, 9, 9), uint8(2), float32(0))
	f.Add(bytesOf(1e38, 1e38, 1e38, 1e38, 100, 100, 100), uint8(4), float32(0.999))
	anchors := FaceAnchors(32, []int{16}, []int{2})
	f.Fuzz(func(t *testing.T, raw []byte, classes uint8, floor float32) {
		c := int(classes%8) + 1
		n := len(anchors)
		var all []Detection
		for _, run := range []func() ([]Detection, error){
			func() ([]Detection, error) {
				return SSDRaw(floats(raw, 4*n), floats(raw, n*c), c, anchors, classes > 100, floor, all)
			},
			func() ([]Detection, error) {
				return SSDPost(floats(raw, 4*n), floats(raw, n), floats(raw, n), floats(raw, 1)[0], 1, floor, all)
			},
			func() ([]Detection, error) {
				return YOLOv5(floats(raw, n*(5+c)), c, [2]float32{32, 32}, floor, all)
			},
			func() ([]Detection, error) { return YOLOv8(floats(raw, n*(4+c)), c, true, [2]float32{}, floor, all) },
			func() ([]Detection, error) { return Faces(floats(raw, 16*n), floats(raw, n), 32, anchors, floor, all) },
		} {
			got, err := run()
			if err != nil {
				t.Fatal(err)
			}
			all = got
		}
		for _, d := range all {
			if !(d.Box.Area() > 0) || !(d.Score >= 0 && d.Score <= 1) || d.Class < 0 {
				t.Fatalf("decoded %v", d)
			}
		}
		for _, d := range NMS(BlendNMS(MergeTiles(all, 0.7, 50), 0.3, 50), 0.5, 50) {
			if b := clip(d.Box, 64, 48); b.X0 < 0 || b.Y0 < 0 || b.X1 > 64 || b.Y1 > 48 {
				t.Fatalf("clipped to %v", b)
			}
		}
	})
}
