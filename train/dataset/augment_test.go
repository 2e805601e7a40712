package dataset

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gleaner/capture"
)

// identity is a table that makes of each value its own number.
func identity() *[3][256]float32 {
	var t [3][256]float32
	for k := range t {
		for v := range t[k] {
			t[k][v] = float32(v)
		}
	}
	return &t
}

// noisy is a picture of random values.
func noisy(w, h, c int) []byte {
	r := rand.New(rand.NewPCG(8, 8))
	src := make([]byte, w*h*c)
	for i := range src {
		src[i] = byte(r.Uint32())
	}
	return src
}

// TestAugmentStays: pictures that are only moved, blanked and lit come out as they always did for a seed.
func TestAugmentStays(t *testing.T) {
	const w, h, c = 13, 9, 3
	src, sum := noisy(w, h, c), fnv.New64a()
	for i, a := range []Augment{{Flip: true, Shift: 3}, {Flip: true, Shift: 2, Cutout: 4}, {Cutout: 5, Brightness: 0.2, Contrast: 0.3}, {Contrast: 0.5}} {
		for e := range 8 {
			source := rand.NewPCG(0, 0)
			draw(source, 7, e, i)
			dst := make([]float32, len(src))
			a.apply(dst, src, w, h, c, identity(), rand.New(source))
			for _, v := range dst {
				fmt.Fprintf(sum, "%.2f ", v)
			}
		}
	}
	if got := fmt.Sprintf("%x", sum.Sum64()); got != "57521210eb64598a" {
		t.Errorf("the sum is %s", got)
	}
}

// TestWarpOfNothing: a map that changes nothing gives the very numbers that the table has, and maps of whole pixels those that
// apply gives.
func TestWarpOfNothing(t *testing.T) {
	for _, s := range [][3]int{{7, 5, 1}, {8, 8, 3}, {1, 1, 3}, {31, 2, 3}} {
		w, h, c := s[0], s[1], s[2]
		src := noisy(w, h, c)
		var table [3][256]float32
		for k := range table {
			for v := range 256 {
				table[k][v] = (float32(v) - 120.3 - float32(k)) / 58.4
			}
		}
		for seed := range uint64(20) {
			a := Augment{Flip: seed > 0, Shift: int(seed % 4), Cutout: int(seed % 3)}
			want, got := make([]float32, len(src)), make([]float32, len(src))
			a.apply(want, src, w, h, c, &table, rand.New(rand.NewPCG(seed, 1)))
			a.warp(got, src, frame{w: w, h: h, c: c, table: &table}, rand.New(rand.NewPCG(seed, 1)))
			if !slices.Equal(want, got) {
				t.Fatalf("%v, %+v: %v, want %v", s, a, got, want)
			}
		}
	}
}

// moved is a picture under one affine map alone, on the table of identity.
func moved(src []byte, f frame, m affine) []float32 {
	dst := make([]float32, len(src))
	ch := change{at: m, taps: 1}
	ch.fill(dst, src, f, nil)
	return dst
}

