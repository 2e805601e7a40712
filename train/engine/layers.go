package engine

import G "gorgonia.org/gorgonia"

// Conv2D applies a convolution: x[N H W C], w[K KH KW C/groups], b[K] or nil. KH and KW are taken from w.
func (g *Graph) Conv2D(layer string, x, w, b *Node, c Conv) *Node {
	xs, ws := shapeOf(x), shapeOf(w)
	if len(xs) != 4 || len(ws) != 4 {
		Fail(layer, "a convolution takes pictures [N H W C] and weights [K KH KW C], not %v and %v", xs, ws)
	}
	if c.Groups == 0 {
		c.Groups = 1
	}
	c.KH, c.KW, c.Bias = ws[1], ws[2], b != nil
	c.Window = c.Window.norm()
	if xs[3]%c.Groups != 0 || ws[0]%c.Groups != 0 || ws[3] != xs[3]/c.Groups {
		Fail(layer, "weights %v in %d groups do not fit %d channels", ws, c.Groups, xs[3])
	}
	oh, ow, err := c.out(xs[1], xs[2])
	if err != nil {
		Fail(layer, "%w", err)
	}
	ys := Shape{xs[0], oh, ow, ws[0]}
	o := &Op{Kind: Conv2D, Layer: layer, Attr: c, Out: []Shape{ys}}
	o.diff = func(in G.Nodes, _, dy *Node) G.Nodes {
		dw := &Op{Kind: Conv2DDW, Layer: layer, Attr: c, Out: []Shape{ws}, Of: o}
		dx := &Op{Kind: Conv2DDX, Layer: layer, Attr: c, Out: []Shape{xs}, Of: o}
		return g.weighted(b != nil, dw, dx, in, dy)
	}
	return g.affine(o, x, w, b)
}

// Dense applies y = x·wᵀ + b: x[N C], w[K C], b[K] or nil.
func (g *Graph) Dense(layer string, x, w, b *Node) *Node {
	xs, ws := shapeOf(x), shapeOf(w)
	if len(xs) != 2 || len(ws) != 2 || xs[1] != ws[1] {
		Fail(layer, "a dense layer takes x[N C] and w[K C], not %v and %v", xs, ws)
	}
	l := Lin{Bias: b != nil}
	o := &Op{Kind: Dense, Layer: layer, Attr: l, Out: []Shape{{xs[0], ws[0]}}}
	o.diff = func(in G.Nodes, _, dy *Node) G.Nodes {
		dw := &Op{Kind: DenseDW, Layer: layer, Attr: l, Out: []Shape{ws}, Of: o}
		dx := &Op{Kind: DenseDX, Layer: layer, Attr: l, Out: []Shape{xs}, Of: o}
		return g.weighted(b != nil, dw, dx, in, dy)
	}
	return g.affine(o, x, w, b)
}

// affine applies an operator of x, w and an optional bias.
func (g *Graph) affine(o *Op, x, w, b *Node) *Node {
	if b == nil {
		o.wrt = []bool{true, true}
		return g.apply(o, x, w)
	}
	if k := o.Out[0][len(o.Out[0])-1]; !shapeOf(b).Equal(Shape{k}) {
		Fail(o.Layer, "the bias is %v and must be %v", shapeOf(b), Shape{k})
	}
	o.wrt = []bool{true, true, true}
	return g.apply(o, x, w, b)
}

// weighted emits the gradients of an affine layer. That of the weights comes first, so that x can be forgotten.
func (g *Graph) weighted(bias bool, dw, dx *Op, in G.Nodes, dy *Node) G.Nodes {
	if bias {
		dw.Out = append(dw.Out, shapeOf(in[2]))
	}
	w := g.apply(dw, in[0], dy)
	x := g.apply(dx, dy, in[1])
	if !bias {
		return G.Nodes{x, w}
	}
	return G.Nodes{x, w, g.pick(w, 1)}
}

