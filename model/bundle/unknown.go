package bundle

import (
	"fmt"
	"slices"

	"gleaner/model/flat"
)

// Unknown says that the network also tells how familiar a picture looks, so that an object of no class that it was taught can be
// told from the others.
type Unknown struct {
	// Output is the network's output that holds the familiarity, one float32: the cosine, -1 to 1, between the picture and the
	// training pictures that are most like it, as the network sees them. Outputs count from 0, and 0 is the head's.
	Output int `json:"output"`
	// Threshold is the familiarity below which an object is unknown, -1 to 1.
	Threshold float32 `json:"threshold"`
	// Refused is the share of the pictures of known classes, 0 to 1, that fell below it where it was chosen, and On says on which.
	Refused float64 `json:"refused"`
	On      string  `json:"on,omitempty"`
}

// check tells what is wrong with the entry by itself.
func (u *Unknown) check(task string) error {
	switch {
	case u == nil:
		return nil
	case task != "classify":
		return fmt.Errorf("unknown: task %q has no such score, classify has", task)
	case u.Output < 1:
		return fmt.Errorf("unknown.output: %d is not 1 or more; 0 is the head's", u.Output)
	case !(u.Threshold >= -1 && u.Threshold <= 1):
		return fmt.Errorf("unknown.threshold: %v is not in -1 to 1", u.Threshold)
	case !(u.Refused >= 0 && u.Refused <= 1):
		return fmt.Errorf("unknown.refused: %v is not in 0 to 1", u.Refused)
	}
	return nil
}

// without is the network as the head sees it, without the output that u names, which must hold one float32.
func (u *Unknown) without(net *flat.Model) (*flat.Model, error) {
	if u == nil {
		return net, nil
	}
	outs := net.OutputTensors()
	if u.Output >= len(outs) {
		return nil, fmt.Errorf("unknown.output: %d, but the model has %d outputs, counted from 0", u.Output, len(outs))
	}
	if t := outs[u.Output]; t.Type != flat.Float32 || t.Elems() != 1 {
		return nil, fmt.Errorf("unknown.output: the model's output %s is not one float32", &t)
	}
	rest := *net
	rest.Graphs = slices.Clone(net.Graphs)
	g := &rest.Graphs[0]
	g.Outputs = slices.Delete(slices.Clone(g.Outputs), u.Output, u.Output+1)
	return &rest, nil
}