func TestTurnsByHand(t *testing.T) {
	src := []byte{
		1, 2, 3,
		4, 5, 6,
		7, 8, 9}
	f := frame{w: 3, h: 3, c: 1, table: identity()}
	for _, c := range []struct {
		name string
		m    affine
		want []float32
	}{
		{"none", about(3, 3, 0, 1, 0, false, 0, 0), []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"90°", about(3, 3, 90, 1, 0, false, 0, 0), []float32{3, 6, 9, 2, 5, 8, 1, 4, 7}},
		{"-90°", about(3, 3, -90, 1, 0, false, 0, 0), []float32{7, 4, 1, 8, 5, 2, 9, 6, 3}},
		{"180°", about(3, 3, 180, 1, 0, false, 0, 0), []float32{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"mirrored", about(3, 3, 0, 1, 0, true, 0, 0), []float32{3, 2, 1, 6, 5, 4, 9, 8, 7}},
		{"moved", about(3, 3, 0, 1, 0, false, 1, 0), []float32{2, 3, 0, 5, 6, 0, 8, 9, 0}},
		{"twice as large", about(3, 3, 0, 2, 0, false, 0, 0), []float32{3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7}},
		{"half as large", about(3, 3, 0, 0.5, 0, false, 0, 0), []float32{0, 0, 0, 0, 5, 0, 0, 0, 0}},
		{"sheared", about(3, 3, 0, 1, 1, false, 0, 0), []float32{0, 1, 2, 4, 5, 6, 8, 9, 0}},
		{"sheared by half", about(3, 3, 0, 1, 0.5, false, 0, 0), []float32{0.5, 1.5, 2.5, 4, 5, 6, 7.5, 8.5, 4.5}},
	} {
		if got := moved(src, f, c.m); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	big := noisy(640, 640, 3)
	four := big
	for range 4 {
		var b []byte
		for _, v := range moved(four, frame{w: 640, h: 640, c: 3, table: identity()}, about(640, 640, 90, 1, 0, false, 0, 0)) {
			b = append(b, byte(v))
		}
		four = b
	}
	if !slices.Equal(big, four) {
		t.Error("four turns by 90° of a large picture change it")
	}
}

// tryWarp is a picture changed with a seed.
func tryWarp(a Augment, src []byte, f frame, seed uint64) []float32 {
	dst := make([]float32, len(src))
	a.warp(dst, src, f, rand.New(rand.NewPCG(seed, 2)))
	return dst
}

func TestNoise(t *testing.T) {
	f := frame{w: 64, h: 64, c: 1, table: identity()}
	src := slices.Repeat([]byte{128}, 64*64)
	mean, most := 0.0, 0.0
	for seed := range uint64(200) {
		var sum, squares float64
		for _, v := range tryWarp(Augment{Noise: 0.1}, src, f, seed) {
			sum, squares = sum+float64(v)-128, squares+(float64(v)-128)*(float64(v)-128)
		}
		n := float64(len(src))
		sigma := math.Sqrt(squares / n)
		if math.Abs(sum/n) > 5*sigma/math.Sqrt(n)+1e-6 {
			t.Errorf("seed %d: the noise has a mean of %g at a deviation of %g", seed, sum/n, sigma)
		}
		mean, most = mean+sigma/200, max(most, sigma)
	}
	if math.Abs(mean-12.75) > 1.5 || most > 25.5*1.05 || most < 23 {
		t.Errorf("deviations have a mean of %g and go up to %g, want 12.75 and 25.5", mean, most)
	}
}

func TestHue(t *testing.T) {
	f := frame{w: 16, h: 16, c: 3, table: identity()}
	var gray []byte
	for v := range 256 {
		gray = append(gray, byte(v), byte(v), byte(v))
	}
	colours := noisy(16, 16, 3)
	a := Augment{Hue: 180, Saturation: 1}
	for seed := range uint64(50) {
		for i, v := range tryWarp(a, gray, f, seed) {
			if v != float32(gray[i]) {
				t.Fatalf("gray %d becomes %g", gray[i], v)
			}
		}
	}
	m := tint(0, 1)
	turn := tint(120, 1)
	for i := 0; i < len(colours); i += 3 {
		v := [3]float32{float32(colours[i]), float32(colours[i+1]), float32(colours[i+2])}
		same, turned, bgr := v, v, [3]float32{v[2], v[1], v[0]}
		recolour(&same, 0, &m)
		for range 3 {
			recolour(&turned, 0, &turn)
		}
		once := v
		recolour(&once, 0, &turn)
		recolour(&bgr, 2, &turn)
		if bgr != [3]float32{once[2], once[1], once[0]} {
			t.Fatalf("BGR %v, RGB %v", bgr, once)
		}
		luma := func(v [3]float32) float64 { return lumaR*float64(v[0]) + lumaG*float64(v[1]) + lumaB*float64(v[2]) }
		if math.Abs(luma(once)-luma(v)) > 1e-3 {
			t.Fatalf("a turn changes the luma of %v: %v", v, once)
		}
		for k := range 3 {
			if math.Abs(float64(same[k]-v[k])) > 1e-3 || math.Abs(float64(turned[k]-v[k])) > 1e-2 {
				t.Fatalf("no turn makes of %v %v, three by 120° %v", v, same, turned)
			}
		}
	}
	one := frame{w: 16, h: 16, c: 1, table: identity()}
	if got := tryWarp(a, gray[:256], one, 1); got[77] != float32(gray[77]) {
		t.Error("a picture of one channel changes")
	}
}

// TestBlur: a bright point becomes a horizontal line of at most the length, with the same sum; in any direction, also others.
func TestBlur(t *testing.T) {
	const n = 31
	f, src := frame{w: n, h: n, c: 1, table: identity()}, make([]byte, n*n)
	src[n/2*n+n/2] = 255
	upright := 0
	for seed := range uint64(60) {
		var sum float64
		for i, v := range tryWarp(Augment{Blur: 9}, src, f, seed) {
			if x := i%n - n/2; v > 0 && (i/n != n/2 || x < -5 || x > 5) {
				t.Fatalf("seed %d: %g at %d, %d", seed, v, x, i/n)
			}
			sum += float64(v)
		}
		if math.Abs(sum-255) > 0.01 {
			t.Fatalf("seed %d: all that is bright sums up to %g", seed, sum)
		}
		if d := tryWarp(Augment{Blur: 9, BlurAny: true}, src, f, seed); d[(n/2-1)*n+n/2] > 0 || d[(n/2+1)*n+n/2] > 0 {
			upright++
		}
	}
	if upright < 15 {
		t.Errorf("%d of 60 blurs in any direction leave the row", upright)
	}
}

func TestErase(t *testing.T) {
	src := slices.Repeat([]byte{200}, 64)
	blanked := 0
	for seed := range uint64(400) {
		a := Augment{Cutout: 6, Erase: 0.25}
		dst := make([]float32, 64)
		a.apply(dst, src, 8, 8, 1, identity(), rand.New(rand.NewPCG(seed, 3)))
		if slices.Contains(dst, 0) {
			blanked++
		}
	}
	if blanked < 70 || blanked > 130 {
		t.Errorf("%d of 400 pictures are blanked, want about 100", blanked)
	}
}

func TestAugmentRefuses(t *testing.T) {
	for want, bad := range map[string]Augment{"rotate 181": {Rotate: 181}, "zoom 1 ": {Zoom: 1}, "shear -1": {Shear: -1}, "blur 65": {Blur: 65},
		"hue NaN": {Hue: math.NaN()}, "saturation 2": {Saturation: 2}, "noise 9": {Noise: 9}, "erase -0.5": {Erase: -0.5}} {
		if err := bad.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", bad, err, want)
		}
	}
}

// TestWarpAllocatesNothing per picture.
func TestWarpAllocatesNothing(t *testing.T) {
	f, src, dst := frame{w: 16, h: 16, c: 3, table: identity()}, noisy(16, 16, 3), make([]float32, 16*16*3)
	a := Augment{Flip: true, Shift: 2, Cutout: 4, Erase: 0.5, Brightness: 0.1, Contrast: 0.1, Rotate: 20, Zoom: 0.2, Shear: 0.1, Blur: 3,
		BlurAny: true, Hue: 10, Saturation: 0.3, Noise: 0.05}
	r := rand.New(rand.NewPCG(1, 1))
	for name, do := range map[string]func(){"warp": func() { a.warp(dst, src, f, r) }, "apply": func() { a.apply(dst, src, 16, 16, 3, f.table, r) }} {
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkWarp(b *testing.B) {
	f, src, dst := frame{w: 160, h: 160, c: 3, table: identity()}, noisy(160, 160, 3), make([]float32, 160*160*3)
	r := rand.New(rand.NewPCG(1, 1))
	for name, a := range map[string]Augment{"geometry": {Rotate: 20, Zoom: 0.2}, "all": {Rotate: 20, Zoom: 0.2, Shear: 0.1, Blur: 4, Hue: 10, Contrast: 0.2, Noise: 0.02}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a.warp(dst, src, f, r)
			}
		})
	}
}

