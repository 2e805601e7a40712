package net

import (
	"gleaner/train/engine"
)

// Builder applies a network's layers. It is an engine graph that knows the network's variables: layers ask for them by name,
// and get the same ones in every build. Its methods panic as engine.Graph's do; Describe turns that into an error.
type Builder struct {
	*engine.Graph
	n           *Net
	training    bool
	average     bool // parameters are read from their moving averages
	seed        uint32
	normRate    float64
	quantise    int
	keepWeights bool
	watch       *watch
	spans       map[*engine.Node]*engine.Var // the range that a value was last rounded in
	features    *engine.Node                 // what the heads are fed, [N C], once AllLogits was called
}

// Param is a parameter of a layer.
func (b *Builder) Param(layer, name string, i Init, shape ...int) *engine.Node {
	v := b.variable(layer, name, engine.Param, i, shape)
	if b.average && !b.n.isFrozen(layer) {
		return b.Var(b.n.state(v.v, "average", engine.Average))
	}
	return b.Var(v.v)
}

// Stat is a statistic that training keeps of a layer.
func (b *Builder) Stat(layer, name string, i Init, shape ...int) *engine.Var {
	return b.variable(layer, name, engine.Stat, i, shape).v
}

func (b *Builder) variable(layer, name string, role engine.Role, i Init, shape engine.Shape) *variable {
	full := layer + "/" + name
	if v, ok := b.n.byName[full]; ok {
		if !v.v.Shape.Equal(shape) {
			engine.Fail(layer, "its %s is %v and cannot be %v as well", name, v.v.Shape, shape)
		}
		return v
	}
	v := &variable{v: &engine.Var{Name: full, Shape: shape, Role: role}, layer: layer, init: i}
	b.n.vars, b.n.byName[full] = append(b.n.vars, v), v
	return v
}

// Learns tells whether a layer's statistics are those of the batch: in training, unless it is frozen.
func (b *Builder) learns(layer string) bool { return b.training && !b.n.isFrozen(layer) }

// Act is an activation.
type Act func(b *Builder, layer string, x *engine.Node) *engine.Node

// The activations, as arguments of layers.
var (
	None  Act = func(_ *Builder, _ string, x *engine.Node) *engine.Node { return x }
	Relu  Act = func(b *Builder, layer string, x *engine.Node) *engine.Node { return b.Graph.Relu(layer, x) }
	Relu6 Act = func(b *Builder, layer string, x *engine.Node) *engine.Node { return b.Graph.Relu6(layer, x) }
	// HSwish is an operator of its own in a TFLite file, so that what goes into it is rounded as well.
	HSwish Act = func(b *Builder, layer string, x *engine.Node) *engine.Node {
		return b.Graph.HSwish(layer, b.quant(layer+"/linear", x))
	}
)

// Filter is a convolution's kernel.
type Filter struct {
	Out      int // channels
	Size     int // height and width, pixels
	Stride   int // 0 means 1
	Pad      int // on all four sides; -1: as TensorFlow's SAME
	Dilation int // 0 means 1
	Groups   int // 0 means 1; -1: depthwise, one group per channel
	Bias     bool
	// Window replaces Size, Stride, Pad and Dilation where its KH is not 0.
	Window engine.Window
	W, B   Init // of the weights and the bias; the zero value: He's spread, zeros
}

// Conv is a convolution with its activation.
func (b *Builder) Conv(layer string, x *engine.Node, f Filter, act Act) *engine.Node {
	return b.activate(layer, b.conv(layer, x, f), act)
}

// normSuffix ends the layer name of a convolution's own batch norm.
const normSuffix = "/bn"

// ConvNorm is a convolution, a batch norm and an activation. Folding puts the norm into the convolution. Where f has values
// for the bias, the norm begins as that bias and nothing else.
func (b *Builder) ConvNorm(layer string, x *engine.Node, f Filter, act Act) *engine.Node {
	if b.n.folded {
		f.Bias = true
		return b.Conv(layer, x, f, act)
	}
	if b.quantise > 0 {
		engine.Fail(layer, "its batch norm must be folded before the network is quantised")
	}
	beta, variance := f.B, Init{Fill: 1}
	if beta.Values != nil && !f.Bias {
		variance.Fill -= normEps
	}
	return b.activate(layer, b.norm(layer+normSuffix, b.conv(layer, x, f), beta, variance), act)
}

// Norm is a batch norm and an activation that stand by themselves.
func (b *Builder) Norm(layer string, x *engine.Node, act Act) *engine.Node {
	return b.activate(layer, b.norm(layer, x, Init{}, Init{Fill: 1}), act)
}

func (b *Builder) conv(layer string, x *engine.Node, f Filter) *engine.Node {
	s := engine.ShapeOf(x)
	if len(s) != 4 {
		engine.Fail(layer, "a convolution takes pictures [N H W C], not %v", s)
	}
	w, groups := f.window(s), max(f.Groups, 1)
	if f.Groups < 0 {
		groups = s[3]
	}
	if s[3]%groups != 0 {
		engine.Fail(layer, "%d channels cannot be split into %d groups", s[3], groups)
	}
	if f.W.Values == nil && f.W.Spread == 0 && f.W.Fill == 0 {
		f.W = He(w.KH * w.KW * s[3] / groups)
	}
	weights := b.weights(layer, f.W, f.Out, w.KH, w.KW, s[3]/groups)
	var bias *engine.Node
	if f.Bias {
		bias = b.Param(layer, "b", f.B, f.Out)
	}
	return b.Conv2D(layer, x, weights, bias, engine.Conv{Window: w, Groups: groups})
}

