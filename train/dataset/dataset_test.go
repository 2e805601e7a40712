package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify/prep"
	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/train/dataset/exif"
)

func write(t testing.TB, root string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// picture is a w×h picture, red on its left half and blue on its right, with a white first row.
func picture(t testing.TB, ext string, w, h int) []byte {
	t.Helper()
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{R: 200, A: 255}
			switch {
			case y < h/4:
				c = color.RGBA{255, 255, 255, 255}
			case 2*x >= w:
				c = color.RGBA{B: 200, A: 255}
			}
			im.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	var err error
	if ext == ".png" {
		err = png.Encode(&b, im)
	} else {
		err = jpeg.Encode(&b, im, &jpeg.Options{Quality: 95})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// turned is a JPEG with an Exif segment of that orientation.
func turned(jpg []byte, orientation int) []byte {
	tiff := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	tiff[19] = byte(orientation)
	body := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1}, binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))...)
	return append(append(out, body...), jpg[2:]...)
}

func idx(dims []uint32, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

// grey is an idx folder of n pictures w×h with k classes; picture i is noise of its own.
func grey(t testing.TB, n, w, h, k int) string {
	root := t.TempDir()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	pix, labels := make([]byte, n*w*h), make([]byte, n)
	for i := range pix {
		pix[i] = byte(r.Uint32())
	}
	for i := range labels {
		labels[i] = byte(i % k)
	}
	write(t, root, map[string][]byte{
		"train-images-idx3-ubyte": idx([]uint32{uint32(n), uint32(h), uint32(w)}, pix),
		"train-labels-idx1-ubyte": idx([]uint32{uint32(n)}, labels),
	})
	return root
}

var small = bundle.Input{Prep: prep.Linear, Width: 12, Height: 8, Colour: "rgb", Mean: []float32{127.5}, Std: []float32{127.5}, Fit: "letterbox"}

func open(t testing.TB, source string, o Options) *Pictures {
	t.Helper()
	if o.Input.Prep == "" {
		o.Input = bundle.Input{Prep: prep.Linear, Mean: []float32{100, 110, 120}[:1], Std: []float32{50}, Fit: "stretch"}
	}
	p, err := Open(t.Context(), source, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestInputIsPreps: what a network is trained on is, bit for bit, what classify/prep gives it on the device.
func TestInputIsPreps(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string][]byte{"a/1.png": picture(t, ".png", 40, 40), "b/2.jpg": picture(t, ".jpg", 33, 57), "b/3.jpg": picture(t, ".jpg", 5, 3)})
	in := small
	in.Mean, in.Std = []float32{120.3, 99, 7}, []float32{58.4, 57.1, 57.4}
	for _, fit := range []string{"letterbox", "stretch", "crop"} {
		for _, cache := range []int64{0, 1 << 20} {
			in.Fit = fit
			p := open(t, root, Options{Input: in, Cache: cache, Workers: 2})
			tensor := model.Tensor{Type: model.Float32, Shape: []int{1, 8, 12, 3}}
			f, err := prep.New(in, tensor)
			if err != nil {
				t.Fatal(err)
			}
			for i := range p.Len() {
				im, err := p.Picture(i)
				if err != nil {
					t.Fatal(err)
				}
				want, got := make([]byte, f.Size()), make([]float32, f.Size()/4)
				f.Fill(want, im)
				if err := p.Input(got, i, nil); err != nil {
					t.Fatal(err)
				}
				for k, v := range got {
					if w := math.Float32frombits(binary.NativeEndian.Uint32(want[4*k:])); v != w {
						t.Fatalf("%s, picture %d: number %d is %v, prep's is %v", fit, i, k, v, w)
					}
				}
			}
		}
	}
}

func TestOpenLeavesBrokenPicturesOut(t *testing.T) {
	root := t.TempDir()
	jpg, pngs := picture(t, ".jpg", 32, 32), picture(t, ".png", 32, 32)
	write(t, root, map[string][]byte{
		"유리병/1.jpg": jpg, "유리병/cut.jpg": jpg[:len(jpg)/2], "유리병/2.png": pngs, "can/zero.jpg": nil, "can/1.jpg": jpg,
		"can/text.png": []byte("no picture"), "can/broken.png": append(slices.Clone(pngs[:60]), make([]byte, 200)...), "can/2.jpg": jpg,
	})
	for _, cache := range []int64{0, 600, 1 << 20} {
		p := open(t, root, Options{Input: small, Cache: cache, Workers: 3})
		if p.Len() != 4 || !slices.Equal(Counts(p, 0), []int{2, 2}) || !slices.Equal(p.Heads()[0].Labels, []string{"can", "유리병"}) {
			t.Errorf("%d pictures, %v of %v", p.Len(), Counts(p, 0), p.Heads())
		}
		why := map[string]string{}
		for _, s := range p.Skipped() {
			why[filepath.Base(s.Path)] = s.Reason
		}
		if len(why) != 4 || !strings.Contains(why["cut.jpg"], "EOF") || why["broken.png"] == "" || why["text.png"] != "neither a JPEG nor a PNG" {
			t.Errorf("left out %v", why)
		}
		first, last := make([]float32, 12*8*3), make([]float32, 12*8*3)
		if err := errors.Join(p.Input(first, 0, nil), p.Input(last, 3, nil)); err != nil {
			t.Error(err)
		}
		if !strings.HasSuffix(p.Name(0), "can/1.jpg") || !strings.HasSuffix(p.Name(3), "2.png") || slices.Equal(first, last) {
			t.Errorf("the first is %s, the last %s", p.Name(0), p.Name(3))
		}
	}
	same, other := open(t, root, Options{Input: small}), small
	other.Width = 13
	if a, b := same.Sum(), open(t, root, Options{Input: small, Cache: 1 << 20}).Sum(); a != b || len(a) != 64 {
		t.Errorf("the same data has the sums %s and %s", a, b)
	}
	if same.Sum() == open(t, root, Options{Input: other}).Sum() {
		t.Error("another size has the same sum")
	}
}

func TestOpenRefuses(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string][]byte{"broken/a/1.jpg": {0xff, 0xd8, 0xff, 0}, "good/a/1.jpg": picture(t, ".jpg", 9, 9), "empty/x.txt": nil})
	no := small
	no.Mean = nil
	for _, c := range []struct {
		name, source, want string
		o                  Options
	}{
		{"nothing there", "none", "no such file", Options{Input: small}},
		{"no pictures", "empty", "no labelled picture", Options{Input: small}},
		{"none that can be read", "broken", "no labelled picture (1 files left out, such as ", Options{Input: small}},
		{"no size", "good", "the size that pictures in files are brought to is missing", Options{}},
		{"no mean", "good", "mean has 0 numbers for 3 channels", Options{Input: no}},
		{"unknown class", "good", `the class "a" is not one that is trained: b, c`, Options{Input: small, Labels: []string{"b", "c"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), filepath.Join(root, c.source), c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.source) {
				t.Errorf("got %v, want %q and the path", err, c.want)
			}
		})
	}
	if _, err := Open(t.Context(), filepath.Join(root, "broken"), Options{Input: small}); !errors.Is(err, pictures.ErrEmpty) {
		t.Errorf("%v is not ErrEmpty", err)
	}
}

