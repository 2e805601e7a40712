package enginetest

import (
	"math/rand/v2"
	"slices"

	"gleaner/train/engine"
)

// Cases are all operators with their attributes, each by itself and then together. Their order and names stay, and so do their
// numbers: a case's random numbers depend on its place in the list of its kind alone.
func Cases() (all []Case) {
	for i, list := range [][]Case{convolutions(), denseLayers(), norms(), elementwise(), pools(), joins(), losses(), quants(), chains(), trainings()} {
		for j := range list {
			list[j].seed = uint64(i*1000 + j)
		}
		all = append(all, list...)
	}
	return all
}

// Find is the case of that name; false if there is none.
func Find(name string) (Case, bool) {
	all := Cases()
	i := slices.IndexFunc(all, func(c Case) bool { return c.Name == name })
	if i < 0 {
		return Case{}, false
	}
	return all[i], true
}

// window is a window of kh×kw with stride, dilation and the padding top, left, bottom, right.
func window(kh, kw, sh, sw, dh, dw int, pad ...int) engine.Window {
	w := engine.Window{KH: kh, KW: kw, SH: sh, SW: sw, DH: dh, DW: dw}
	if len(pad) == 4 {
		w.Top, w.Left, w.Bottom, w.Right = pad[0], pad[1], pad[2], pad[3]
	}
	return w
}

func convolutions() (list []Case) {
	for _, c := range []struct {
		name       string
		n, h, w, c int
		k, groups  int
		bias       bool
		window     engine.Window
	}{
		{"1x1", 2, 3, 4, 5, 3, 1, false, engine.Square(1, 1, 0)},
		{"1x1 stride 2", 2, 5, 4, 3, 4, 1, true, engine.Square(1, 2, 0)},
		{"3x3", 2, 5, 6, 3, 4, 1, false, engine.Square(3, 1, 0)},
		{"3x3 padded, bias", 2, 5, 4, 3, 4, 1, true, engine.Square(3, 1, 1)},
		{"3x3 stride 2, same", 1, 6, 6, 3, 4, 1, false, engine.Same(3, 2, 6, 6)},
		{"3x3 stride 2, last row unused", 2, 6, 6, 2, 3, 1, true, engine.Square(3, 2, 0)},
		{"5x3 strides 2 and 1, four paddings", 1, 7, 5, 2, 3, 1, true, window(5, 3, 2, 1, 1, 1, 1, 0, 3, 2)},
		{"2x2 stride 3", 2, 8, 7, 3, 2, 1, false, window(2, 2, 3, 3, 1, 1)},
		{"7x7 stride 2, as a first layer of 3 channels", 1, 9, 9, 3, 4, 1, false, engine.Square(7, 2, 3)},
		{"3x3 dilation 2", 1, 7, 8, 2, 3, 1, true, window(3, 3, 1, 1, 2, 2, 2, 2, 2, 2)},
		{"3x2 dilations 2 and 3, stride 2", 1, 8, 9, 2, 2, 1, false, window(3, 2, 2, 2, 2, 3, 1, 1, 0, 2)},
		{"window as big as the picture", 2, 4, 3, 3, 5, 1, true, window(4, 3, 1, 1, 1, 1)},
		{"17 to 33 channels", 1, 4, 4, 17, 33, 1, true, engine.Square(3, 1, 1)},
		{"16 to 32 channels", 2, 4, 4, 16, 32, 1, false, engine.Square(3, 2, 1)},
		{"2 groups", 2, 4, 4, 6, 4, 2, true, engine.Square(3, 1, 1)},
		{"3 groups, dilated", 1, 6, 6, 6, 9, 3, false, window(2, 2, 1, 1, 2, 2, 1, 0, 0, 1)},
		{"depthwise", 2, 5, 5, 4, 4, 4, false, engine.Square(3, 1, 1)},
		{"depthwise, stride 2, same, bias", 2, 6, 7, 8, 8, 8, true, engine.Same(3, 2, 6, 7)},
		{"depthwise, 19 channels", 1, 5, 5, 19, 19, 19, false, engine.Square(3, 2, 1)},
		{"depthwise, multiplier 2", 1, 5, 5, 3, 6, 3, true, engine.Square(3, 1, 1)},
		{"depthwise, dilated", 1, 7, 7, 4, 4, 4, false, window(3, 3, 1, 1, 2, 2, 2, 2, 2, 2)},
	} {
		build := func(b *builder, x *engine.Node) *engine.Node {
			w := b.param("w", uniform(-1, 1), c.k, c.window.KH, c.window.KW, c.c/c.groups)
			var bias *engine.Node
			if c.bias {
				bias = b.param("b", uniform(-1, 1), c.k)
			}
			return b.Conv2D("conv", x, w, bias, engine.Conv{Window: c.window, Groups: c.groups})
		}
		list = append(list, Case{Name: "conv2d " + c.name, build: func(b *builder) *engine.Node {
			return b.shown(build(b, b.param("x", uniform(-1, 1), c.n, c.h, c.w, c.c)))
		}})
	}
	for _, bias := range []bool{false, true} {
		list = append(list, Case{Name: "conv2d first layer" + withBias(bias), build: func(b *builder) *engine.Node {
			x := b.input("x", uniform(-1, 1), 2, 5, 5, 3)
			return b.toTarget(b.conv(x, 4, bias))
		}})
		for _, a := range activations {
			list = append(list, Case{Name: "conv2d, " + a.name + withBias(bias), build: func(b *builder) *engine.Node {
				x := b.param("x", uniform(-2, 2), 2, 5, 5, 3)
				return b.shown(a.apply(b, b.conv(x, 4, bias)))
			}})
		}
	}
	return list
}

