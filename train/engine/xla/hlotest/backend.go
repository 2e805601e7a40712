package hlotest

import (
	"errors"
	"fmt"

	"gleaner/train/engine"
	"gleaner/train/engine/xla"
)

// Backend is an engine.Backend that emits each program and runs the text.
type Backend struct {
	how   xla.Precision
	exact bool
	vars  map[*engine.Var][]float64
}

var (
	_ engine.Backend = (*Backend)(nil)
	_ engine.Runner  = (*Runner)(nil)
)

// New is a backend without variables.
func New(how xla.Precision) *Backend {
	return &Backend{how, false, map[*engine.Var][]float64{}}
}

// NewExact is a backend that runs the text of xla.Float32 as if every f32 were a float64.
func NewExact() *Backend { return &Backend{xla.Float32, true, map[*engine.Var][]float64{}} }

// Name is "hlotest".
func (b *Backend) Name() string { return "hlotest" }

// Compile emits the program and parses the text.
func (b *Backend) Compile(p *engine.Program) (engine.Runner, error) {
	if b.vars == nil {
		return nil, errClosed
	}
	m, err := xla.Emit(p, b.how)
	if err != nil {
		return nil, err
	}
	prog, err := Parse(m.Text)
	if err != nil {
		return nil, err
	}
	for i, k := range m.Donated {
		if prog.Donated()[k] != len(p.Outputs)+i {
			return nil, fmt.Errorf("argument %d says that result %d takes its place", k, prog.Donated()[k])
		}
	}
	return &Runner{b: b, p: p, m: m, prog: prog}, nil
}

var errClosed = errors.New("it is closed")

func (b *Backend) variable(v *engine.Var) []float64 {
	if b.vars[v] == nil {
		b.vars[v] = make([]float64, v.Shape.Size())
	}
	return b.vars[v]
}

// Write sets a variable's value; the slice must have its size.
func (b *Backend) Write(v *engine.Var, data []float32) error {
	if err := b.check(v, data); err != nil {
		return fmt.Errorf("write %s: %w", v.Name, err)
	}
	b.vars[v] = convert[float64](data)
	return nil
}

// Read copies a variable's value out; the slice must have its size.
func (b *Backend) Read(v *engine.Var, data []float32) error {
	if err := b.check(v, data); err != nil {
		return fmt.Errorf("read %s: %w", v.Name, err)
	}
	copy(data, convert[float32](b.variable(v)))
	return nil
}

func (b *Backend) check(v *engine.Var, data []float32) error {
	if b.vars == nil {
		return errClosed
	}
	if len(data) != v.Shape.Size() {
		return fmt.Errorf("it has %d numbers, %v, not %d", v.Shape.Size(), v.Shape, len(data))
	}
	return nil
}

// Close forgets the variables.
func (b *Backend) Close() error {
	b.vars = nil
	return nil
}

// Runner is a parsed program.
type Runner struct {
	b     *Backend
	p     *engine.Program
	m     *xla.Module
	prog  *Program
	queue [][][]float64 // inputs of the runs under way
}

// Start takes the inputs; the work is done by Finish.
func (r *Runner) Start(in [][]float32) error {
	if r.prog == nil {
		return errClosed
	}
	if len(r.queue) == 2 {
		return errors.New("two runs are under way already")
	}
	if err := r.p.CheckInputs(in); err != nil {
		return err
	}
	args := make([][]float64, len(in))
	for i, d := range in {
		args[i] = convert[float64](d)
	}
	r.queue = append(r.queue, args)
	return nil
}

// Finish runs the text.
func (r *Runner) Finish(out [][]float32) error {
	if len(r.queue) == 0 {
		return errors.New("no run is under way")
	}
	args := r.queue[0]
	r.queue = r.queue[1:]
	for _, v := range r.m.Vars {
		args = append(args, r.b.variable(v))
	}
	results, err := r.prog.run(args, r.b.exact)
	if err != nil {
		return err
	}
	outputs := len(r.p.Outputs)
	for i, v := range r.m.Written {
		r.b.vars[v] = results[outputs+i]
	}
	for i := range out {
		if out[i] == nil {
			continue
		}
		if len(out[i]) != len(results[i]) {
			return fmt.Errorf("output %d has %d numbers, not %d", i, len(results[i]), len(out[i]))
		}
		copy(out[i], convert[float32](results[i]))
	}
	return nil
}

// Memory is not known: nothing is planned.
func (r *Runner) Memory() (planned, naive int64) { return 0, 0 }

// Close forgets the program.
func (r *Runner) Close() error {
	r.prog, r.queue = nil, nil
	return nil
}
