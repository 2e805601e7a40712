package main

import (
	"slices"

	"gleaner/model/flat"
	"gleaner/train/engine"
	"gleaner/train/engine/ref"
	"gleaner/train/net"
)

// compile builds a network's evaluation of one picture with weights w. A quantised build may have ranges that the file does
// not state, of the head that does not matter: they are zeros.
func compile(n *net.Net, w net.Weights, o net.EvalOptions) (*ref.Runner[float32], *engine.Program, error) {
	p, err := n.Evaluation(1, o)
	if err != nil {
		return nil, nil, err
	}
	full := net.Weights{}
	for _, v := range n.Vars() {
		if full[v.Name] = w[v.Name]; full[v.Name] == nil {
			full[v.Name] = make([]float32, v.Shape.Size())
		}
	}
	b := ref.New[float32]()
	if err := n.Load(b, full); err != nil {
		return nil, nil, err
	}
	r, err := b.Prepare(p)
	return r, p, err
}

// trace gives what each layer makes of a picture.
func trace(n *net.Net, w net.Weights, x []float32, o net.EvalOptions) (map[string][]float32, error) {
	r, _, err := compile(n, w, o)
	if err != nil {
		return nil, err
	}
	seen := map[string][]float32{}
	err = r.Trace([][]float32{x}, func(s *engine.Step, _ *engine.Value, d []float32) {
		seen[s.Op.Layer] = slices.Clone(d)
	})
	return seen, err
}

// answer gives a network's first output for a picture.
func answer(n *net.Net, w net.Weights, x []float32, o net.EvalOptions) ([]float32, error) {
	r, p, err := compile(n, w, o)
	if err != nil {
		return nil, err
	}
	y := make([]float32, p.Outputs[0].Shape.Size())
	return y, engine.Run(r, [][]float32{x}, [][]float32{y})
}

// alone computes one layer from tensors of the file, and clamps the result to what the file's tensor can hold.
func alone(b engine.Backend, n *net.Net, o net.Origin, m *flat.Model, values map[int][]float32) ([]float32, error) {
	var shapes []engine.Shape
	var in [][]float32
	for _, k := range o.Reads {
		shapes, in = append(shapes, m.Graphs[0].Tensors[k].Shape), append(in, values[k])
	}
	p, err := n.LayerProgram(o.Layer, shapes...)
	if err != nil {
		return nil, err
	}
	r, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	y := make([]float32, p.Outputs[0].Shape.Size())
	if err := engine.Run(r, in, [][]float32{y}); err != nil {
		return nil, err
	}
	for i := range y {
		y[i] = min(max(y[i], o.Range[0]), o.Range[1])
	}
	return y, nil
}