func withBias(bias bool) string {
	if bias {
		return ", bias"
	}
	return ""
}

// activations are what Fuse puts behind other operators.
var activations = []struct {
	name  string
	apply func(b *builder, x *engine.Node) *engine.Node
}{
	{"relu", func(b *builder, x *engine.Node) *engine.Node { return b.Relu("act", x) }},
	{"relu6", func(b *builder, x *engine.Node) *engine.Node { return b.Relu6("act", b.Scale("wide", x, 2)) }},
	{"relu6 at once", func(b *builder, x *engine.Node) *engine.Node { return b.Relu6("act", x) }},
}

// conv is a 3×3 convolution, padded.
func (b *builder) conv(x *engine.Node, k int, bias bool) *engine.Node {
	w := b.param("w", uniform(-1, 1), k, 3, 3, engine.ShapeOf(x)[3])
	var add *engine.Node
	if bias {
		add = b.param("b", uniform(-1, 1), k)
	}
	return b.Conv2D("conv", x, w, add, engine.Conv{Window: engine.Square(3, 1, 1)})
}

func (b *builder) dense(x *engine.Node, k int, bias bool) *engine.Node {
	w := b.param("w", uniform(-1, 1), k, engine.ShapeOf(x)[1])
	var add *engine.Node
	if bias {
		add = b.param("b", uniform(-1, 1), k)
	}
	return b.Dense("dense", x, w, add)
}

func denseLayers() (list []Case) {
	for _, bias := range []bool{false, true} {
		for _, s := range []struct {
			name    string
			n, c, k int
		}{
			{"dense", 3, 5, 4}, {"dense of one", 1, 7, 3}, {"dense to one", 4, 3, 1}, {"dense 33 to 17", 5, 33, 17},
		} {
			list = append(list, Case{Name: s.name + withBias(bias), build: func(b *builder) *engine.Node {
				return b.shown(b.dense(b.param("x", uniform(-1, 1), s.n, s.c), s.k, bias))
			}})
		}
		list = append(list, Case{Name: "dense first layer" + withBias(bias), build: func(b *builder) *engine.Node {
			return b.toTarget(b.dense(b.input("x", uniform(-1, 1), 3, 5), 4, bias))
		}})
		for _, a := range activations {
			list = append(list, Case{Name: "dense, " + a.name + withBias(bias), build: func(b *builder) *engine.Node {
				return b.shown(a.apply(b, b.dense(b.param("x", uniform(-3, 3), 4, 5), 6, bias)))
			}})
		}
	}
	return list
}

