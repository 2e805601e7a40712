package export

import (
	"errors"
	"fmt"
	"slices"

	"gleaner/train/engine"
	"gleaner/train/export/clip"
)

// Pictures are what a network is calibrated or verified on.
type Pictures struct {
	N int
	// At writes picture i, 0 to N-1, into dst, as the network takes it: [H W C] after mean and std, row-major.
	At func(i int, dst []float32) error
	// Name is picture i's for messages, such as its file; nil: its number is enough.
	Name func(i int) string
	// Want is what each head should answer for picture i, one list of shares per head, one share per class; nil where that is
	// not known.
	Want func(i int) [][]float32
}

// Label is picture i for messages: its number, and its name where it has one.
func (p Pictures) Label(i int) string {
	if p.Name == nil {
		return fmt.Sprintf("picture %d", i)
	}
	return fmt.Sprintf("picture %d (%s)", i, p.Name(i))
}

// Clip says how a range is chosen from the values that were seen.
type Clip int

// The ways to choose a range: all of it, or what package clip leaves.
const (
	MinMax Clip = iota
	LeastSquares
)

// Calibration measures the ranges of activations: it runs the float network on pictures, which should be a sample of the
// training set with all classes in it.
type Calibration struct {
	// Backend runs the program. It holds the variables' values already; Load puts them there.
	Backend  engine.Backend
	Pictures Pictures
	Clip     Clip
}

// Load puts the values of a program's variables into a backend.
func Load(b engine.Backend, p *engine.Program, values Values) error {
	for _, v := range p.Vars() {
		if err := b.Write(v, values(v)); err != nil {
			return fmt.Errorf("load %s: %w", v.Name, err)
		}
	}
	return nil
}

// meter measures one array.
type meter struct {
	array *array
	span  span
	seen  bool
	hist  *clip.Histogram
}

// measure finds the ranges that the plan lacks.
func (c *Calibration) measure(p *engine.Program, net *plan) error {
	if c.Pictures.N < 1 || c.Backend == nil {
		return errors.New("calibrate: a backend and at least one picture are needed")
	}
	var meters []*meter
	q := *p
	q.Outputs, q.Update = nil, len(q.Steps)
	for _, a := range net.arrays {
		if l := a.by; l != nil && !a.fixed && !a.group.root().fixed && !l.passes() && l.kind != engine.Concat {
			meters = append(meters, &meter{array: a})
			q.Outputs = append(q.Outputs, a.value)
		}
	}
	if meters == nil && net.input.group.root().fixed {
		return nil
	}
	run, err := c.Backend.Compile(&q)
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	defer run.Close()
	if err := c.pass(run, &q, net.input, meters, (*meter).range_); err != nil {
		return err
	}
	if c.Clip == LeastSquares { // but not of logits: two that were both cut off would be one answer
		if err := c.pass(run, &q, net.input, meters, (*meter).count); err != nil {
			return err
		}
	}
	for _, m := range meters {
		if m.hist != nil && !m.array.logits {
			m.span.lo, m.span.hi = m.hist.LeastSquares()
		}
		g := m.array.group.root()
		if g.known {
			m.span = m.span.with(g.span)
		}
		g.span, g.known = m.span, true
	}
	return nil
}

// pass runs all pictures and hands each array's values to f.
func (c *Calibration) pass(run engine.Runner, p *engine.Program, input *array, meters []*meter, f func(m *meter, v []float32)) error {
	in, picture := Inputs(p)
	out := make([][]float32, len(meters))
	for i, m := range meters {
		out[i] = make([]float32, m.array.shape.Size())
	}
	for i := range c.Pictures.N {
		if err := c.Pictures.At(i, picture); err != nil {
			return fmt.Errorf("calibrate on %s: %w", c.Pictures.Label(i), err)
		}
		if k := finite(picture); k >= 0 {
			return fmt.Errorf("calibrate on %s: value %d is %v", c.Pictures.Label(i), k, picture[k])
		}
		if g := input.group.root(); !g.fixed {
			g.span, g.known = widen(g.span, g.known, picture), true
		}
		if err := engine.Run(run, in, out); err != nil {
			return fmt.Errorf("calibrate on %s: %w", c.Pictures.Label(i), err)
		}
		for k, m := range meters {
			if finite(out[k]) >= 0 {
				return fmt.Errorf("calibrate on %s: %w", c.Pictures.Label(i), layerError(m.array.name, "its values are not finite"))
			}
			f(m, out[k])
		}
	}
	return nil
}

// Inputs are a program's inputs with room for a batch of pictures; training steps' numbers are 0.
func Inputs(p *engine.Program) (all [][]float32, picture []float32) {
	for _, v := range p.Inputs {
		d := make([]float32, v.Shape.Size())
		all = append(all, d)
		if v.Input != engine.StepInput {
			picture = d
		}
	}
	return all, picture
}

func widen(s span, known bool, v []float32) span {
	seen := span{slices.Min(v), slices.Max(v)}
	if known {
		seen = seen.with(s)
	}
	return seen
}

// range_ widens the range to hold v.
func (m *meter) range_(v []float32) {
	m.span, m.seen = widen(m.span, m.seen, v), true
}

// count adds v to the histogram over the range.
func (m *meter) count(v []float32) {
	if m.hist == nil {
		m.hist = clip.NewHistogram(m.span.lo, m.span.hi)
	}
	m.hist.Add(v)
}