// BatchNorm normalises each channel, the last axis, by the mean and the variance of the batch. The mean and the biased
// variance that it used are the second and third result, for Graph.Track.
func (g *Graph) BatchNorm(layer string, x, gamma, beta *Node, eps float64) (y, mean, variance *Node) {
	xs := shapeOf(x)
	c := g.channels(layer, xs, gamma, beta)
	a := Norm{Eps: eps}
	o := &Op{Kind: BatchNorm, Layer: layer, Attr: a, Out: []Shape{xs, c, c}, wrt: []bool{true, true, true}}
	o.diff = func(in G.Nodes, out, dy *Node) G.Nodes {
		d := &Op{Kind: BatchNormDX, Layer: layer, Attr: a, Out: []Shape{xs, c, c}, Of: o}
		dx := g.apply(d, in[0], in[1], g.pick(out, 1), g.pick(out, 2), dy)
		return G.Nodes{dx, g.pick(dx, 1), g.pick(dx, 2)}
	}
	y = g.apply(o, x, gamma, beta)
	return y, g.pick(y, 1), g.pick(y, 2)
}

// NormInfer normalises each channel by a running mean and variance, which have no gradient.
func (g *Graph) NormInfer(layer string, x, gamma, beta, mean, variance *Node, eps float64) *Node {
	xs := shapeOf(x)
	c := g.channels(layer, xs, gamma, beta, mean, variance)
	a := Norm{Eps: eps}
	o := &Op{Kind: NormInfer, Layer: layer, Attr: a, Out: []Shape{xs}, wrt: []bool{true, true, true, false, false}}
	o.diff = func(in G.Nodes, _, dy *Node) G.Nodes {
		dp := g.apply(&Op{Kind: NormInferDP, Layer: layer, Attr: a, Out: []Shape{c, c}, Of: o}, in[0], dy, in[3], in[4])
		dx := g.apply(&Op{Kind: NormInferDX, Layer: layer, Attr: a, Out: []Shape{xs}, Of: o}, dy, in[1], in[4])
		return G.Nodes{dx, dp, g.pick(dp, 1), nil, nil}
	}
	return g.apply(o, x, gamma, beta, mean, variance)
}

func (g *Graph) channels(layer string, xs Shape, of ...*Node) Shape {
	if len(xs) < 2 {
		Fail(layer, "a normalisation takes at least [N C], not %v", xs)
	}
	c := Shape{xs[len(xs)-1]}
	for _, n := range of {
		if !shapeOf(n).Equal(c) {
			Fail(layer, "one number per channel is wanted, %v, and there are %v", c, shapeOf(n))
		}
	}
	return c
}

// elementwise applies an operator whose gradient needs its input (ofX) or its output, and dy.
func (g *Graph) elementwise(layer string, kind, dx Kind, x *Node, ofX bool) *Node {
	s := []Shape{shapeOf(x)}
	o := &Op{Kind: kind, Layer: layer, Out: s, wrt: []bool{true}}
	o.diff = func(in G.Nodes, out, dy *Node) G.Nodes {
		if ofX {
			out = in[0]
		}
		return G.Nodes{g.apply(&Op{Kind: dx, Layer: layer, Out: s, Of: o}, out, dy)}
	}
	return g.apply(o, x)
}

// Relu is max(x, 0).
func (g *Graph) Relu(layer string, x *Node) *Node {
	return g.elementwise(layer, Relu, ReluDX, x, false)
}

// Relu6 is min(max(x, 0), 6).
func (g *Graph) Relu6(layer string, x *Node) *Node {
	return g.elementwise(layer, Relu6, Relu6DX, x, false)
}

// HSwish is x·relu6(x+3)/6.
func (g *Graph) HSwish(layer string, x *Node) *Node {
	return g.elementwise(layer, HSwish, HSwishDX, x, true)
}

// MaxPool is the greatest of each window; padding never wins.
func (g *Graph) MaxPool(layer string, x *Node, w Window) *Node {
	o, xs := g.pool(layer, MaxPool, x, w)
	o.diff = func(in G.Nodes, out, dy *Node) G.Nodes {
		return G.Nodes{g.apply(&Op{Kind: MaxPoolDX, Layer: layer, Attr: o.Attr, Out: []Shape{xs}, Of: o}, in[0], out, dy)}
	}
	return g.apply(o, x)
}

