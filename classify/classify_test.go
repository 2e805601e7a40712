package classify_test

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/classify/classifytest"
	"gleaner/classify/prep"
	"gleaner/detect"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/modeltest"
)

// lend is a pool of fakes with 8×6 RGB float inputs and one output of the given type, which compute fills.
func lend(t testing.TB, out model.Tensor, compute func(in, out []model.Tensor) error) *model.Pool {
	p, err := model.NewPool(func() (model.Runner, error) {
		o := out
		o.Data = slices.Clone(out.Data)
		return &modeltest.Fake{In: []model.Tensor{modeltest.NewTensor("in", model.Float32, modeltest.Shape{1, 6, 8, 3})},
			Out: []model.Tensor{o}, Compute: compute}, nil
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func open(t testing.TB, head string, labels []string, background bool, l model.Lender) classify.Classifier {
	c, err := classify.NewModel(made(head, labels, background), l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func made(head string, labels []string, background bool) *bundle.Bundle {
	return &bundle.Bundle{Labels: labels, SHA256: strings.Repeat("ab", 32), Manifest: bundle.Manifest{
		Name: "fake", Task: "classify", Head: head, Background: background,
		Input: bundle.Input{Prep: prep.Linear, Width: 8, Height: 6, Colour: "rgb", Mean: []float32{0}, Std: []float32{255}, Fit: "stretch"}}}
}

// says is a model that always gives the same elements.
func says(v any) func(in, out []model.Tensor) error {
	return func(_, out []model.Tensor) error {
		_, err := binary.Encode(out[0].Data, binary.NativeEndian, v)
		return err
	}
}

func TestConformance(t *testing.T) {
	abc := []string{"a", "b", "c"}
	for _, c := range []struct {
		name string
		typ  model.Type
		head string
		back bool
	}{{"float probs", model.Float32, "probs", false}, {"float logits", model.Float32, "logits", false},
		{"uint8 with background", model.UInt8, "probs", true}, {"int8 logits", model.Int8, "logits", false}} {
		t.Run(c.name, func(t *testing.T) {
			classifytest.Run(t, func(t testing.TB) classify.Classifier {
				return open(t, c.head, abc, c.back, lend(t, modeltest.NewTensor("out", c.typ, modeltest.Shape{1, 3}), positive))
			})
		})
	}
	t.Run("ensemble", func(t *testing.T) {
		classifytest.Run(t, func(t testing.TB) classify.Classifier {
			out := modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 3})
			e, err := classify.NewEnsemble([]classify.Classifier{open(t, "probs", abc, false, lend(t, out, nil)),
				open(t, "logits", []string{"c", "a", "b"}, false, lend(t, out, nil))})
			if err != nil {
				t.Fatal(err)
			}
			return e
		})
	})
}

// positive hashes the input into elements that are probabilities in every type.
func positive(in, out []model.Tensor) error {
	f := modeltest.Fake{In: in, Out: out}
	if err := f.Invoke(); err != nil || out[0].Type != model.Int8 {
		return err
	}
	for i := range out[0].Data {
		out[0].Data[i] &= 0x7f
	}
	return nil
}

func TestHeads(t *testing.T) {
	q := func(typ model.Type, scale float32, zero int) model.Tensor {
		o := modeltest.NewTensor("out", typ, modeltest.Shape{1, 3})
		o.Scale, o.Zero = scale, zero
		return o
	}
	f := modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 1, 1, 3})
	nan := float32(math.NaN())
	for _, c := range []struct {
		name, head string
		back       bool
		out        model.Tensor
		says       any
		want       []float32 // nil: an error
	}{
		{"probs", "probs", false, f, []float32{0.2, 0.7, 0.1}, []float32{0.2, 0.7, 0.1}},
		{"probs that do not sum to 1", "probs", false, f, []float32{0.2, 0.2, 0}, []float32{0.5, 0.5, 0}},
		{"background", "probs", true, f, []float32{0.6, 0.3, 0.1}, []float32{0.75, 0.25}},
		{"nothing but background", "probs", true, f, []float32{1, 0, 0}, []float32{0.5, 0.5}},
		{"logits", "logits", false, f, []float32{0, 1000, 1000}, []float32{0, 0.5, 0.5}},
		{"logits with background", "logits", true, f, []float32{9, 0, float32(math.Log(3))}, []float32{0.25, 0.75}},
		{"uint8", "probs", false, q(model.UInt8, 1.0/256, 0), []uint8{0, 64, 192}, []float32{0, 0.25, 0.75}},
		{"int8", "probs", false, q(model.Int8, 1.0/256, -128), []int8{-128, -64, 64}, []float32{0, 0.25, 0.75}},
		{"int8 logits", "logits", false, q(model.Int8, 0.5, 3), []int8{3, 3, 3}, []float32{1. / 3, 1. / 3, 1. / 3}},
		{"not a number", "probs", false, f, []float32{0.2, nan, 0.1}, nil},
		{"logits not a number", "logits", false, f, []float32{0.2, nan, 0.1}, nil},
		{"logits taken for probs", "probs", false, f, []float32{-5, 3, 0.1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := open(t, c.head, []string{"x", "y", "z"}, c.back, lend(t, c.out, says(c.says)))
			p, err := m.Classify(t.Context(), classifytest.Picture(9, 9, 1), nil)
			if (err == nil) != (c.want != nil) {
				t.Fatal(p, err)
			}
			for i := range c.want {
				if math.Abs(float64(p[i]-c.want[i])) > 1e-6 {
					t.Fatalf("%v, want %v", p, c.want)
				}
			}
			if want := []string{"x", "y", "z"}[3-len(m.Labels()):]; !slices.Equal(m.Labels(), want) || len(m.Labels()) == 3 == c.back {
				t.Errorf("labels %v", m.Labels())
			}
		})
	}
}

func TestNewModelErrors(t *testing.T) {
	three := modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 3})
	raw := modeltest.NewTensor("out", model.UInt8, modeltest.Shape{1, 3})
	raw.Scale = 0
	for _, c := range []struct {
		name, want string
		b          *bundle.Bundle
		out        model.Tensor
	}{
		{"label count", `bundle fake: 2 labels, but the model's output "out" has 3 values`, made("probs", []string{"a", "b"}, false), three},
		{"no labels", "has no labels", made("probs", nil, false), three},
		{"head", `head "ssd"`, made("ssd", []string{"a", "b", "c"}, false), three},
		{"type", "neither float32", made("probs", []string{"a"}, false), modeltest.NewTensor("out", model.Int32, modeltest.Shape{1, 1})},
		{"no scale", "without a scale", made("probs", []string{"a", "b", "c"}, false), raw},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := classify.NewModel(c.b, lend(t, c.out, nil)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	b := made("probs", []string{"a", "b", "c"}, false)
	b.Manifest.Input.Width = 9
	if _, err := classify.NewModel(b, lend(t, three, nil)); err == nil || !strings.Contains(err.Error(), "manifest says 9×6") {
		t.Errorf("error %v", err)
	}
}

func TestEnsemble(t *testing.T) {
	out := modeltest.NewTensor("out", model.Float32, modeltest.Shape{1, 3})
	member := func(labels []string, p ...float32) classify.Classifier {
		return open(t, "probs", labels, false, lend(t, out, says(p)))
	}
	abc, cab := []string{"a", "b", "c"}, []string{"c", "a", "b"}
	e, err := classify.NewEnsemble([]classify.Classifier{member(abc, 0.5, 0.3, 0.2), member(cab, 0.6, 0.1, 0.3)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Classify(t.Context(), classifytest.Picture(5, 5, 0), nil)
	if want := "[0.30 0.30 0.40]"; err != nil || fmt.Sprintf("%.2f", p) != want {
		t.Errorf("%v, %v; want %s", p, err, want)
	}
	id := "sha256:" + strings.Repeat("ab", 32)
	if e.Model() != id+","+id || !slices.Equal(e.Labels(), abc) {
		t.Errorf("%q %v", e.Model(), e.Labels())
	}
	if _, err := classify.NewEnsemble(nil); err == nil {
		t.Error("an ensemble of nobody")
	}
	for _, other := range [][]string{{"a", "b", "d"}, {"a", "a", "b"}} {
		if _, err := classify.NewEnsemble([]classify.Classifier{member(abc, 1, 0, 0), member(other, 1, 0, 0)}); err == nil || !strings.Contains(err.Error(), "label") {
			t.Errorf("%v: error %v", other, err)
		}
	}
}

func TestTopK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		probs := rapid.SliceOf(rapid.SampledFrom([]float32{0, 0.1, 0.2, 0.5, 0.9})).Draw(t, "probs")
		k := rapid.IntRange(1, 6).Draw(t, "k")
		want := make([]classify.Score, len(probs))
		for i, p := range probs {
			want[i] = classify.Score{Class: i, P: p}
		}
		slices.SortStableFunc(want, func(a, b classify.Score) int {
			if a.P > b.P {
				return -1
			} else if a.P < b.P {
				return 1
			}
			return 0
		})
		if got := classify.TopK(probs, k, nil); !slices.Equal(got, want[:min(k, len(want))]) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestCrop(t *testing.T) {
	im := capture.NewImage(200, 100)
	for _, c := range []struct {
		name   string
		box    detect.Box
		margin float64
		shape  string
		want   image.Rectangle
	}{
		{"as it is", detect.Box{X0: 10, Y0: 20, X1: 50, Y1: 40}, 0, "box", image.Rect(10, 20, 50, 40)},
		{"part pixels", detect.Box{X0: 10.2, Y0: 20.7, X1: 50.1, Y1: 40}, 0, "box", image.Rect(10, 20, 51, 40)},
		{"margin", detect.Box{X0: 10, Y0: 20, X1: 50, Y1: 40}, 0.25, "box", image.Rect(0, 15, 60, 45)},
		{"margin over the border", detect.Box{X0: 4, Y0: 60, X1: 44, Y1: 98}, 0.5, "box", image.Rect(0, 41, 64, 100)},
		{"square", detect.Box{X0: 60, Y0: 40, X1: 100, Y1: 60}, 0, "square", image.Rect(60, 30, 100, 70)},
		{"square is shifted", detect.Box{X0: 0, Y0: 80, X1: 40, Y1: 100}, 0, "square", image.Rect(0, 60, 40, 100)},
		{"square larger than the frame", detect.Box{X0: 40, Y0: 10, X1: 190, Y1: 90}, 0, "square", image.Rect(40, 0, 190, 100)},
		{"outside", detect.Box{X0: 210, Y0: 10, X1: 230, Y1: 30}, 0.5, "box", image.Rectangle{}},
		{"inside out", detect.Box{X0: 50, Y0: 10, X1: 30, Y1: 30}, 0, "box", image.Rectangle{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := classify.DefaultOptions()
			o.Margin, o.Shape = c.margin, c.shape
			if got := classify.Crop(im, c.box, o); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// smooth is a blurred copy: each pixel the mean of those within r.
func smooth(im capture.Image, r int) capture.Image {
	out := capture.NewImage(im.W, im.H)
	for y := range im.H {
		for i := range 3 * im.W {
			sum, n := 0, 0
			for dy := -r; dy <= r; dy++ {
				for dx := -r; dx <= r; dx++ {
					if x, y := i+3*dx, y+dy; x >= 0 && x < 3*im.W && y >= 0 && y < im.H {
						sum, n = sum+int(im.Pix[y*im.Stride+x]), n+1
					}
				}
			}
			out.Pix[y*out.Stride+i] = byte(sum / n)
		}
	}
	return out
}

func TestQuality(t *testing.T) {
	im := classifytest.Picture(300, 200, 5)
	soft := smooth(im, 6)
	o := classify.DefaultOptions()
	o.Quality = classify.QualityOptions{MinSide: 20, BorderPx: 2, MinSharpness: 50}
	var q classify.Quality
	for _, c := range []struct {
		name string
		im   capture.Image
		box  detect.Box
		want classify.Reason
	}{
		{"good", im, detect.Box{X0: 50, Y0: 50, X1: 150, Y1: 150}, classify.Fine},
		{"small", im, detect.Box{X0: 50, Y0: 50, X1: 65, Y1: 150}, classify.TooSmall},
		{"outside", im, detect.Box{X0: 350, Y0: 50, X1: 450, Y1: 150}, classify.TooSmall},
		{"cut left", im, detect.Box{X0: 1, Y0: 50, X1: 100, Y1: 150}, classify.CutByBorder},
		{"cut below", im, detect.Box{X0: 50, Y0: 50, X1: 150, Y1: 200}, classify.CutByBorder},
		{"near the border", im, detect.Box{X0: 2, Y0: 50, X1: 100, Y1: 198}, classify.Fine},
		{"from side to side", im, detect.Box{X0: 0, Y0: 50, X1: 300, Y1: 150}, classify.Fine},
		{"the whole frame", im, detect.Box{X0: 0, Y0: 0, X1: 300, Y1: 200}, classify.Fine},
		{"blurred", soft, detect.Box{X0: 50, Y0: 50, X1: 150, Y1: 150}, classify.Blurred},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok, reason := q.Check(c.im, c.box, classify.Crop(c.im, c.box, o), o)
			if reason != c.want || ok != (reason == classify.Fine) {
				t.Errorf("%v %q, want %q", ok, reason, c.want)
			}
		})
	}
	o.Quality = classify.QualityOptions{}
	if ok, _ := q.Check(soft, detect.Box{X1: 3, Y1: 3}, image.Rect(0, 0, 3, 3), o); !ok {
		t.Error("gates that are off refuse")
	}
	o.Quality.MinSharpness = 1
	box := detect.Box{X0: 50, Y0: 50, X1: 150, Y1: 150}
	if n := testing.AllocsPerRun(20, func() { q.Check(im, box, box.Rect(), o) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSharpness compares with the formula on a picture that needs no shrinking.
func TestSharpness(t *testing.T) {
	im := capture.NewImage(20, 10)
	for y := range im.H {
		for x := range im.W {
			v := byte(x * x % 200)
			copy(im.Row(y)[3*x:], []byte{v, v, v})
		}
	}
	var sum, squares, n float64
	for x := 1; x < 19; x++ {
		v := func(x int) float64 { return float64(x * x % 200) }
		l := 2*v(x) - v(x-1) - v(x+1)
		sum, squares, n = sum+l, squares+l*l, n+1
	}
	want := squares/n - sum*sum/n/n
	var q classify.Quality
	if got := q.Sharpness(im); math.Abs(got-want) > want/100 {
		t.Errorf("%v, want %v", got, want)
	}
	for _, size := range [][2]int{{0, 0}, {2, 50}, {1000, 3}} {
		if got := q.Sharpness(classifytest.Picture(size[0], size[1], 1)); got != 0 {
			t.Errorf("%v: %v", size, got)
		}
	}
}

func TestOptions(t *testing.T) {
	if err := classify.DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		change func(*classify.Options)
	}{
		{"models[1]: is empty", func(o *classify.Options) { o.Models = []string{"a", ""} }},
		{"top: 0 ", func(o *classify.Options) { o.Top = 0 }},
		{"per_frame: 0 ", func(o *classify.Options) { o.PerFrame = 0 }},
		{"margin: NaN", func(o *classify.Options) { o.Margin = math.NaN() }},
		{`shape: "round"`, func(o *classify.Options) { o.Shape = "round" }},
		{"quality.min_side: -1", func(o *classify.Options) { o.Quality.MinSide = -1 }},
		{"quality.border_px: -1", func(o *classify.Options) { o.Quality.BorderPx = -1 }},
		{"quality.min_sharpness: -1", func(o *classify.Options) { o.Quality.MinSharpness = -1 }},
	} {
		o := classify.DefaultOptions()
		c.change(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