// TestSharedLists opens the 80/20 lists: the classes of both parts have the same numbers.
func TestSharedLists(t *testing.T) {
	list := shared.Path(t, "data/lists/masks3_val.txt")
	o := Options{Input: small, Workers: 2, Labels: []string{"none", "incorrect", "correct", "other"}}
	p := open(t, list, o)
	if n := Counts(p, 0); p.Len() == 0 || n[0] == 0 || n[1] == 0 || n[2] == 0 || n[3] != 0 {
		t.Errorf("%d pictures, %v", p.Len(), n)
	}
}

func TestIdxFolder(t *testing.T) {
	root := grey(t, 20, 6, 5, 3)
	p := open(t, root, Options{Cache: 100}) // three of them
	if p.Len() != 20 || !slices.Equal(p.Shape(), []int{5, 6, 1}) || p.Spec().Colour != "gray" || p.Label(4, 0) != 1 {
		t.Errorf("%d pictures of %v, %+v", p.Len(), p.Shape(), p.Spec())
	}
	raw, err := os.ReadFile(filepath.Join(root, "train-images-idx3-ubyte"))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 30)
	for _, i := range []int{0, 2, 3, 19} {
		if err := p.Input(x, i, nil); err != nil {
			t.Fatal(err)
		}
		for k, v := range x {
			if want := (float32(raw[16+30*i+k]) - 100) / 50; v != want {
				t.Fatalf("picture %d, number %d is %v, want %v", i, k, v, want)
			}
		}
	}
	if TestSource(root) != "" || TestSource(filepath.Join(root, "train-images-idx3-ubyte")) != "" {
		t.Error("there is no test set")
	}
	write(t, root, map[string][]byte{"t10k-images-idx3-ubyte": nil})
	if TestSource(root) != filepath.Join(root, "t10k-images-idx3-ubyte") {
		t.Errorf("the test set is %q", TestSource(root))
	}
}

