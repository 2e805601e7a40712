package ref_test

import (
	"math"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// hand is an operator on numbers that can be followed by hand.
type hand struct {
	name  string
	build func(g *engine.Graph, in func(name string, shape ...int) *engine.Node) []*engine.Node
	in    map[string][]float32
	want  [][]float32 // of each node that build gives
}

// check runs an operator on both backends.
func (h hand) check(t *testing.T) {
	var outs []*engine.Node
	g, err := engine.Build(func(g *engine.Graph) { outs = h.build(g, g.Input) })
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Evaluation(outs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []engine.Backend{ref.New[float32](), ref.New[float64]()} {
		r, err := b.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		var in, out [][]float32
		for _, v := range p.Inputs {
			in = append(in, h.in[v.Input])
		}
		for _, v := range p.Outputs {
			out = append(out, make([]float32, v.Shape.Size()))
		}
		if err := engine.Run(r, in, out); err != nil {
			t.Fatal(err)
		}
		for i, want := range h.want {
			if len(out[i]) != len(want) {
				t.Fatalf("result %d is %v, want %v", i, out[i], want)
			}
			for k, w := range want {
				if !(math.Abs(float64(out[i][k]-w)) <= 1e-6*math.Max(1, math.Abs(float64(w)))) {
					t.Errorf("result %d is\n%v, want\n%v", i, out[i], want)
					break
				}
			}
		}
	}
}

// count is 1, 2 … n.
func count(n int) []float32 {
	d := make([]float32, n)
	for i := range d {
		d[i] = float32(i + 1)
	}
	return d
}

// times is n times x.
func times(n int, x float32) []float32 {
	d := make([]float32, n)
	for i := range d {
		d[i] = x
	}
	return d
}

type inputs = func(name string, shape ...int) *engine.Node

// conv applies a convolution of x to w.
func conv(x, w []int, c engine.Conv, bias ...int) func(g *engine.Graph, in inputs) []*engine.Node {
	return func(g *engine.Graph, in inputs) []*engine.Node {
		var b *engine.Node
		if bias != nil {
			b = in("b", bias...)
		}
		return []*engine.Node{g.Conv2D("c", in("x", x...), in("w", w...), b, c)}
	}
}

func TestConvolutionsByHand(t *testing.T) {
	dilated := engine.Window{DH: 2, DW: 2}
	for _, h := range []hand{
		{"1x1 mixes channels", conv([]int{1, 1, 2, 2}, []int{3, 1, 1, 2}, engine.Conv{}, 3),
			map[string][]float32{"x": {1, 2, 3, 4}, "w": {1, 0, 0, 1, 10, 100}, "b": {0, 0.5, 1000}},
			[][]float32{{1, 2.5, 1210, 3, 4.5, 1430}}},
		{"window beyond all four borders", conv([]int{1, 2, 2, 1}, []int{1, 3, 3, 1}, engine.Conv{Window: engine.Square(3, 1, 1)}),
			map[string][]float32{"x": count(4), "w": count(9)},
			[][]float32{{5 + 2*6 + 3*8 + 4*9, 4 + 2*5 + 3*7 + 4*8, 2 + 2*3 + 3*5 + 4*6, 1 + 2*2 + 3*4 + 4*5}}},
		{"stride 2, padded behind only", conv([]int{1, 4, 4, 1}, []int{1, 3, 3, 1}, engine.Conv{Window: engine.Same(3, 2, 4, 4)}),
			map[string][]float32{"x": count(16), "w": times(9, 1)}, [][]float32{{54, 45, 72, 54}}},
		{"stride 2, padded before only", conv([]int{1, 4, 4, 1}, []int{1, 3, 3, 1}, engine.Conv{Window: engine.Window{SH: 2, SW: 2, Top: 1, Left: 1}}),
			map[string][]float32{"x": count(16), "w": times(9, 1)}, [][]float32{{14, 30, 57, 99}}},
		{"strides differ", conv([]int{1, 3, 4, 1}, []int{1, 1, 2, 1}, engine.Conv{Window: engine.Window{SH: 2, SW: 1}}),
			map[string][]float32{"x": count(12), "w": {1, 10}}, [][]float32{{21, 32, 43, 109, 120, 131}}},
		{"dilation 2", conv([]int{1, 3, 4, 1}, []int{1, 2, 2, 1}, engine.Conv{Window: dilated}),
			map[string][]float32{"x": count(12), "w": {1, 10, 100, 1000}}, [][]float32{{11931, 13042}}},
		{"2 groups", conv([]int{1, 1, 1, 4}, []int{4, 1, 1, 2}, engine.Conv{Groups: 2}),
			map[string][]float32{"x": count(4), "w": {1, 1, 1, -1, 2, 0, 0, 2}}, [][]float32{{3, -1, 6, 8}}},
		{"depthwise, multiplier 2", conv([]int{1, 1, 2, 2}, []int{4, 1, 1, 1}, engine.Conv{Groups: 2}, 4),
			map[string][]float32{"x": count(4), "w": {1, 10, 100, 1000}, "b": {0, 0, 0, 0.5}}, [][]float32{{1, 10, 200, 2000.5, 3, 30, 400, 4000.5}}},
		{"depthwise 2x1, stride 2", conv([]int{1, 4, 1, 2}, []int{2, 2, 1, 1}, engine.Conv{Groups: 2, Window: engine.Window{SH: 2, SW: 2}}),
			map[string][]float32{"x": count(8), "w": {1, 10, 1, -1}}, [][]float32{{31, -2, 75, -2}}},
		{"windows wholly in the padding", conv([]int{1, 1, 1, 1}, []int{1, 1, 1, 1}, engine.Conv{Window: engine.Square(1, 1, 1)}, 1),
			map[string][]float32{"x": {5}, "w": {2}, "b": {3}}, [][]float32{{3, 3, 3, 3, 13, 3, 3, 3, 3}}},
		{"two pictures do not touch", conv([]int{2, 1, 2, 1}, []int{1, 1, 3, 1}, engine.Conv{Window: engine.Window{Left: 1, Right: 1}}),
			map[string][]float32{"x": {1, 2, 10, 20}, "w": times(3, 1)}, [][]float32{{3, 3, 30, 30}}},
	} {
		t.Run(h.name, h.check)
	}
}

func TestPoolsByHand(t *testing.T) {
	pool := func(w engine.Window, shape ...int) func(g *engine.Graph, in inputs) []*engine.Node {
		return func(g *engine.Graph, in inputs) []*engine.Node {
			x := in("x", shape...)
			return []*engine.Node{g.MaxPool("max", x, w), g.AvgPool("avg", x, w)}
		}
	}
	for _, h := range []hand{
		{"padding never wins and is not counted", pool(engine.Square(3, 2, 1), 1, 3, 3, 1),
			map[string][]float32{"x": {-1, -2, -3, -4, -5, -6, -7, -8, -9}},
			[][]float32{{-1, -2, -4, -5}, {-3, -4, -6, -7}}},
		{"padded behind only", pool(engine.Same(2, 2, 3, 3), 1, 3, 3, 1), map[string][]float32{"x": count(9)},
			[][]float32{{5, 6, 8, 9}, {3, 4.5, 7.5, 9}}},
		{"channels are apart", pool(engine.Square(2, 2, 0), 1, 2, 2, 2), map[string][]float32{"x": {1, 8, 3, 6, 5, 4, 7, 2}},
			[][]float32{{7, 8}, {4, 5}}},
		{"global", func(g *engine.Graph, in inputs) []*engine.Node {
			return []*engine.Node{g.GlobalAvgPool("gap", in("x", 2, 1, 2, 2))}
		},
			map[string][]float32{"x": {1, 2, 3, 4, 10, 20, 30, 40}}, [][]float32{{2, 3, 20, 30}}},
	} {
		t.Run(h.name, h.check)
	}
}

// TestMaximumGoesToTheFirst checks ties: of equal pixels the first one, row by row, has the gradient.
func TestMaximumGoesToTheFirst(t *testing.T) {
	x := &engine.Var{Name: "x", Shape: engine.Shape{1, 3, 3, 1}}
	var loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		y := g.MaxPool("max", g.Var(x), engine.Square(2, 1, 0))
		loss = g.L2("loss", y, g.Input("t", 1, 2, 2, 1), 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Gradients(loss, []*engine.Var{x})
	if err != nil {
		t.Fatal(err)
	}
	b := ref.New[float32]()
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(x, []float32{1, 2, 0, 2, 2, 2, 0, 2, 2}); err != nil {
		t.Fatal(err)
	}
	out := [][]float32{nil, make([]float32, 9)}
	if err := engine.Run(r, [][]float32{{1, 0, -1, -3}}, out); err != nil {
		t.Fatal(err)
	}
	want := []float32{0, 1 + 2, 0, 3, 5, 0, 0, 0, 0}
	for i, w := range want {
		if out[1][i] != w {
			t.Fatalf("the gradient is %v, want %v", out[1], want)
		}
	}
}

func TestActivationsAndNormsByHand(t *testing.T) {
	for _, h := range []hand{
		{"activations", func(g *engine.Graph, in inputs) []*engine.Node {
			x := in("x", 7)
			return []*engine.Node{g.Relu("a", x), g.Relu6("b", x), g.HSwish("c", x), g.Scale("d", x, -2)}
		}, map[string][]float32{"x": {-4, -3, -1.5, 0, 1.5, 3, 7}},
			[][]float32{{0, 0, 0, 0, 1.5, 3, 7}, {0, 0, 0, 0, 1.5, 3, 6}, {0, 0, -0.375, 0, 1.125, 3, 7}, {8, 6, 3, 0, -3, -6, -14}}},
		{"batch norm, biased variance", func(g *engine.Graph, in inputs) []*engine.Node {
			y, m, v := g.BatchNorm("n", in("x", 2, 2), in("gamma", 2), in("beta", 2), 3)
			return []*engine.Node{y, m, v}
		}, map[string][]float32{"x": {1, 10, 3, 30}, "gamma": {2, 1}, "beta": {1, 0}},
			[][]float32{{0, float32(-10 / math.Sqrt(103)), 2, float32(10 / math.Sqrt(103))}, {2, 20}, {1, 100}}},
		{"batch norm by running statistics", func(g *engine.Graph, in inputs) []*engine.Node {
			return []*engine.Node{g.NormInfer("n", in("x", 2, 1), in("gamma", 1), in("beta", 1), in("mean", 1), in("var", 1), 1)}
		}, map[string][]float32{"x": {5, -1}, "gamma": {4}, "beta": {1}, "mean": {1}, "var": {3}}, [][]float32{{9, -3}}},
		{"joined, cut, summed", func(g *engine.Graph, in inputs) []*engine.Node {
			a, b := in("a", 2, 1), in("b", 2, 2)
			return []*engine.Node{g.Concat("c", a, b), g.Add("s", b, b), g.Range("r", b)}
		}, map[string][]float32{"a": {1, 2}, "b": {10, -20, 30, 40}}, [][]float32{{1, 10, -20, 2, 30, 40}, {20, -40, 60, 80}, {-20, 40}}},
		{"dense", func(g *engine.Graph, in inputs) []*engine.Node {
			return []*engine.Node{g.Dense("d", in("x", 2, 2), in("w", 3, 2), in("b", 3))}
		}, map[string][]float32{"x": {1, 2, 3, 4}, "w": {1, 0, 0, 1, 10, 100}, "b": {0, 0.5, 1000}}, [][]float32{{1, 2.5, 1210, 3, 4.5, 1430}}},
	} {
		t.Run(h.name, h.check)
	}
}

func TestLossesByHand(t *testing.T) {
	ln := func(x float64) float64 { return math.Log(x) }
	loss := func(l engine.Loss) func(g *engine.Graph, in inputs) []*engine.Node {
		return func(g *engine.Graph, in inputs) []*engine.Node {
			n := g.SoftmaxLoss("l", in("z", 2, 2), in("y", 2, 2), l)
			return []*engine.Node{n, g.Probabilities(n)}
		}
	}
	// The rows' probabilities are 1/4, 3/4 and 1/2, 1/2.
	in := map[string][]float32{"z": {0, float32(ln(3)), 7, 7}, "y": {0, 1, 1, 0}}
	p := []float32{0.25, 0.75, 0.5, 0.5}
	scalar := func(x float64) []float32 { return []float32{float32(x)} }
	for _, h := range []hand{
		{"cross-entropy", loss(engine.Loss{}), in, [][]float32{scalar(-(ln(0.75) + ln(0.5)) / 2), p}},
		{"class weights", loss(engine.Loss{Weights: []float32{3, 0.5}}), in, [][]float32{scalar(-(0.5*ln(0.75) + 3*ln(0.5)) / 2), p}},
		{"label smoothing", loss(engine.Loss{Smoothing: 0.2}), in, [][]float32{scalar(-(0.1*ln(0.25) + 0.9*ln(0.75) + ln(0.5)) / 2), p}},
		{"focal", loss(engine.Loss{Gamma: 2}), in, [][]float32{scalar(-(ln(0.75)/16 + ln(0.5)/4) / 2), p}},
		{"binary", func(g *engine.Graph, in inputs) []*engine.Node {
			n := g.BCELoss("l", in("z", 1, 2), in("y", 1, 2), engine.Loss{Weights: []float32{1, 2}})
			return []*engine.Node{n, g.Probabilities(n)}
		}, map[string][]float32{"z": {float32(ln(3)), float32(ln(3))}, "y": {1, 0.5}},
			[][]float32{scalar(-(ln(0.75) + 2*(ln(0.75)+ln(0.25))/2) / 2), {0.75, 0.75}}},
		{"decay towards the start", func(g *engine.Graph, in inputs) []*engine.Node {
			return []*engine.Node{g.L2("l", in("w", 2), in("w0", 2), 0.5), g.L2("m", in("w", 2), nil, 2)}
		}, map[string][]float32{"w": {3, 5}, "w0": {1, 2}}, [][]float32{{13. / 4}, {34}}},
	} {
		t.Run(h.name, h.check)
	}
}

func TestFakeQuantByHand(t *testing.T) {
	quant := func(bits int) func(g *engine.Graph, in inputs) []*engine.Node {
		return func(g *engine.Graph, in inputs) []*engine.Node {
			x := in("x", 8)
			return []*engine.Node{g.FakeQuant("q", x, in("range", 2), bits)}
		}
	}
	for _, h := range []hand{
		{"the range moves so that 0 is 0", quant(8), map[string][]float32{"range": {-1.004, 1.546}, "x": {0, 0.004, 0.006, -0.006, -5, 5, -1.004, 1.546}},
			[][]float32{{0, 0, 0.01, -0.01, -1, 1.55, -1, 1.55}}},
		{"halves go to the even integer", quant(8), map[string][]float32{"range": {-100, 155}, "x": {0.5, 1.5, 2.5, -0.5, -1.5, 154.5, 155.5, -100.5}},
			[][]float32{{0, 2, 2, 0, -2, 154, 155, -100}}},
		{"a range above 0 begins at 0", quant(4), map[string][]float32{"range": {5, 15}, "x": {0, 1, 1.4, 4, 15, 16, -1, 14.6}},
			[][]float32{{0, 1, 1, 4, 15, 15, 0, 15}}},
		{"a range without width is 0 to 1", quant(2), map[string][]float32{"range": {0, 0}, "x": {0, 0.1, 0.2, 0.5001, 0.6, 1, 2, -2}},
			[][]float32{{0, 0, 1. / 3, 2. / 3, 2. / 3, 1, 1, 0}}},
		{"weights", func(g *engine.Graph, in inputs) []*engine.Node {
			return []*engine.Node{g.FakeQuantWeights("q", in("w", 3, 2), 8)}
		}, map[string][]float32{"w": {-1.27, 0.014, 0, 0, 0.4, 254}}, [][]float32{{-1.27, 0.01, 0, 0, 0, 254}}},
	} {
		t.Run(h.name, h.check)
	}
}

// TestDropoutFollowsTheHash wants the elements gone that engine.Hash says, at each step's number, and the gradient the same.
func TestDropoutFollowsTheHash(t *testing.T) {
	x := &engine.Var{Name: "x", Shape: engine.Shape{10, 100}}
	var y, loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		y = g.Dropout("drop", g.Var(x), 0.25, 42)
		loss = g.L2("loss", y, nil, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Gradients(loss, []*engine.Var{x}, y)
	if err != nil {
		t.Fatal(err)
	}
	b := ref.New[float32]()
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(x, times(1000, 3)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []uint32{0, 1, 1 << 23} {
		out := [][]float32{nil, make([]float32, 1000), make([]float32, 1000)}
		if err := engine.Run(r, [][]float32{{float32(step)}}, out); err != nil {
			t.Fatal(err)
		}
		gone := 0
		for i := range 1000 {
			want, grad := float32(4), float32(16./3)
			if engine.Hash(uint32(i), 42, step) < 0.25 {
				want, grad, gone = 0, 0, gone+1
			}
			if out[2][i] != want || math.Abs(float64(out[1][i]-grad)) > 1e-6 {
				t.Fatalf("step %d: element %d is %g with gradient %g, want %g and %g", step, i, out[2][i], out[1][i], want, grad)
			}
		}
		if gone < 200 || gone > 300 {
			t.Errorf("step %d: %d of 1000 are gone at a rate of 0.25", step, gone)
		}
	}
}
