package unknown

import (
	"fmt"
	"slices"

	"gleaner/model/flat"
)

// Output is the name of the output with the familiarity.
const Output = "familiarity"

// Append puts the score behind what the head of a network that was written is fed with, as one more output, float32 [1 1], and gives
// that output's number. Of several networks that answer together it is what the first one's head is fed with. The score computes in
// float32 whatever the rest computes in; its constants are kept as float16, which changes a cosine by less than 1e-3.
func (s *Score) Append(m *flat.Model) (output int, err error) {
	x, err := features(m, s.width)
	if err != nil {
		return 0, fmt.Errorf("the score of unknown objects: %w", err)
	}
	g := &m.Graphs[0]
	t := g.Tensors[x]
	if n := t.Elems(); n != s.width {
		return 0, fmt.Errorf("the score of unknown objects: it is made of %d features, and the network has %d (%s)", s.width, n, &t)
	}
	if x, err = m.Float(x); err != nil {
		return 0, err
	}
	dense := func(name string, x int, w []float32, rows int) int {
		half := m.AddConst(Output+"/"+name+"/half", flat.Float16, flat.Float16Bytes(w), rows, len(w)/rows)
		wt := m.AddTensor(Output+"/"+name, flat.Float32, rows, len(w)/rows)
		m.AddOp(flat.OpDequantize, 3, []int{half}, []int{wt}, flat.Options{})
		y := m.AddTensor(Output+"/"+name+"/out", flat.Float32, 1, rows)
		m.AddOp(flat.OpFullyConnected, 1, []int{x, wt, -1}, []int{y}, flat.FullyConnectedOptions(flat.ActNone))
		return y
	}
	if s.root {
		cut, root := m.AddTensor(Output+"/cut", flat.Float32, t.Shape...), m.AddTensor(Output+"/root", flat.Float32, t.Shape...)
		m.AddOp(flat.OpRelu, 1, []int{x}, []int{cut}, flat.Options{})
		m.AddOp(flat.OpSqrt, 1, []int{cut}, []int{root}, flat.Options{})
		x = root
	}
	unit := m.AddTensor(Output+"/unit", flat.Float32, t.Shape...)
	m.AddOp(flat.OpL2Norm, 1, []int{x}, []int{unit}, flat.L2NormOptions())
	cosines := dense("bank", dense("projection", unit, s.projection, s.d), s.bank, len(s.bank)/s.d)
	axis := m.AddConst(Output+"/axis", flat.Int32, flat.Int32Bytes([]int{1}), 1)
	y := m.AddTensor(Output, flat.Float32, 1, 1)
	m.AddOp(flat.OpReduceMax, 1, []int{cosines, axis}, []int{y}, flat.ReducerOptions(true))
	g.Outputs = append(slices.Clone(g.Outputs), y)
	return len(g.Outputs) - 1, nil
}

// features is the tensor of so many numbers that the (first) head is fed with: from the first output back to a layer with weights that
// takes as many, or else to the last layer with weights.
func features(m *flat.Model, width int) (int, error) {
	g := &m.Graphs[0]
	if len(g.Outputs) == 0 {
		return 0, fmt.Errorf("the network has no output")
	}
	x, last := g.Outputs[0], -1
	for range g.Ops {
		at := slices.IndexFunc(g.Ops, func(op flat.Op) bool { return slices.Contains(op.Outputs, x) })
		if at < 0 || len(g.Ops[at].Inputs) == 0 {
			break
		}
		op := &g.Ops[at]
		x = op.Inputs[0]
		switch m.Codes[op.Code].Builtin {
		case flat.OpFullyConnected, flat.OpConv2D:
			if last < 0 {
				last = x
			}
			if g.Tensors[x].Elems() == width {
				return x, nil
			}
		}
	}
	if last >= 0 {
		return last, nil
	}
	return 0, fmt.Errorf("the network's first output has no layer with weights before it")
}
