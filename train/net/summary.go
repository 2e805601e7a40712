package net

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"gleaner/train/engine"
)

// Summary is a network in numbers, for one picture. It can be written as JSON.
type Summary struct {
	Net       string       `json:"net"`
	Input     engine.Shape `json:"input"`
	Layers    []LayerRow   `json:"layers"`
	Params    int          `json:"params"`    // all parameters, running statistics not counted
	Trainable int          `json:"trainable"` // those of layers that are not frozen
	Stats     int          `json:"stats"`     // running statistics
	MACs      int64        `json:"macs"`      // multiply-accumulates of convolutions and dense layers
}

// LayerRow is one layer: what is applied under its name, and its batch norm with it.
type LayerRow struct {
	Name   string       `json:"name"`
	Kind   string       `json:"kind"` // such as "conv 3×3/2, norm, relu"
	Out    engine.Shape `json:"out"`  // without the batch's axis
	Params int          `json:"params"`
	MACs   int64        `json:"macs"`
	Frozen bool         `json:"frozen,omitempty"`
}

// Summarise counts a network's parameters and work, layer by layer in the order of execution.
func (n *Net) Summarise() (*Summary, error) {
	p, err := n.Evaluation(1, EvalOptions{Logits: true})
	if err != nil {
		return nil, err
	}
	s := &Summary{Net: n.Name, Input: n.Input}
	rows := map[string]int{}
	for _, step := range p.Steps {
		if step.Op.Kind == engine.Reshape {
			continue
		}
		name := strings.TrimSuffix(step.Op.Layer, normSuffix)
		at, ok := rows[name]
		if !ok {
			at = len(s.Layers)
			rows[name] = at
			s.Layers = append(s.Layers, LayerRow{Name: name, Frozen: n.isFrozen(name)})
		}
		row := &s.Layers[at]
		if row.Kind != "" {
			row.Kind += ", "
		}
		row.Kind += label(step.Op)
		row.Out = step.Op.Out[0][1:]
		row.MACs += macs(step.Op)
		s.MACs += macs(step.Op)
	}
	for _, v := range n.vars {
		size := v.v.Shape.Size()
		if v.v.Role != engine.Param {
			s.Stats += size
			continue
		}
		s.Params += size
		if !n.isFrozen(v.layer) {
			s.Trainable += size
		}
		if at, ok := rows[strings.TrimSuffix(v.layer, normSuffix)]; ok {
			s.Layers[at].Params += size
		}
	}
	return s, nil
}

// label is an operator in a few letters.
func label(op *engine.Op) string {
	window := func(w engine.Window) string {
		s := fmt.Sprintf("%d×%d", w.KH, w.KW)
		if w.SH != 1 || w.SW != 1 {
			s += fmt.Sprintf("/%d", w.SH)
		}
		return s
	}
	switch a := op.Attr.(type) {
	case engine.Conv:
		name := "conv "
		if a.Groups > 1 {
			name = fmt.Sprintf("conv in %d groups ", a.Groups)
		}
		if a.Groups > 1 && a.Groups == op.In[0][3] {
			name = "depthwise "
		}
		return name + window(a.Window)
	case engine.Pooling:
		return string(op.Kind) + " " + window(a.Window)
	case engine.Norm:
		return "norm"
	}
	return string(op.Kind)
}

// macs are the multiply-accumulates of an operator, 0 for those without weights.
func macs(op *engine.Op) int64 {
	if op.Kind != engine.Conv2D && op.Kind != engine.Dense {
		return 0
	}
	return int64(op.Out[0].Size()) * int64(op.In[1][1:].Size())
}

// Summary writes the network as a table: layer, what it is, output [H W C] or [C], parameters, multiply-accumulates.
func (n *Net) Summary(w io.Writer) error {
	s, err := n.Summarise()
	if err != nil {
		return err
	}
	return s.Write(w)
}

// Write writes the table.
func (s *Summary) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "%s %v\t\toutput\tparameters\tMACs\n", s.Net, s.Input)
	for _, r := range s.Layers {
		frozen := ""
		if r.Frozen {
			frozen = " (frozen)"
		}
		fmt.Fprintf(tw, "%s\t%s%s\t%v\t%d\t%d\n", r.Name, r.Kind, frozen, r.Out, r.Params, r.MACs)
	}
	fmt.Fprintf(tw, "total\t%d train, %d statistics\t\t%d\t%d\n", s.Trainable, s.Stats, s.Params, s.MACs)
	return tw.Flush()
}
