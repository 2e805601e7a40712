package hlotest

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/ref"
	"gleaner/train/engine/xla"
)

// halfTolerance is what bfloat16, 8 bits of mantissa, leaves of a network of a few layers, relative to an array's greatest.
const halfTolerance = 0.06

func TestConform(t *testing.T) {
	for _, c := range []struct {
		name string
		b    *Backend
		tol  float64
	}{{"float32", New(xla.Float32), 1e-4}, {"tf32", New(xla.TF32), 1e-4}, {"exact", NewExact(), 2e-6}} {
		if testing.Short() && c.name != "float32" {
			continue // the same text, but for tf32's precision_config
		}
		t.Run(c.name, func(t *testing.T) {
			defer c.b.Close()
			enginetest.Conform(t, c.b, c.tol)
		})
	}
}

// TestHalf compares the outputs and gradients of programs of one run; a few hundred roundings of a training run are no measure.
func TestHalf(t *testing.T) {
	b := New(xla.BFloat16)
	defer b.Close()
	for _, c := range enginetest.Cases() {
		// Rounding moves values over the kinks of a ReLU or from one integer to the next; that is what bfloat16 costs, and no error.
		if c.Wide || c.Stepped || strings.Contains(c.Name, "network") || strings.Contains(c.Name, "training") || strings.Contains(c.Name, "bottleneck") ||
			strings.Contains(c.Name, "relu") || strings.Contains(c.Name, "in place") {
			continue
		}
		n, err := c.Net()
		if err != nil {
			t.Fatal(err)
		}
		worst, where, err := enginetest.Compare(n, b)
		if err != nil {
			t.Fatal(err)
		}
		if !(worst <= halfTolerance) {
			t.Errorf("off by %.2g: %s", worst, where)
		}
	}
}

// TestHalfLearns trains in bfloat16 and in float32: the losses go the same way.
func TestHalfLearns(t *testing.T) {
	n := find(t, "training, sgd, momentum, decay")
	for range 4 {
		n.Runs = append(n.Runs, n.Runs...)
	}
	n.Runs = n.Runs[:30]
	want, err := enginetest.Oracle(n)
	if err != nil {
		t.Fatal(err)
	}
	b := New(xla.BFloat16)
	defer b.Close()
	got, err := enginetest.Run(n, b)
	if err != nil {
		t.Fatal(err)
	}
	per := len(n.Program.Outputs)
	first, last := got.Arrays[0][0], got.Arrays[29*per][0]
	if d := math.Abs(first - want.Arrays[0][0]); d > 0.02 {
		t.Errorf("the first loss is off by %g", d)
	}
	if d := math.Abs(last - want.Arrays[29*per][0]); d > 0.1*first || last > first/2 {
		t.Errorf("the loss went from %g to %g, in float64 from %g to %g", first, last, want.Arrays[0][0], want.Arrays[29*per][0])
	}
}

