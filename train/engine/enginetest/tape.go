package enginetest

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// Tape runs a network's first run on gorgonia's own TapeMachine with ref's kernels in float32, and gives the outputs of the
// program: the loss, its gradients, and more. It is a second opinion on the way from the graph to the program: order, plan, and
// which value goes where. Each call needs a Net of its own.
func Tape(n *Net) (*Results, error) {
	if n.Graph == nil || n.Grads != nil {
		return nil, errors.New("the tape machine needs the graph, and gradients that are outputs")
	}
	n.Graph.SetKernels(ref.Kernel)
	for _, v := range n.Program.Vars() {
		x := n.Values[v]
		if err := let(n.Graph.NodeOf(v), v.Shape, x); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	for i, v := range n.Program.Inputs {
		if err := let(n.Graph.InputNode(v.Input), v.Shape, n.Runs[0][i]); err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	var params G.Nodes
	for _, p := range n.Params {
		params = append(params, n.Graph.NodeOf(p))
	}
	read := make([]G.Value, 1+len(n.More))
	if n.Loss != nil {
		G.Read(n.Loss, &read[0])
	}
	for i, m := range n.More {
		G.Read(m, &read[1+i])
	}
	vm := G.NewTapeMachine(n.Graph.Expr(), G.BindDualValues(params...))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	return n.taped(params, read)
}

// taped are the values in the order of the program's outputs.
func (n *Net) taped(params G.Nodes, read []G.Value) (*Results, error) {
	var values []G.Value
	if n.Loss != nil {
		values = append(values, read[0])
	}
	for _, p := range params {
		g, err := p.Grad()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		values = append(values, g)
	}
	res := &Results{}
	for k, v := range append(values, read[1:]...) {
		switch d := v.Data().(type) {
		case []float32:
			res.add(n.output(k), d)
		case float32:
			res.add(n.output(k), []float32{d})
		default:
			return nil, fmt.Errorf("%s: %s is a %T", n.Name, n.output(k), d)
		}
	}
	return res, nil
}

func let(node *engine.Node, s engine.Shape, x []float32) error {
	if len(s) == 0 {
		return G.Let(node, x[0])
	}
	return G.Let(node, tensor.New(tensor.WithShape(s...), tensor.WithBacking(append([]float32(nil), x...))))
}