// AvgPool is the mean of each window, padding not counted.
func (g *Graph) AvgPool(layer string, x *Node, w Window) *Node {
	o, xs := g.pool(layer, AvgPool, x, w)
	o.diff = func(_ G.Nodes, _, dy *Node) G.Nodes {
		return G.Nodes{g.apply(&Op{Kind: AvgPoolDX, Layer: layer, Attr: o.Attr, Out: []Shape{xs}, Of: o}, dy)}
	}
	return g.apply(o, x)
}

func (g *Graph) pool(layer string, kind Kind, x *Node, w Window) (o *Op, xs Shape) {
	xs = shapeOf(x)
	if len(xs) != 4 {
		Fail(layer, "a pooling takes pictures [N H W C], not %v", xs)
	}
	w = w.norm()
	oh, ow, err := w.out(xs[1], xs[2])
	if err == nil && (max(w.Top, w.Bottom) >= w.KH || max(w.Left, w.Right) >= w.KW || w.DH != 1 || w.DW != 1) {
		Fail(layer, "a pooling's padding must be smaller than its window, and its dilation 1")
	}
	if err != nil {
		Fail(layer, "%w", err)
	}
	return &Op{Kind: kind, Layer: layer, Attr: Pooling{w}, Out: []Shape{{xs[0], oh, ow, xs[3]}}, wrt: []bool{true}}, xs
}

// GlobalAvgPool is the mean over height and width: [N H W C] → [N C].
func (g *Graph) GlobalAvgPool(layer string, x *Node) *Node {
	xs := shapeOf(x)
	if len(xs) != 4 {
		Fail(layer, "a global pooling takes pictures [N H W C], not %v", xs)
	}
	o := &Op{Kind: GlobalAvgPool, Layer: layer, Out: []Shape{{xs[0], xs[3]}}, wrt: []bool{true}}
	o.diff = func(_ G.Nodes, _, dy *Node) G.Nodes {
		return G.Nodes{g.apply(&Op{Kind: GlobalAvgPoolDX, Layer: layer, Out: []Shape{xs}, Of: o}, dy)}
	}
	return g.apply(o, x)
}

// Add is a+b, of one shape; scalars can be added too.
func (g *Graph) Add(layer string, a, b *Node) *Node {
	s := shapeOf(a)
	if !s.Equal(shapeOf(b)) {
		Fail(layer, "what is added must have one shape, not %v and %v", s, shapeOf(b))
	}
	o := &Op{Kind: Add, Layer: layer, Attr: Sum{}, Out: []Shape{s}, wrt: []bool{true, true}}
	o.diff = func(_ G.Nodes, _, dy *Node) G.Nodes { return G.Nodes{dy, dy} }
	return g.apply(o, a, b)
}

// Concat joins arrays along the last axis.
func (g *Graph) Concat(layer string, xs ...*Node) *Node {
	if len(xs) == 0 {
		Fail(layer, "nothing to join")
	}
	out := append(Shape{}, shapeOf(xs[0])...)
	if len(out) == 0 {
		Fail(layer, "scalars cannot be joined")
	}
	last := len(out) - 1
	out[last] = 0
	var parts []Part
	o := &Op{Kind: Concat, Layer: layer}
	for _, x := range xs {
		s := shapeOf(x)
		if len(s) != last+1 || !s[:last].Equal(out[:last]) {
			Fail(layer, "%v and %v cannot be joined along the last axis", shapeOf(xs[0]), s)
		}
		parts = append(parts, Part{out[last], out[last] + s[last]})
		out[last] += s[last]
		o.wrt = append(o.wrt, true)
	}
	o.Out = []Shape{out}
	o.diff = func(in G.Nodes, _, dy *Node) (d G.Nodes) {
		for i, p := range parts {
			d = append(d, g.apply(&Op{Kind: Slice, Layer: layer, Attr: p, Out: []Shape{shapeOf(in[i])}, Of: o}, dy))
		}
		return d
	}
	return g.apply(o, xs...)
}