func find(t *testing.T, name string) *enginetest.Net {
	t.Helper()
	c, ok := enginetest.Find(name)
	if !ok {
		t.Fatalf("the case %q is gone", name)
	}
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDropoutLeavesOutTheSame holds the masks bit for bit, at steps up to the last that a float32 counts.
func TestDropoutLeavesOutTheSame(t *testing.T) {
	g, err := engine.Build(func(g *engine.Graph) { g.Dropout("drop", g.Input("x", 70, 50), 0.37, 0xDEADBEEF) })
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Evaluation(g.Expr().AllNodes()[len(g.Expr().AllNodes())-1])
	if err != nil {
		t.Fatal(err)
	}
	x := slices.Repeat([]float32{1}, 3500)
	for _, step := range []float32{0, 1, 2, 999, 1<<24 - 1} {
		var got [2][]float32
		for i, b := range []engine.Backend{New(xla.Float32), ref.New[float32]()} {
			defer b.Close()
			r, err := b.Compile(p)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got[i] = make([]float32, len(x))
			if err := engine.Run(r, [][]float32{x, {step}}, got[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range x {
			if left := engine.Hash(uint32(i), 0xDEADBEEF, uint32(step)) < 0.37; left != (got[0][i] == 0) || left != (got[1][i] == 0) {
				t.Fatalf("step %g, element %d: %g here, %g in ref", step, i, got[0][i], got[1][i])
			}
		}
	}
}

// TestVariablesStayInPlace: each variable that a step writes is donated to its new value, the others are not.
func TestVariablesStayInPlace(t *testing.T) {
	n := find(t, "training, adamw, clip, average, groups")
	m, err := xla.Emit(n.Program, xla.Float32)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(m.Text)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Written) == 0 || len(m.Written) != len(m.Donated) {
		t.Fatalf("%d variables are written, %d donated", len(m.Written), len(m.Donated))
	}
	for i, k := range p.Donated() {
		want := -1
		if at := i - len(n.Program.Inputs); at >= 0 {
			if w := slices.Index(m.Written, m.Vars[at]); w >= 0 {
				want = len(n.Program.Outputs) + w
			}
		}
		if k != want {
			t.Errorf("argument %d is donated to result %d, and should be to %d", i, k, want)
		}
	}
}

func TestTheTextIsAlwaysTheSame(t *testing.T) {
	for _, c := range enginetest.Cases() {
		var texts [2][]byte
		for i := range texts {
			n, err := c.Net()
			if err != nil {
				t.Fatal(err)
			}
			m, err := xla.Emit(n.Program, xla.BFloat16)
			if err != nil {
				t.Fatal(err)
			}
			texts[i] = m.Text
		}
		if !bytes.Equal(texts[0], texts[1]) {
			t.Errorf("%s: two texts differ", c.Name)
		}
	}
}

// TestFusedProgramsAreTheSame gives the backend what engine.Fuse made.
func TestFusedProgramsAreTheSame(t *testing.T) {
	b := New(xla.Float32)
	defer b.Close()
	for _, c := range enginetest.Cases() {
		if c.Wide {
			continue
		}
		n, err := c.Net()
		if err != nil {
			t.Fatal(err)
		}
		want, err := enginetest.Oracle(n)
		if err != nil {
			t.Fatal(err)
		}
		n.Program = engine.Fuse(n.Program)
		got, err := enginetest.Run(n, b)
		if err != nil {
			t.Fatal(err)
		}
		if worst, where := enginetest.Differ(got, want); !(worst <= 1e-4) {
			t.Errorf("%s: off by %.2g: %s", c.Name, worst, where)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	head := "module @m { func.func @main(%a: tensor<2x3xf32>, %b: tensor<f32> { tf.aliasing_output = 0 : i32 }) -> tensor<f32> {\n"
	for name, c := range map[string]struct{ body, want string }{
		"an operator":  {`%0 = "stablehlo.tanh"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32> "stablehlo.return"(%b) : (tensor<f32>) -> () }}`, "not known"},
		"a value":      {`"stablehlo.return"(%c) : (tensor<f32>) -> () }}`, "line 2: the value %c is not made"},
		"a type":       {`"stablehlo.return"(%a) : (tensor<f32>) -> () }}`, "is tensor<2x3xf32> and should be tensor<f32>"},
		"a shape":      {`%0 = "stablehlo.add"(%a, %b) : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32> "stablehlo.return"(%b) : (tensor<f32>) -> () }}`, "not what the specification wants"},
		"an attribute": {`%0 = "stablehlo.abs"(%b) { x = 1 : i64 } : (tensor<f32>) -> tensor<f32> "stablehlo.return"(%b) : (tensor<f32>) -> () }}`, "attributes"},
		"what follows": {`"stablehlo.return"(%b) : (tensor<f32>) -> () }} x`, "behind the module"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(head + c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, and should have %q", err, c.want)
			}
		})
	}
}

// FuzzParse holds that a text is refused or can be run.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"conv2d depthwise", "maxpool of all", "fake_quant_w", "dropout", "concat of features", "dense of one", "l2"} {
		c, ok := enginetest.Find(name)
		if !ok {
			f.Fatalf("the case %q is gone", name)
		}
		n, err := c.Net()
		if err != nil {
			f.Fatal(err)
		}
		m, err := xla.Emit(n.Program, xla.BFloat16)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		size := 0
		for _, s := range p.steps {
			size += s.typ.size()
		}
		args := make([][]float32, len(p.main.args))
		for i, ty := range p.main.types {
			if size += ty.size(); size > 1<<16 {
				return
			}
			args[i] = make([]float32, ty.size())
		}
		if size > 1<<16 {
			return
		}
		if _, err := p.Run(args); err != nil {
			t.Fatal(err)
		}
	})
}