func TestOrientation(t *testing.T) {
	// A picture of three rows by two, and how it looks when the camera was held so (Exif 2.32, table 6).
	for o, want := range map[int]string{1: "ab/cd/ef", 2: "ba/dc/fe", 3: "fe/dc/ba", 4: "ef/cd/ab", 5: "ace/bdf", 6: "eca/fdb", 7: "fdb/eca", 8: "bdf/ace"} {
		im := capture.NewImage(2, 3)
		for i := range 6 {
			im.Pix[3*i] = byte('a' + i)
		}
		up := exif.Upright(im, o)
		var rows []string
		for y := range up.H {
			row := ""
			for x := range up.W {
				row += string(rune(up.Row(y)[3*x]))
			}
			rows = append(rows, row)
		}
		if got := strings.Join(rows, "/"); got != want {
			t.Errorf("orientation %d gives %s, want %s", o, got, want)
		}
		jpg := turned(picture(t, ".jpg", 16, 16), o)
		if got := exif.Orientation(bytes.NewReader(jpg)); got != o {
			t.Errorf("orientation %d is read as %d", o, got)
		}
		if _, err := jpeg.Decode(bytes.NewReader(jpg)); err != nil {
			t.Errorf("the test's own picture: %v", err)
		}
	}
	root := t.TempDir()
	write(t, root, map[string][]byte{"a/1.jpg": turned(picture(t, ".jpg", 16, 16), 6)})
	im, err := open(t, root, Options{Input: small}).Picture(0)
	if err != nil {
		t.Fatal(err)
	}
	if right := im.Row(8)[3*15:]; right[0] < 200 || right[1] < 200 || right[2] < 200 {
		t.Errorf("the first row is not on the right: BGR %v", right[:3])
	}
}

