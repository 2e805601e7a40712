package export

import (
	"errors"
	"fmt"
	"math"

	"gleaner/train/engine"
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

// The ways to choose a range. The least squares choice gives up rare extremes where that makes the mean squared error of
// rounding smaller (Sung et al. 2015; Banner et al. 2019).
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

// bins is how finely the values of an array are counted. 2048 is what other calibrators take.
const bins = 2048

// meter measures one array.
type meter struct {
	array *array
	span  span
	seen  bool
	hist  []float64
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
	run, err := c.Backend.Compile(&q)
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	defer run.Close()
	if err := c.pass(run, &q, net.input, meters, (*meter).range_); err != nil {
		return err
	}
	if c.Clip == LeastSquares {
		if err := c.pass(run, &q, net.input, meters, (*meter).count); err != nil {
			return err
		}
	}
	for _, m := range meters {
		if m.hist != nil {
			m.span = leastSquares(m.hist, m.span)
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
	if !known {
		s = span{v[0], v[0]}
	}
	for _, x := range v {
		s.lo, s.hi = min(s.lo, x), max(s.hi, x)
	}
	return s
}

// range_ widens the range to hold v.
func (m *meter) range_(v []float32) {
	m.span, m.seen = widen(m.span, m.seen, v), true
}

// count adds v to the histogram over the range.
func (m *meter) count(v []float32) {
	if m.hist == nil {
		m.hist = make([]float64, bins)
	}
	width := float64(m.span.hi) - float64(m.span.lo)
	if width <= 0 {
		return
	}
	for _, x := range v {
		m.hist[min(int((float64(x)-float64(m.span.lo))/width*bins), bins-1)]++
	}
}

// leastSquares is the range whose rounding and clipping loses the least, in the mean square over a histogram of s. The ends are
// drawn in together and one by one, in steps of a hundredth of the range.
func leastSquares(hist []float64, s span) span {
	width := float64(s.hi) - float64(s.lo)
	if width <= 0 {
		return s
	}
	loss := func(c span) float64 {
		lo, hi := float64(min(c.lo, 0)), float64(max(c.hi, 0))
		step := (hi - lo) / 255
		sum := 0.0
		for i, n := range hist {
			if n == 0 {
				continue
			}
			x := float64(s.lo) + (float64(i)+0.5)/bins*width
			e := x - math.Min(math.Max(x, lo), hi)
			sum += n * (e*e + step*step/12)
		}
		return sum
	}
	best, least := s, loss(s)
	for lo := range 90 {
		for hi := range 90 {
			c := span{s.lo * (1 - float32(lo)/100), s.hi * (1 - float32(hi)/100)}
			if s.lo >= 0 && lo > 0 || s.hi <= 0 && hi > 0 {
				continue
			}
			if l := loss(c); l < least {
				best, least = c, l
			}
		}
	}
	return best
}
