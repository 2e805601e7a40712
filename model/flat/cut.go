package flat

import (
	"fmt"
	"slices"
	"strings"
)

// FindTensor is the index of the tensor of that name in the network, -1 where there is none. Converters write the names of fused
// layers one behind the other, with semicolons between them: the first of them will do.
func (m *Model) FindTensor(name string) int {
	return slices.IndexFunc(m.Graphs[0].Tensors, func(t Tensor) bool {
		first, _, _ := strings.Cut(t.Name, ";")
		return t.Name == name || first == name
	})
}

// Cut is the part of the network that computes the given tensors, which become its outputs. Operators, tensors, weights
// and operator codes that nothing needs any more are left out, so that the file shrinks; weights are shared with m.
// Metadata and associated files describe other outputs and are dropped.
func (m *Model) Cut(outputs ...int) (*Model, error) {
	if len(m.Graphs) != 1 {
		return nil, fmt.Errorf("cut model: %w: control flow over %d graphs", ErrUnsupported, len(m.Graphs))
	}
	g := &m.Graphs[0]
	need := make([]bool, len(g.Tensors))
	for _, o := range outputs {
		if o < 0 || o >= len(g.Tensors) {
			return nil, fmt.Errorf("cut model: tensor %d of %d", o, len(g.Tensors))
		}
		need[o] = true
	}
	live := m.liveOps(need)
	if !slices.ContainsFunc(g.Inputs, func(i int) bool { return need[i] }) {
		return nil, fmt.Errorf("cut model: tensor %d does not depend on the input", outputs[0])
	}
	return m.keep(need, live, outputs), nil
}

// liveOps walks backwards from the needed tensors, marks what they need in turn, and tells which operators stay.
func (m *Model) liveOps(need []bool) []bool {
	g := &m.Graphs[0]
	live := make([]bool, len(g.Ops))
	for i := len(g.Ops) - 1; i >= 0; i-- {
		op := &g.Ops[i]
		if !slices.ContainsFunc(op.Outputs, func(o int) bool { return need[o] }) {
			continue
		}
		live[i] = true
		for _, ix := range [][]int{op.Inputs, op.Outputs, op.Intermediates} {
			for _, k := range ix {
				if k >= 0 {
					need[k] = true
				}
			}
		}
	}
	return live
}

// keep copies the needed tensors and the live operators into a new model and numbers everything anew.
func (m *Model) keep(need, live []bool, outputs []int) *Model {
	g := &m.Graphs[0]
	out := New(m.Description)
	og := &out.Graphs[0]
	og.Name = g.Name
	tensors, bufs, codes := map[int]int{-1: -1}, map[int]int{0: 0}, map[int]int{}
	for i, t := range g.Tensors {
		if !need[i] {
			continue
		}
		tensors[i] = len(og.Tensors)
		if _, ok := bufs[t.Buffer]; !ok {
			bufs[t.Buffer] = out.addBuffer(m.Buffers[t.Buffer])
		}
		t.Buffer = bufs[t.Buffer]
		og.Tensors = append(og.Tensors, t)
	}
	renumber := func(ix []int) []int {
		if ix == nil {
			return nil
		}
		r := make([]int, 0, len(ix))
		for _, k := range ix {
			r = append(r, tensors[k])
		}
		return r
	}
	for i, op := range g.Ops {
		if !live[i] {
			continue
		}
		if _, ok := codes[op.Code]; !ok {
			codes[op.Code] = len(out.Codes)
			out.Codes = append(out.Codes, m.Codes[op.Code])
		}
		op.Code = codes[op.Code]
		op.Inputs, op.Outputs, op.Intermediates = renumber(op.Inputs), renumber(op.Outputs), renumber(op.Intermediates)
		og.Ops = append(og.Ops, op)
	}
	for _, i := range g.Inputs {
		if need[i] {
			og.Inputs = append(og.Inputs, tensors[i])
		}
	}
	og.Outputs = renumber(outputs)
	return out
}