// TestGround shrinks a white picture: its corners are of one colour, which every picture draws anew, and the
// middle stays white.
func TestGround(t *testing.T) {
	const n = 16
	src := make([]byte, n*n*3)
	for i := range src {
		src[i] = 255
	}
	f := frame{w: n, h: n, c: 3, table: identity()}
	seen := map[[3]float32]bool{}
	for seed := range uint64(20) {
		a := Augment{Zoom: 0.5, Ground: true}
		v := tryWarp(a, src, f, seed)
		if tryWarp(Augment{Zoom: 0.5}, src, f, seed)[0] > 0 {
			continue // it was made larger, or hardly smaller
		}
		if mid := v[3*(n*n/2+n/2)]; mid != 255 {
			t.Fatalf("seed %d: the middle is %g", seed, mid)
		}
		first, last := [3]float32(v[:3]), [3]float32(v[len(v)-3:])
		if first != last {
			t.Errorf("seed %d: one corner is %v, another %v", seed, first, last)
		}
		seen[first] = true
	}
	if len(seen) < 5 {
		t.Errorf("%d colours in 20 pictures", len(seen))
	}
}

// TestBackdrop shrinks a white picture onto a picture of a floor: the corners show the floor, whole and in its own colours, from a
// place that every picture draws anew.
func TestBackdrop(t *testing.T) {
	const n = 16
	src := make([]byte, n*n*3)
	for i := range src {
		src[i] = 255
	}
	im := capture.NewImage(5, 3)
	for i := range 15 {
		im.Pix[3*i], im.Pix[3*i+1], im.Pix[3*i+2] = 30, 20, byte(100+i) // B, G, R
	}
	for colour, first := range map[string][3]float32{"rgb": {0, 20, 30}, "bgr": {30, 20, 0}} {
		seen := map[float32]bool{}
		red := strings.Index(colour, "r")
		for seed := range uint64(20) {
			f := frame{w: n, h: n, c: 3, red: red, table: identity(), floor: newFloor(im, colour)}
			v := tryWarp(Augment{Zoom: 0.5, Ground: true}, src, f, seed)
			if v[1] > 20 {
				continue // it was made larger, or hardly smaller
			}
			corner := [3]float32(v[:3])
			if corner[red] < 100 || corner[red] > 114 {
				t.Errorf("%s, seed %d: the corner is %v", colour, seed, corner)
			}
			seen[corner[red]] = true
			if corner[red] = 0; corner != first {
				t.Errorf("%s, seed %d: the corner is %v", colour, seed, corner)
			}
		}
		if len(seen) < 3 {
			t.Errorf("%s: %d corners in 20 pictures", colour, len(seen))
		}
	}
	if f := newFloor(im, "gray"); len(f.pix) != 15 || f.pix[0] != byte((100*299+20*587+30*114+500)/1000) {
		t.Errorf("in gray it is %v", f.pix)
	}
	for v, want := range map[int]int{-4: 2, -1: 0, 0: 0, 2: 2, 3: 2, 5: 0, 6: 0} {
		if got := mirror(v, 3); got != want {
			t.Errorf("mirror(%d, 3) = %d, want %d", v, got, want)
		}
	}
}