// weights are a layer's weights [K …], sent through int8 where the network is built so.
func (b *Builder) weights(layer string, i Init, shape ...int) *engine.Node {
	w := b.Param(layer, "w", i, shape...)
	if b.quantise > 0 && !b.keepWeights {
		w = b.FakeQuantWeights(layer, w, b.quantise)
	}
	return w
}

func (f Filter) window(s engine.Shape) engine.Window {
	if f.Window.KH != 0 {
		return f.Window
	}
	stride, dilation := max(f.Stride, 1), max(f.Dilation, 1)
	w := engine.Square(f.Size, stride, f.Pad)
	if f.Pad < 0 {
		w = engine.Same((f.Size-1)*dilation+1, stride, s[1], s[2])
		w.KH, w.KW = f.Size, f.Size
	}
	w.DH, w.DW = dilation, dilation
	return w
}

// normEps is what batch norms add to the variance, as most frameworks do.
const normEps = 1e-5

func (b *Builder) norm(layer string, x *engine.Node, first, spread Init) *engine.Node {
	s := engine.ShapeOf(x)
	c := s[len(s)-1]
	gamma, beta := b.Param(layer, "gamma", Init{Fill: 1}, c), b.Param(layer, "beta", first, c)
	mean, variance := b.Stat(layer, "mean", Init{}, c), b.Stat(layer, "var", spread, c)
	if b.watch != nil {
		if y := b.watch.norm(b, layer, x, gamma, beta); y != nil {
			return y
		}
	}
	if !b.learns(layer) {
		return b.NormInfer(layer, x, gamma, beta, b.Var(mean), b.Var(variance), normEps)
	}
	y, m, v := b.BatchNorm(layer, x, gamma, beta, normEps)
	// The running variance is the unbiased one (as in PyTorch): n/(n-1) of the batch's.
	n := float64(s.Size() / c)
	b.Track(mean, m, b.normRate, 1)
	b.Track(variance, v, b.normRate, n/max(n-1, 1))
	return y
}

// activate applies an activation, and the trip through int8 of a quantised build.
func (b *Builder) activate(layer string, x *engine.Node, act Act) *engine.Node {
	return b.quant(layer, act(b, layer, x))
}

// Dense is a dense layer with its activation; pictures are flattened first.
func (b *Builder) Dense(layer string, x *engine.Node, out int, act Act) *engine.Node {
	x = b.Flatten(layer, x)
	return b.dense(layer, x, out, He(engine.ShapeOf(x)[1]), Init{}, true, act)
}

// Logits is the last layer of a head: dense, without activation.
func (b *Builder) Logits(h Head, x *engine.Node) *engine.Node {
	x = b.Flatten(headPrefix+h.Name, x)
	return b.dense(headPrefix+h.Name, x, h.Classes, Xavier(engine.ShapeOf(x)[1]), Init{}, true, None)
}

// headPrefix begins the layer names of heads.
const headPrefix = "head/"

func (b *Builder) dense(layer string, x *engine.Node, out int, w, bias Init, biased bool, act Act) *engine.Node {
	weights := b.weights(layer, w, out, engine.ShapeOf(x)[1])
	var add *engine.Node
	if biased {
		add = b.Param(layer, "b", bias, out)
	}
	return b.activate(layer, b.Graph.Dense(layer, x, weights, add), act)
}

// AllLogits is Logits for each head of the network, on one trunk.
func (b *Builder) AllLogits(x *engine.Node) (logits []*engine.Node) {
	x = b.Flatten("features", x)
	b.features = x
	for _, h := range b.n.Heads {
		logits = append(logits, b.Logits(h, x))
	}
	return logits
}

// SquareLogits is AllLogits behind a hidden layer of so many units with h-swish, which all heads share (train/linear.Hidden).
func (b *Builder) SquareLogits(x *engine.Node, units int) (logits []*engine.Node) {
	x = b.Flatten("features", x)
	logits = b.AllLogits(b.Dense(squaresLayer, x, units, HSwish))
	b.features = x // the heads' hidden layer is a part of them
	return logits
}

// squaresLayer is a part of the heads.
const squaresLayer = headPrefix + "hidden/squares"

// Drop is a dropout: in training a share rate of the elements is left out.
func (b *Builder) Drop(layer string, x *engine.Node, rate float64) *engine.Node {
	if !b.training || rate == 0 {
		return x
	}
	return b.Dropout(layer, x, rate, b.seed^uint32(hash64(layer)))
}

// Join is a+b with an activation.
func (b *Builder) Join(layer string, x, y *engine.Node, act Act) *engine.Node {
	return b.activate(layer, b.Add(layer, x, y), act)
}
