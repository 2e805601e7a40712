package joint

import (
	"fmt"
	"slices"

	"gleaner/model/flat"
)

// Fits tells whether a network has the outputs that the heads are said to be, one vector each, and no others, and whether labels
// are those of the joined answer.
func (j *Joint) Fits(labels []string, net *flat.Model) error {
	out := net.OutputTensors()
	if len(out) != len(j.heads) {
		return fmt.Errorf("the model has %d outputs, the manifest states %d heads", len(out), len(j.heads))
	}
	for _, h := range j.heads {
		if h.Output >= len(out) {
			return fmt.Errorf("heads: %s is output %d, and the model's are 0 to %d", h.Name, h.Output, len(out)-1)
		}
		t := out[h.Output]
		if n := len(t.Shape); t.Elems() != len(h.Labels) || n == 0 || t.Shape[n-1] != len(h.Labels) {
			return fmt.Errorf("heads: %s has %d labels, but the model's output %s is not a vector of so many", h.Name, len(h.Labels), t)
		}
	}
	if !slices.Equal(labels, j.labels) {
		return fmt.Errorf("the labels are %s (%d), the heads and rules give %s (%d)", some(labels), len(labels), some(j.labels), len(j.labels))
	}
	return nil
}
