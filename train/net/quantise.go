package net

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"strings"

	"gleaner/train/engine"
)

// A quantised build rounds what an int8 .tflite file rounds, and nothing else: the input, the weights of convolutions and
// dense layers per output channel, the result of each layer behind its fused activation, sums, joined maps, global averages,
// and the logits. A max pooling keeps the range of what it reads, and so does an average pooling, whose result is rounded
// again. The softmax behind the logits stays as it is. A layer's range is its statistic LAYER/range.

// rangeName ends the name of the statistic with a layer's range.
const rangeName = "range"

// inputLayer is the name under which the range of the network's input is kept.
const inputLayer = "input"

// quant sends activations through int8 in the range that the layer's statistic keeps, where the build is quantised.
func (b *Builder) quant(layer string, x *engine.Node) *engine.Node {
	if b.quantise == 0 {
		return x
	}
	first := b.n.ranges[layer]
	span := b.Stat(layer, rangeName, Init{Values: first[:]}, 2)
	if b.watch != nil {
		b.watch.add(b.Range(layer, x), span)
		return x
	}
	if b.learns(layer) && layer != inputLayer { // what pictures can be does not change
		b.Track(span, b.Range(layer, x), 0.01, 1)
	}
	return b.round(layer, x, span)
}

func (b *Builder) round(layer string, x *engine.Node, span *engine.Var) *engine.Node {
	x = b.FakeQuant(layer, x, b.Var(span), b.quantise)
	if b.spans == nil {
		b.spans = map[*engine.Node]*engine.Var{}
	}
	b.spans[x] = span
	return x
}

// Concat joins arrays along the last axis.
func (b *Builder) Concat(layer string, xs ...*engine.Node) *engine.Node {
	return b.quant(layer, b.Graph.Concat(layer, xs...))
}

// GlobalAvgPool is the mean over height and width: [N H W C] → [N C].
func (b *Builder) GlobalAvgPool(layer string, x *engine.Node) *engine.Node {
	return b.quant(layer, b.Graph.GlobalAvgPool(layer, x))
}

// MaxPool is the greatest of each window; padding never wins.
func (b *Builder) MaxPool(layer string, x *engine.Node, w engine.Window) *engine.Node {
	y := b.Graph.MaxPool(layer, x, w)
	if span, ok := b.spans[x]; ok {
		b.spans[y] = span
	}
	return y
}

// AvgPool is the mean of each window, padding not counted.
func (b *Builder) AvgPool(layer string, x *engine.Node, w engine.Window) *engine.Node {
	y := b.Graph.AvgPool(layer, x, w)
	if span, ok := b.spans[x]; ok {
		return b.round(layer, y, span)
	}
	return y
}

// watch collects what a calibration wants to see of a network's values.
type watch struct {
	norms   bool // means and variances before each batch norm, instead of ranges
	batch   bool // norms that learn use them, as in training
	average bool // the parameters are their moving averages
	nodes   []*engine.Node
	of      []*engine.Var // by node: the statistic that it is a sample of
	layer   []string      // by node, of norms
}

func (w *watch) add(n *engine.Node, of *engine.Var) {
	w.nodes, w.of = append(w.nodes, n), append(w.of, of)
}

// run evaluates the network on batches of pictures, and calls f with what is watched after each. Without weights it does so with
// those that the backend has.
func (n *Net) run(w *watch, quantise int, b engine.Backend, weights Weights, batch int, batches iter.Seq2[[]float32, error],
	f func(seen [][]float32)) error {
	g, err := engine.Build(func(g *engine.Graph) {
		n.logits(&Builder{Graph: g, n: n, watch: w, average: w.average, quantise: quantise, keepWeights: true}, batch)
	})
	if err != nil {
		return fmt.Errorf("network %s: %w", n.Name, err)
	}
	if len(w.nodes) == 0 {
		return nil
	}
	p, err := g.Evaluation(w.nodes...)
	if err != nil {
		return err
	}
	for _, v := range w.of {
		if _, ok := weights[v.Name]; !ok {
			weights[v.Name] = make([]float32, v.Shape.Size())
		}
	}
	if weights != nil {
		if err := n.Load(b, weights); err != nil {
			return err
		}
	}
	r, err := b.Compile(p)
	if err != nil {
		return err
	}
	defer r.Close()
	seen := make([][]float32, len(w.nodes))
	for i, v := range p.Outputs {
		seen[i] = make([]float32, v.Shape.Size())
	}
	for x, err := range batches {
		if err != nil {
			return err
		}
		if err := p.CheckInputs([][]float32{x}); err != nil {
			return err
		}
		if err := engine.Run(r, [][]float32{x}, seen); err != nil {
			return err
		}
		f(seen)
	}
	return nil
}

// Calibrate finds the ranges of the network's activations, from the least to the greatest value that the float network with
// weights w has on the batches (batch pictures each, as the input PictureInput takes them). It returns w with the ranges, for
// training and evaluation with Quantise. The backend's variables are w's afterwards. Fold the network first.
func (n *Net) Calibrate(b engine.Backend, w Weights, batch int, batches iter.Seq2[[]float32, error]) (Weights, error) {
	out, seen := maps.Clone(w), &watch{}
	count, low, high := 0, []float32{}, []float32{}
	err := n.run(seen, 8, b, out, batch, batches, func(ranges [][]float32) {
		for i, r := range ranges {
			if count == 0 {
				low, high = append(low, r[0]), append(high, r[1])
			}
			low[i], high[i] = min(low[i], r[0]), max(high[i], r[1])
		}
		count++
	})
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	if count == 0 {
		return nil, fmt.Errorf("calibrate network %s: there are no pictures", n.Name)
	}
	for i, v := range seen.of {
		if math.IsNaN(float64(high[i]-low[i])) || math.IsInf(float64(high[i]-low[i]), 0) {
			return nil, fmt.Errorf("calibrate network %s: %s is from %g to %g", n.Name, v.Name, low[i], high[i])
		}
		out[v.Name] = []float32{low[i], high[i]}
		if strings.HasPrefix(v.Name, inputLayer+"/") {
			// Off the grid by a ten thousandth: see offGrid of train/export.
			out[v.Name] = []float32{low[i] * (1 + 1e-4), high[i] * (1 + 1e-4)}
		}
	}
	return out, nil
}
