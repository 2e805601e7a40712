package enginetest

import (
	"fmt"

	"gleaner/train/engine"
)

// layers are small networks in which values are shared, overwritten and fused. Each gives logits [N 4].
func (b *builder) residual(batch int) *engine.Node {
	x := b.input("x", uniform(-1, 1), batch, 8, 8, 3)
	h := b.block("stem", x, 6, engine.Square(3, 1, 1), 1)
	h = b.MaxPool("pool", h, engine.Square(2, 2, 0))
	h1 := b.block("b1", h, 6, engine.Square(3, 1, 1), 1)
	h2 := b.normed("b2", h1, 6, engine.Square(3, 1, 1), 1)
	h = b.Relu("join", b.Add("join", h, h2))
	return b.head(b.GlobalAvgPool("gap", h), true)
}

func (b *builder) inverted(batch int) *engine.Node {
	x := b.input("x", uniform(-1, 1), batch, 8, 8, 3)
	h := b.Relu6("stem", b.normed("stem", x, 4, engine.Same(3, 2, 8, 8), 1))
	wide := b.Relu6("expand", b.normed("expand", h, 12, engine.Square(1, 1, 0), 1))
	deep := b.HSwish("deep", b.normed("deep", wide, 12, engine.Square(3, 1, 1), 12))
	h = b.Add("join", h, b.normed("project", deep, 4, engine.Square(1, 1, 0), 1))
	h = b.Concat("wider", h, b.AvgPool("avg", h, engine.Square(3, 1, 1)))
	return b.head(b.Flatten("flat", h), false)
}

func (b *builder) plain(batch int) *engine.Node {
	h := b.input("x", uniform(-1, 1), batch, 8, 8, 1)
	for i, k := range []int{5, 7} {
		layer := fmt.Sprintf("c%d", i)
		w := b.param(layer+"/w", uniform(-0.5, 0.5), k, 3, 3, engine.ShapeOf(h)[3])
		h = b.Conv2D(layer, h, w, b.param(layer+"/b", uniform(-0.2, 0.2), k), engine.Conv{Window: engine.Square(3, 1, 1)})
		h = b.MaxPool(layer, b.Relu(layer, h), engine.Square(2, 2, 0))
	}
	h = b.Flatten("flat", h)
	h = b.Relu("hidden", b.Dense("hidden", h, b.param("hidden/w", uniform(-0.3, 0.3), 9, engine.ShapeOf(h)[1]), b.param("hidden/b", uniform(-0.1, 0.1), 9)))
	return b.head(h, true)
}

func (b *builder) block(layer string, x *engine.Node, k int, w engine.Window, groups int) *engine.Node {
	return b.Relu(layer, b.normed(layer, x, k, w, groups))
}

// normed is a convolution with a batch norm, whose running statistics are kept.
func (b *builder) normed(layer string, x *engine.Node, k int, w engine.Window, groups int) *engine.Node {
	weights := b.param(layer+"/w", uniform(-0.6, 0.6), k, w.KH, w.KW, engine.ShapeOf(x)[3]/groups)
	h := b.Conv2D(layer, x, weights, nil, engine.Conv{Window: w, Groups: groups})
	y, mean, variance := b.BatchNorm(layer, h, b.param(layer+"/gamma", uniform(0.5, 1.5), k), b.param(layer+"/beta", uniform(-0.5, 0.5), k), 1e-3)
	b.track(layer+"/mean", mean, uniform(-0.1, 0.1), 1)
	b.track(layer+"/var", variance, uniform(0.9, 1.1), 1.05)
	return y
}

func (b *builder) track(name string, of *engine.Node, f fill, factor float64) {
	v := &engine.Var{Name: name, Shape: engine.ShapeOf(of), Role: engine.Stat}
	b.net.Values[v] = f(b.rng, v.Shape)
	b.Track(v, of, 0.1, factor)
}

func (b *builder) head(h *engine.Node, drop bool) *engine.Node {
	if drop {
		h = b.Dropout("drop", h, 0.25, 5)
	}
	return b.Dense("head", h, b.param("head/w", uniform(-0.5, 0.5), 4, engine.ShapeOf(h)[1]), b.param("head/b", uniform(-0.1, 0.1), 4))
}