// Reshape is the same elements in another shape.
func (g *Graph) Reshape(layer string, x *Node, shape ...int) *Node {
	xs := shapeOf(x)
	if xs.Size() != Shape(shape).Size() {
		Fail(layer, "%v has not as many elements as %v", xs, Shape(shape))
	}
	o := &Op{Kind: Reshape, Layer: layer, Out: []Shape{shape}, wrt: []bool{true}}
	o.diff = func(_ G.Nodes, _, dy *Node) G.Nodes { return G.Nodes{g.Reshape(layer, dy, xs...)} }
	return g.apply(o, x)
}

// Flatten is [N …] as [N C].
func (g *Graph) Flatten(layer string, x *Node) *Node {
	s := shapeOf(x)
	if len(s) == 2 {
		return x
	}
	if len(s) == 0 {
		Fail(layer, "a scalar cannot be flattened")
	}
	return g.Reshape(layer, x, s[0], s.Size()/s[0])
}

// Scale is x·factor.
func (g *Graph) Scale(layer string, x *Node, factor float64) *Node {
	o := &Op{Kind: Scale, Layer: layer, Attr: Factor{factor}, Out: []Shape{shapeOf(x)}, wrt: []bool{true}}
	o.diff = func(_ G.Nodes, _, dy *Node) G.Nodes { return G.Nodes{g.Scale(layer, dy, factor)} }
	return g.apply(o, x)
}

// Dropout leaves out a share rate of the elements, chosen anew by each step's number: the input named "step", a scalar.
func (g *Graph) Dropout(layer string, x *Node, rate float64, seed uint32) *Node {
	if rate < 0 || rate >= 1 {
		Fail(layer, "a dropout rate is in [0, 1), not %g", rate)
	}
	a := Drop{Rate: rate, Seed: seed}
	s := []Shape{shapeOf(x)}
	o := &Op{Kind: Dropout, Layer: layer, Attr: a, Out: s, wrt: []bool{true, false}}
	o.diff = func(in G.Nodes, _, dy *Node) G.Nodes {
		return G.Nodes{g.apply(&Op{Kind: Dropout, Layer: layer, Attr: a, Out: s, Of: o}, dy, in[1]), nil}
	}
	return g.apply(o, x, g.Input(StepInput))
}

// FakeQuant sends activations through bits bits and back; span is [min max] of the range, and gradients outside it are 0.
func (g *Graph) FakeQuant(layer string, x, span *Node, bits int) *Node {
	s := []Shape{shapeOf(x)}
	o := &Op{Kind: FakeQuant, Layer: layer, Attr: Quant{bits}, Out: s, wrt: []bool{true, false}}
	o.diff = func(in G.Nodes, _, dy *Node) G.Nodes {
		return G.Nodes{g.apply(&Op{Kind: FakeQuantDX, Layer: layer, Attr: o.Attr, Out: s, Of: o}, in[0], in[1], dy), nil}
	}
	return g.apply(o, x, span)
}

// Range is [min max] of all elements of x, for Track. It has no gradient.
func (g *Graph) Range(layer string, x *Node) *Node {
	return g.apply(&Op{Kind: Range, Layer: layer, Out: []Shape{{2}}}, x)
}

// FakeQuantWeights sends weights w[K …] through bits bits and back, symmetrically per output channel; nothing is cut off, so
// that gradients pass as they are.
func (g *Graph) FakeQuantWeights(layer string, w *Node, bits int) *Node {
	o := &Op{Kind: FakeQuantW, Layer: layer, Attr: Quant{bits}, Out: []Shape{shapeOf(w)}, wrt: []bool{true}}
	o.diff = func(_ G.Nodes, _, dy *Node) G.Nodes { return G.Nodes{dy} }
	return g.apply(o, w)
}
