package classify

import (
	"fmt"

	"gleaner/model"
)

// joinHeads makes room for the outputs of several heads, and checks them.
func (n *network) joinHeads(w *worker, outs []model.Tensor) error {
	for _, h := range n.joint.Heads() {
		if h.Output >= len(outs) {
			return fmt.Errorf("head %s is output %d, and the model has %d", h.Name, h.Output, len(outs))
		}
		if err := checkOutput(outs[h.Output], len(h.Labels)); err != nil {
			return fmt.Errorf("head %s: %w", h.Name, err)
		}
		w.outs, w.heads = append(w.outs, make([]float64, len(h.Labels))), append(w.heads, make([]float32, len(h.Labels)))
	}
	if len(n.labels) != len(n.joint.Labels()) {
		return fmt.Errorf("%d labels, and the heads and rules give %d", len(n.labels), len(n.joint.Labels()))
	}
	return nil
}

// joined is the one answer of several heads; false: some head's is no probability.
func (n *network) joined(outs []model.Tensor, w *worker, dst []float32) bool {
	for i, h := range n.joint.Heads() {
		read(outs[h.Output], w.outs[i])
		if !n.probabilities(w.outs[i], w.heads[i]) {
			return false
		}
	}
	n.joint.Combine(dst, w.heads)
	return true
}