// norm is a batch norm of x with its parameters.
func (b *builder) norm(x *engine.Node) (y, mean, variance *engine.Node) {
	s := engine.ShapeOf(x)
	c := s[len(s)-1]
	return b.BatchNorm("norm", x, b.param("gamma", uniform(0.5, 2), c), b.param("beta", uniform(-1, 1), c), 1e-3)
}

func norms() (list []Case) {
	for _, s := range []struct {
		name  string
		shape engine.Shape
	}{
		{"batchnorm", engine.Shape{3, 4, 5, 3}}, {"batchnorm of features", engine.Shape{6, 5}},
		{"batchnorm, 18 channels", engine.Shape{2, 3, 3, 18}},
	} {
		list = append(list, Case{Name: s.name, build: func(b *builder) *engine.Node {
			y, mean, variance := b.norm(b.param("x", uniform(-1, 3), s.shape...))
			b.output(mean, variance)
			return b.shown(y)
		}})
	}
	for _, a := range activations {
		list = append(list, Case{Name: "batchnorm, " + a.name, build: func(b *builder) *engine.Node {
			y, _, _ := b.norm(b.param("x", uniform(-1, 3), 3, 4, 4, 3))
			return b.shown(a.apply(b, y))
		}})
	}
	infer := func(b *builder) *engine.Node {
		return b.NormInfer("norm", b.param("x", uniform(-1, 3), 2, 3, 4, 3), b.param("gamma", uniform(0.5, 2), 3),
			b.param("beta", uniform(-1, 1), 3), b.stat("mean", uniform(-1, 1), 3), b.stat("var", uniform(0.5, 2), 3), 1e-3)
	}
	list = append(list, Case{Name: "norm_infer", build: func(b *builder) *engine.Node { return b.shown(infer(b)) }})
	for _, a := range activations {
		list = append(list, Case{Name: "norm_infer, " + a.name, build: func(b *builder) *engine.Node { return b.shown(a.apply(b, infer(b))) }})
	}
	return list
}

func elementwise() []Case {
	of := func(name string, f fill, apply func(b *builder, x *engine.Node) *engine.Node) Case {
		return Case{Name: name, build: func(b *builder) *engine.Node { return b.shown(apply(b, b.param("x", f, 2, 3, 4, 5))) }}
	}
	return []Case{
		of("relu", apart(-2, 2, 0), func(b *builder, x *engine.Node) *engine.Node { return b.Relu("act", x) }),
		of("relu6", apart(-3, 9, 0, 6), func(b *builder, x *engine.Node) *engine.Node { return b.Relu6("act", x) }),
		of("hswish", apart(-5, 5, -3, 3), func(b *builder, x *engine.Node) *engine.Node { return b.HSwish("act", x) }),
		of("scale", uniform(-2, 2), func(b *builder, x *engine.Node) *engine.Node { return b.Scale("scale", x, -1.5) }),
		of("dropout", uniform(-2, 2), func(b *builder, x *engine.Node) *engine.Node { return b.Dropout("drop", x, 0.3, 77) }),
		of("dropout of nothing", uniform(-2, 2), func(b *builder, x *engine.Node) *engine.Node { return b.Dropout("drop", x, 0, 77) }),
		of("reshape", uniform(-2, 2), func(b *builder, x *engine.Node) *engine.Node { return b.Reshape("shape", x, 4, 30) }),
		{Name: "dropout, two seeds, four steps", build: func(b *builder) *engine.Node {
			x := b.param("x", uniform(1, 2), 2, 50)
			b.runs = 4
			return b.shown(b.Concat("both", b.Dropout("a", x, 0.5, 1), b.Dropout("b", x, 0.9, 2)))
		}},
		{Name: "sigmoid", build: func(b *builder) *engine.Node {
			b.output(b.Sigmoid("p", b.input("z", uniform(-9, 9), 3, 7)))
			return nil
		}},
		{Name: "softmax", build: func(b *builder) *engine.Node {
			b.output(b.Softmax("p", b.input("z", uniform(-9, 9), 3, 7)))
			return nil
		}},
		{Name: "softmax and sigmoid of great numbers", build: func(b *builder) *engine.Node {
			z := b.input("z", values(200, -200, 0, 199, -500, 500, -1000, -1001), 2, 4)
			b.output(b.Softmax("p", z), b.Sigmoid("q", z))
			return nil
		}},
		{Name: "range", build: func(b *builder) *engine.Node {
			b.output(b.Range("span", b.input("x", uniform(-2, 3), 3, 4, 5, 2)), b.Range("negative", b.input("n", uniform(-2, -1), 37)))
			return nil
		}},
		{Name: "reshape of an input", build: func(b *builder) *engine.Node {
			return b.shown(b.dense(b.Flatten("flat", b.input("x", uniform(-1, 1), 3, 2, 2, 2)), 4, true))
		}},
	}
}