func chains() (list []Case) {
	for _, c := range []struct {
		name   string
		logits func(b *builder, batch int) *engine.Node
	}{
		{"residual network", (*builder).residual}, {"inverted bottleneck", (*builder).inverted}, {"plain network", (*builder).plain},
	} {
		list = append(list, Case{Name: c.name, build: func(b *builder) *engine.Node {
			z := c.logits(b, 4)
			return b.SoftmaxLoss("loss", z, b.input("y", onehot, 4, 4), engine.Loss{Smoothing: 0.1})
		}})
	}
	return append(list,
		Case{Name: "one value, three readers", build: func(b *builder) *engine.Node {
			h := b.Relu("h", b.param("x", apart(-2, 2, 0), 3, 4, 4, 2))
			sum := b.Add("sum", b.Add("sum", b.Scale("twice", h, 2), h), b.Dropout("drop", h, 0.5, 3))
			return b.toTarget(b.HSwish("act", sum))
		}},
		Case{Name: "a view that lives on", build: func(b *builder) *engine.Node {
			h := b.Scale("h", b.param("x", apart(-2, 2, 0), 3, 2, 2, 3), 1.5)
			flat := b.Flatten("flat", h)
			return b.toTarget(b.Concat("all", b.Relu("act", flat), flat))
		}},
		Case{Name: "chain in place", build: func(b *builder) *engine.Node {
			h := b.Scale("a", b.param("x", apart(-2, 2, 0), 3, 4, 4, 3), 1.25)
			h = b.Add("b", b.Relu("b", h), b.HSwish("c", b.Scale("d", h, 0.5)))
			h, _, _ = b.norm(b.Dropout("e", h, 0.2, 9))
			return b.toTarget(b.Relu6("f", b.Scale("g", h, 2)))
		}})
}

// trainings are training programs: what is compared is the loss of each run and all variables after the last.
func trainings() (list []Case) {
	halves := func(v *engine.Var) (rate, decay float64) {
		if len(v.Shape) == 1 {
			return 1, 0
		}
		return 0.5, 2
	}
	for _, o := range []struct {
		name string
		opt  engine.Optimiser
	}{
		{"sgd", engine.Optimiser{Kind: "sgd"}},
		{"sgd, momentum, decay", engine.Optimiser{Kind: "sgd", Momentum: 0.9, Decay: 0.05}},
		{"sgd, nesterov, clip, average", engine.Optimiser{Kind: "sgd", Momentum: 0.9, Nesterov: true, Clip: 0.5, Average: true}},
		{"sgd, a clip that nothing reaches, groups", engine.Optimiser{Kind: "sgd", Momentum: 0.5, Decay: 0.1, Clip: 1e6, Group: halves}},
		{"adam, decay", engine.Optimiser{Kind: "adam", Decay: 0.05, Eps: 1e-3}},
		{"adamw, clip, average, groups", engine.Optimiser{Kind: "adamw", Decay: 0.05, Eps: 1e-3, Clip: 0.5, Average: true, Group: halves}},
	} {
		list = append(list, Case{Name: "training, " + o.name, build: func(b *builder) *engine.Node {
			b.optimiser, b.runs = o.opt, 3
			z := b.residual(5)
			loss := b.SoftmaxLoss("loss", z, b.input("y", onehot, 5, 4), engine.Loss{})
			b.output(b.Probabilities(loss))
			return loss
		}})
	}
	return append(list,
		Case{Name: "training, inverted bottleneck, sgd", build: func(b *builder) *engine.Node {
			b.optimiser, b.runs = engine.Optimiser{Kind: "sgd", Momentum: 0.9}, 3
			return b.SoftmaxLoss("loss", b.inverted(3), b.input("y", onehot, 3, 4), engine.Loss{})
		}},
		Case{Name: "training, ranges", Stepped: true, build: func(b *builder) *engine.Node {
			b.optimiser, b.runs = engine.Optimiser{Kind: "sgd"}, 3
			x := b.input("x", uniform(-1, 2), 4, 6)
			b.track("in/range", b.Range("in", x), values(-1, 1), 1)
			return b.SoftmaxLoss("loss", b.dense(x, 4, true), b.input("y", onehot, 4, 4), engine.Loss{})
		}})
}
