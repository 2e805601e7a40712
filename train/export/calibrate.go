package export

import (
	"errors"
	"fmt"

	"gleaner/train/engine"
	"gleaner/train/export/meter"
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

// The ways to choose a range: all of it, or what package meter leaves of it.
const (
	MinMax Clip = iota
	LeastSquares
)

// Calibration looks at the activations of the float network on pictures, which should be a sample of the training set with all
// classes in it. An int8 file gets its ranges from it; in int8 and float16 files biases take up what rounded weights would add
// to the mean of each channel.
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

// measure gives every activation whose range is not given a meter that has seen it on all pictures.
func (c *Calibration) measure(p *engine.Program, net *plan) error {
	if c.Pictures.N < 1 || c.Backend == nil {
		return errors.New("calibrate: a backend and at least one picture are needed")
	}
	q := *p
	q.Outputs, q.Update = nil, len(q.Steps)
	var arrays []*array
	for _, a := range net.arrays {
		if a.by == nil || a.fixed {
			continue
		}
		a.meter = meter.New(a.shape[len(a.shape)-1])
		arrays, q.Outputs = append(arrays, a), append(q.Outputs, a.value)
	}
	if arrays == nil && net.input.fixed {
		return nil
	}
	net.input.meter = meter.New(net.input.shape[len(net.input.shape)-1])
	run, err := c.Backend.Compile(&q)
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	defer run.Close()
	if err := c.pass(run, &q, net.input, arrays, (*meter.Meter).Add); err != nil {
		return err
	}
	if c.Clip == LeastSquares {
		return c.pass(run, &q, net.input, arrays, (*meter.Meter).Count)
	}
	return nil
}

// pass runs all pictures and shows each array's values to its meter.
func (c *Calibration) pass(run engine.Runner, p *engine.Program, input *array, arrays []*array, look func(m *meter.Meter, v []float32)) error {
	in, picture := Inputs(p)
	out := make([][]float32, len(arrays))
	for i, a := range arrays {
		out[i] = make([]float32, a.shape.Size())
	}
	for i := range c.Pictures.N {
		if err := c.Pictures.At(i, picture); err != nil {
			return fmt.Errorf("calibrate on %s: %w", c.Pictures.Label(i), err)
		}
		if k := finite(picture); k >= 0 {
			return fmt.Errorf("calibrate on %s: value %d is %v", c.Pictures.Label(i), k, picture[k])
		}
		look(input.meter, picture)
		if err := engine.Run(run, in, out); err != nil {
			return fmt.Errorf("calibrate on %s: %w", c.Pictures.Label(i), err)
		}
		for k, a := range arrays {
			if finite(out[k]) >= 0 {
				return fmt.Errorf("calibrate on %s: %w", c.Pictures.Label(i), layerError(a.name, "its values are not finite"))
			}
			look(a.meter, out[k])
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