func pools() (list []Case) {
	windows := []struct {
		name   string
		h, w   int
		window engine.Window
	}{
		{"2x2 stride 2", 4, 6, engine.Square(2, 2, 0)},
		{"2x2 stride 2, last row and column unused", 5, 7, engine.Square(2, 2, 0)},
		{"3x3 stride 2, padded", 6, 7, engine.Square(3, 2, 1)},
		{"3x3 stride 2, same", 6, 8, engine.Same(3, 2, 6, 8)},
		{"3x3 stride 1, windows overlap", 5, 4, engine.Square(3, 1, 1)},
		{"3x2 strides 1 and 2, four paddings", 5, 6, window(3, 2, 1, 2, 1, 1, 2, 1, 1, 0)},
		{"2x2 stride 3, some read by no window", 7, 8, engine.Square(2, 3, 0)},
		{"of all", 3, 5, window(3, 5, 1, 1, 1, 1)},
	}
	for _, p := range windows {
		list = append(list, Case{Name: "maxpool " + p.name, build: func(b *builder) *engine.Node {
			return b.shown(b.MaxPool("pool", b.param("x", distinct(-3), 2, p.h, p.w, 3), p.window))
		}}, Case{Name: "avgpool " + p.name, build: func(b *builder) *engine.Node {
			return b.shown(b.AvgPool("pool", b.param("x", uniform(-1, 1), 2, p.h, p.w, 3), p.window))
		}})
	}
	return append(list,
		Case{Name: "maxpool of 17 channels", build: func(b *builder) *engine.Node {
			return b.shown(b.MaxPool("pool", b.param("x", distinct(0), 1, 6, 6, 17), engine.Square(3, 2, 1)))
		}},
		Case{Name: "maxpool with ties", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.MaxPool("pool", b.param("x", integers(3), 2, 6, 6, 3), engine.Square(3, 2, 1)))
		}},
		Case{Name: "maxpool of relu, windows of zeros", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.MaxPool("pool", b.Relu("act", b.param("x", apart(-3, 1, 0), 2, 6, 6, 3)), engine.Square(2, 2, 0)))
		}},
		Case{Name: "gap", build: func(b *builder) *engine.Node {
			return b.shown(b.GlobalAvgPool("gap", b.param("x", uniform(-1, 1), 3, 4, 5, 6)))
		}},
		Case{Name: "gap of one pixel", build: func(b *builder) *engine.Node {
			return b.shown(b.GlobalAvgPool("gap", b.param("x", uniform(-1, 1), 2, 1, 1, 3)))
		}})
}

