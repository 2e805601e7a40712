package net

import (
	"fmt"
	"slices"

	"gleaner/train/engine"
)

// Origin says which tensor of an imported file a layer computes, and from which.
type Origin struct {
	Layer  string
	Tensor int        // in the first graph of the file
	Reads  []int      // tensors, in the order of the layer's inputs
	Range  [2]float32 // the least and the greatest number that the file's tensor can hold; zeros where it is not quantised
}

// Origins are the layers of an imported network that compute a tensor of the file, in the order of execution; empty for
// presets.
func (n *Net) Origins() []Origin {
	var origins []Origin
	for _, l := range n.layers {
		origins = append(origins, Origin{l.name, l.out, slices.Clone(l.in), n.ranges[l.name]})
	}
	return origins
}

// LayerProgram computes one layer of an imported network by itself, so that it can be compared with the file's operator. Its
// inputs are the tensors of Origin.Reads, with the batch's axis first, its output is that of Origin.Tensor.
func (n *Net) LayerProgram(name string, in ...engine.Shape) (*engine.Program, error) {
	i := slices.IndexFunc(n.layers, func(l *layer) bool { return l.name == name })
	if i < 0 || len(n.layers[i].in) != len(in) {
		return nil, fmt.Errorf("network %s: no layer %q of a file has %d inputs", n.Name, name, len(in))
	}
	var out *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		var nodes []*engine.Node
		for k, s := range in {
			nodes = append(nodes, g.Input(fmt.Sprint("in", k), s...))
		}
		out = n.layers[i].apply(&Builder{Graph: g, n: n}, n.layers[i], nodes)
	})
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	return g.Evaluation(out)
}
