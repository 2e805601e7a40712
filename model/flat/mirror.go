package flat

import (
	"fmt"
	"slices"
)

// Mirror puts a REVERSE_V2 over the columns before all else: the network answers to a picture, its only input, [1 h w c], as it did to
// the picture's mirror image.
func (m *Model) Mirror() error {
	if len(m.Graphs) != 1 {
		return fmt.Errorf("mirror: %w: control flow over %d graphs", ErrUnsupported, len(m.Graphs))
	}
	g := &m.Graphs[0]
	if len(g.Inputs) != 1 || len(g.Tensors[g.Inputs[0]].Shape) != 4 {
		return fmt.Errorf("mirror: the network has %d inputs, and one of four dimensions is needed", len(g.Inputs))
	}
	if slices.Contains(g.Outputs, g.Inputs[0]) {
		return fmt.Errorf("mirror: the network's output is its input")
	}
	in := g.Inputs[0]
	flipped := g.Tensors[in]
	flipped.Name += "/mirrored"
	axis := m.AddConst("mirror/axis", Int32, Int32Bytes([]int{2}), 1)
	g.Tensors = append(g.Tensors, flipped)
	out := len(g.Tensors) - 1
	for i := range g.Ops {
		for k, x := range g.Ops[i].Inputs {
			if x == in {
				g.Ops[i].Inputs[k] = out
			}
		}
	}
	m.AddOp(OpReverseV2, 1, []int{in, axis}, []int{out}, Options{})
	last := len(g.Ops) - 1
	g.Ops = slices.Concat(g.Ops[last:], g.Ops[:last])
	return nil
}