func joins() (list []Case) {
	two := func(b *builder) (x, y *engine.Node) {
		return b.param("a", apart(-2, 2, 0), 2, 3, 4, 5), b.param("b", uniform(-2, 2), 2, 3, 4, 5)
	}
	list = []Case{
		{Name: "add", build: func(b *builder) *engine.Node {
			x, y := two(b)
			return b.shown(b.Add("sum", x, y))
		}},
		{Name: "add of one value to itself", build: func(b *builder) *engine.Node {
			x := b.param("a", uniform(-2, 2), 2, 3, 4)
			return b.shown(b.Add("sum", x, x))
		}},
		{Name: "concat", build: func(b *builder) *engine.Node {
			return b.shown(b.Concat("all", b.param("a", uniform(-1, 1), 2, 3, 3, 4), b.param("b", uniform(-1, 1), 2, 3, 3, 1),
				b.param("c", uniform(-1, 1), 2, 3, 3, 17)))
		}},
		{Name: "concat of features", build: func(b *builder) *engine.Node {
			return b.shown(b.Concat("all", b.param("a", uniform(-1, 1), 3, 2), b.param("b", uniform(-1, 1), 3, 5)))
		}},
		{Name: "concat of one value twice", build: func(b *builder) *engine.Node {
			x := b.param("a", uniform(-1, 1), 3, 2)
			return b.shown(b.Concat("all", x, x))
		}},
	}
	for _, a := range activations {
		list = append(list, Case{Name: "add, " + a.name, build: func(b *builder) *engine.Node {
			x, y := two(b)
			return b.shown(a.apply(b, b.Add("sum", x, b.Scale("far", y, 3))))
		}})
	}
	return list
}

func quants() []Case {
	return []Case{
		{Name: "fake_quant", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.FakeQuant("quant", b.param("x", onGrid(-0.9, 1.3, -140, 230), 2, 5, 30), b.stat("range", values(-0.9, 1.3), 2), 8))
		}},
		{Name: "fake_quant, range without 0", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.FakeQuant("quant", b.param("x", onGrid(0, 6.1, -20, 270), 2, 50), b.stat("range", values(1.5, 6.1), 2), 8))
		}},
		{Name: "fake_quant, range without width", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.FakeQuant("quant", b.param("x", onGrid(0, 1, -20, 270), 2, 50), b.stat("range", values(0, 0), 2), 8))
		}},
		{Name: "fake_quant, 4 bits", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.FakeQuant("quant", b.param("x", onGrid(-1, 1.1, -3, 3), 2, 20), b.stat("range", values(-8, 8.5), 2), 4))
		}},
		{Name: "fake_quant_w", Stepped: true, build: func(b *builder) *engine.Node {
			return b.shown(b.FakeQuantWeights("quant", b.param("w", filters, 4, 3, 3, 2), 8))
		}},
		{Name: "fake_quant of 48 bits", Wide: true, build: func(b *builder) *engine.Node {
			x := b.param("x", apart(-2, 2, -0.9, 1.3), 2, 5, 30)
			return b.toTarget(b.FakeQuant("quant", x, b.stat("range", values(-0.9, 1.3), 2), 48))
		}},
		{Name: "fake_quant_w of 48 bits", Wide: true, build: func(b *builder) *engine.Node {
			return b.toTarget(b.FakeQuantWeights("quant", b.param("w", uniform(-1, 1), 4, 3, 3, 2), 48))
		}},
	}
}

// onGrid are numbers near the integers from first to last of a range lo to hi of 8 bits, well off where rounding changes.
func onGrid(lo, hi float64, first, last int) fill {
	return each(func(r *rand.Rand) float32 {
		off := 0.05 + 0.3*r.Float64()
		if r.IntN(2) == 0 {
			off = -off
		}
		return float32((float64(first+r.IntN(last-first+1)) + off) * (hi - lo) / 255)
	})
}

// filters are weights whose greatest in each channel is 127 steps and the others well off where rounding changes; the last
// channel is all zeros.
func filters(r *rand.Rand, s engine.Shape) []float32 {
	d := make([]float32, s.Size())
	per := len(d) / s[0]
	for k := range s[0] - 1 {
		step := 0.001 * float64(k*k+1)
		for i := range per {
			d[k*per+i] = float32((float64(r.IntN(253)-126) + 0.3*r.Float64()) * step)
		}
		d[k*per+r.IntN(per)] = float32(-127 * step)
	}
	return d
}
