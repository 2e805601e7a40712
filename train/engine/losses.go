package engine

import G "gorgonia.org/gorgonia"

// Softmax is exp(z_k)/Σ exp(z_j) over each row. It has no gradient: train on SoftmaxLoss.
func (g *Graph) Softmax(layer string, z *Node) *Node {
	if len(shapeOf(z)) != 2 {
		Fail(layer, "a softmax takes [N K], not %v", shapeOf(z))
	}
	return g.apply(&Op{Kind: Softmax, Layer: layer, Out: []Shape{shapeOf(z)}}, z)
}

// Sigmoid is 1/(1+exp(-z)). It has no gradient: train on BCELoss.
func (g *Graph) Sigmoid(layer string, z *Node) *Node {
	return g.apply(&Op{Kind: Sigmoid, Layer: layer, Out: []Shape{shapeOf(z)}}, z)
}

// SoftmaxLoss is the cross-entropy of softmax(z) against y, or the focal loss with a Gamma; see Loss.
func (g *Graph) SoftmaxLoss(layer string, z, y *Node, l Loss) *Node {
	return g.loss(layer, SoftmaxLoss, SoftmaxLossDZ, z, y, l)
}

// BCELoss is the binary cross-entropy of sigmoid(z) against y, each class by itself; see Loss.
func (g *Graph) BCELoss(layer string, z, y *Node, l Loss) *Node {
	if l.Gamma != 0 {
		Fail(layer, "a focal loss of independent classes is not known here")
	}
	return g.loss(layer, BCELoss, BCELossDZ, z, y, l)
}

func (g *Graph) loss(layer string, kind, dz Kind, z, y *Node, l Loss) *Node {
	zs := shapeOf(z)
	if len(zs) != 2 || !zs.Equal(shapeOf(y)) {
		Fail(layer, "a loss takes logits and labels [N K] of one shape, not %v and %v", zs, shapeOf(y))
	}
	if l.Weights != nil && len(l.Weights) != zs[1] {
		Fail(layer, "%d class weights for %d classes", len(l.Weights), zs[1])
	}
	if l.Smoothing < 0 || l.Smoothing >= 1 || l.Gamma < 0 {
		Fail(layer, "label smoothing is in [0, 1) and gamma is not negative: %g, %g", l.Smoothing, l.Gamma)
	}
	o := &Op{Kind: kind, Layer: layer, Attr: l, Out: []Shape{{}, zs}, wrt: []bool{true, false}}
	o.diff = func(in G.Nodes, out, dloss *Node) G.Nodes {
		d := &Op{Kind: dz, Layer: layer, Attr: l, Out: []Shape{zs}, Of: o}
		return G.Nodes{g.apply(d, g.pick(out, 1), in[1], dloss), nil}
	}
	return g.apply(o, z, y)
}

// Probabilities are what a loss worked out on the way: softmax(z) or sigmoid(z).
func (g *Graph) Probabilities(loss *Node) *Node { return g.pick(loss, 1) }

// L2 is λ/2·Σ(w-w0)², with w0 nil for 0: weight decay, or decay towards the start (L2-SP, Li et al. 2018).
func (g *Graph) L2(layer string, w, w0 *Node, lambda float64) *Node {
	o := &Op{Kind: L2, Layer: layer, Attr: Factor{lambda}, Out: []Shape{{}}, wrt: []bool{true}}
	o.diff = func(in G.Nodes, _, dloss *Node) G.Nodes {
		d := &Op{Kind: L2DW, Layer: layer, Attr: o.Attr, Out: []Shape{shapeOf(w)}, Of: o}
		dw := g.apply(d, append(G.Nodes{dloss}, in...)...)
		if w0 == nil {
			return G.Nodes{dw}
		}
		return G.Nodes{dw, nil}
	}
	if w0 == nil {
		return g.apply(o, w)
	}
	if !shapeOf(w).Equal(shapeOf(w0)) {
		Fail(layer, "the start %v has not the weights' shape %v", shapeOf(w0), shapeOf(w))
	}
	o.wrt = []bool{true, false}
	return g.apply(o, w, w0)
}