func TestSplit(t *testing.T) {
	p := open(t, grey(t, 103, 2, 2, 4), Options{})
	for _, c := range []struct {
		name  string
		share float64
		want  []int // of each class in the second part
	}{{"none", 0, []int{0, 0, 0, 0}}, {"a tenth", 0.1, []int{3, 3, 3, 3}}, {"a crumb", 0.001, []int{1, 1, 1, 1}}, {"most", 0.9, []int{23, 23, 23, 23}}} {
		t.Run(c.name, func(t *testing.T) {
			a, b, err := Split(p, c.share, 7)
			if err != nil {
				t.Fatal(err)
			}
			if got := Counts(b, 0); !slices.Equal(got, c.want) || a.Len()+b.Len() != 103 {
				t.Errorf("%v of each class, want %v; %d and %d", got, c.want, a.Len(), b.Len())
			}
			all := slices.Sorted(slices.Values(append(slices.Clone(a.Index), b.Index...)))
			if len(slices.Compact(all)) != 103 {
				t.Error("an example is in both parts")
			}
			again, _, _ := Split(p, c.share, 7)
			other, _, _ := Split(p, c.share, 8)
			if !slices.Equal(again.Index, a.Index) || c.share > 0 && slices.Equal(other.Index, a.Index) {
				t.Error("the seed does not decide")
			}
		})
	}
	one := &Subset{Set: p, Index: []int{0, 4, 1}}
	if a, b, err := Split(one, 0.5, 1); err != nil || a.Len() != 2 || b.Len() != 1 || b.Label(0, 0) != 0 {
		t.Errorf("a class of one goes to the second part: %v", err)
	}
	if _, _, err := Split(p, math.NaN(), 1); err == nil {
		t.Error("a share that is no number is taken")
	}
}

func TestOrder(t *testing.T) {
	a, b := Order(500, 3, 0), Order(500, 3, 1)
	if !slices.Equal(a, Order(500, 3, 0)) || slices.Equal(a, b) || slices.Equal(a, Order(500, 4, 0)) {
		t.Error("seed and epoch do not decide the order")
	}
	if got := slices.Sorted(slices.Values(a)); got[0] != 0 || got[499] != 499 || len(slices.Compact(got)) != 500 {
		t.Error("it is no permutation")
	}
}

// TestAugment looks at each change by itself, on a picture whose numbers say where they stood.
func TestAugment(t *testing.T) {
	const w, h = 4, 3
	src := make([]byte, w*h)
	for i := range src {
		src[i] = byte(i + 1)
	}
	var table [3][256]float32
	for v := range 256 {
		table[0][v] = float32(v)
	}
	seen := map[string]bool{}
	try := func(a Augment) []float32 {
		dst := make([]float32, w*h)
		a.apply(dst, src, w, h, 1, &table, rand.New(rand.NewPCG(uint64(len(seen)), 1)))
		seen[fmt.Sprint(dst, len(seen))] = true
		return dst
	}
	plain, mirrored := []float32{1, 2, 3, 4}, []float32{4, 3, 2, 1}
	flips := 0
	for range 100 {
		switch d := try(Augment{Flip: true}); {
		case slices.Equal(d[:w], mirrored):
			flips++
		case !slices.Equal(d[:w], plain):
			t.Fatalf("flipped: %v", d)
		}
	}
	if flips < 30 || flips > 70 {
		t.Errorf("%d of 100 are flipped", flips)
	}
	corners := map[float32]bool{}
	for range 200 {
		d := try(Augment{Shift: 1})
		corners[d[0]] = true
		for k, v := range d { // neighbours stay neighbours
			if k%w > 0 && v > 0 && d[k-1] > 0 && v != d[k-1]+1 {
				t.Fatalf("shifted: %v", d)
			}
		}
	}
	for _, v := range []float32{0, 1, 2, 5, 6} {
		if !corners[v] {
			t.Errorf("no shift brings %v into the corner: %v", v, corners)
		}
	}
	blank := 0
	for range 50 {
		for k, v := range try(Augment{Cutout: 2}) {
			if v == 0 {
				blank++
			} else if v != float32(k+1) {
				t.Fatal("cutout moves pixels")
			}
		}
	}
	if blank < 80 || blank > 200 {
		t.Errorf("50 cut-outs of 2×2 blank %d pixels", blank)
	}
	d := try(Augment{Contrast: 0.5})
	if step := d[1] - d[0]; step < 0.5 || step > 1.5 || math.Abs(float64(d[11]-d[0]-11*step)) > 1e-3 && d[0] > 0 {
		t.Errorf("contrast: %v", d)
	}
	for _, bad := range []Augment{{Shift: -1}, {Cutout: -1}, {Brightness: 2}, {Contrast: math.NaN()}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestFeedGoesOnWhereItWas: batches after an interruption are those of an undisturbed feed, random changes and all.
func TestFeedGoesOnWhereItWas(t *testing.T) {
	p := open(t, grey(t, 50, 6, 6, 3), Options{Cache: 1 << 20, Augment: Augment{Flip: true, Shift: 2, Cutout: 2, Brightness: 0.2, Contrast: 0.2}})
	o := FeedOptions{Batch: 8, Shuffle: true, Whole: true, Seed: 5, Epochs: 3, Workers: 2}
	drain := func(o FeedOptions) (all []string) {
		f := NewFeed(p, o)
		defer f.Close()
		for {
			b, err := f.Next()
			if err == io.EOF {
				return all
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(b.Epoch, b.Number, b.N, b.Example, b.X, b.Y, b.Label))
			f.Release(b)
		}
	}
	whole := drain(o)
	if len(whole) != 18 || o.Batches(50) != 6 {
		t.Fatalf("%d batches", len(whole))
	}
	for _, at := range []int{1, 6, 11, 17} {
		later := o
		later.Epoch, later.Number, later.Workers = at/6, at%6, 1
		if !slices.Equal(drain(later), whole[at:]) {
			t.Errorf("from batch %d on it differs", at)
		}
	}
	if slices.Equal(whole[:6], whole[6:12]) {
		t.Error("two epochs are the same")
	}
}

func TestFeedOfAllExamples(t *testing.T) {
	p := open(t, grey(t, 10, 3, 3, 3), Options{Cache: 1 << 20, Augment: Augment{Flip: true}})
	f := NewFeed(p, FeedOptions{Batch: 4, Epochs: 2})
	defer f.Close()
	var seen []int
	for range 6 {
		b, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, b.Example...)
		if b.Number == 2 && (b.N != 2 || b.X[2*9] != 0 || b.Y[0][2*3] != 0 || slices.Max(b.X[2*9:]) != 0) {
			t.Errorf("the last batch of 2: %+v", b)
		}
		f.Release(b)
	}
	if fmt.Sprint(seen[:10]) != fmt.Sprint(seen[10:]) || fmt.Sprint(seen[:10]) != "[0 1 2 3 4 5 6 7 8 9]" {
		t.Errorf("examples %v", seen)
	}
	if _, err := f.Next(); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}

// TestFeedTellsWhatCannotBeRead: a file that vanished is named.
func TestFeedTellsWhatCannotBeRead(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string][]byte{"a/1.jpg": picture(t, ".jpg", 9, 9), "b/2.jpg": picture(t, ".jpg", 9, 9)})
	p := open(t, root, Options{Input: small})
	if err := os.Remove(filepath.Join(root, "b", "2.jpg")); err != nil {
		t.Fatal(err)
	}
	f := NewFeed(p, FeedOptions{Batch: 2, Epochs: 1, Workers: 2})
	defer f.Close()
	for range 2 {
		if _, err := f.Next(); err == nil || !strings.Contains(err.Error(), "2.jpg") {
			t.Errorf("got %v", err)
		}
	}
}

// TestFeedAllocatesNothing in the steady state, apart from the order of an epoch.
func TestFeedAllocatesNothing(t *testing.T) {
	p := open(t, grey(t, 64, 8, 8, 3), Options{Cache: 1 << 20, Augment: Augment{Flip: true, Shift: 1}})
	f := NewFeed(p, FeedOptions{Batch: 32, Shuffle: true, Epochs: 1 << 30})
	defer f.Close()
	if n := testing.AllocsPerRun(100, func() {
		b, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		f.Release(b)
	}); n > 10 {
		t.Errorf("%v allocations per batch", n)
	}
}
