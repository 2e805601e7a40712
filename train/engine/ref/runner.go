package ref

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"gleaner/train/engine"
)

var errClosed = errors.New("it is closed")

// Runner is a program that is ready to run.
type Runner[T Float] struct {
	p      *engine.Program
	layout *engine.Layout
	values [][]T // by Value.ID
	steps  []step[T]
	queue  [2][][]T // inputs of the runs under way
	first  int      // which of the queue is the oldest
	runs   int      // under way
}

// step is a program's step with its kernel and the memory that it works on; run is nil for a view.
type step[T Float] struct {
	run     kernel[T]
	in, out [][]T
}

func (b *Backend[T]) prepare(p *engine.Program, layout *engine.Layout) (*Runner[T], error) {
	if b.vars == nil {
		return nil, errClosed
	}
	r := &Runner[T]{p: p, layout: layout, values: make([][]T, len(p.Values))}
	arena := make([]T, layout.Size)
	for _, v := range p.Values {
		if v.View != nil { // of an input too: the very same memory
			r.values[v.ID] = r.values[v.View.ID]
			continue
		}
		r.values[v.ID] = b.place(v, layout, arena)
	}
	for _, s := range p.Steps {
		bound := step[T]{}
		if s.Op.Kind != engine.Reshape {
			var err error
			if bound.run, err = newKernel[T](s.Op); err != nil {
				return nil, err
			}
		}
		for _, v := range s.In {
			bound.in = append(bound.in, r.values[v.ID])
		}
		for i, v := range s.Out {
			d := []T(nil)
			if v != nil {
				d = r.values[v.ID]
			} else {
				d = make([]T, s.Op.Out[i].Size())
			}
			bound.out = append(bound.out, d)
		}
		r.steps = append(r.steps, bound)
	}
	for i := range r.queue {
		for _, v := range p.Inputs {
			r.queue[i] = append(r.queue[i], make([]T, v.Shape.Size()))
		}
	}
	return r, nil
}

// place is where a value lives that is no view.
func (b *Backend[T]) place(v *engine.Value, layout *engine.Layout, arena []T) []T {
	size := v.Shape.Size()
	switch at := layout.Offset[v.ID]; {
	case v.Var != nil:
		return b.variable(v.Var)
	case at >= 0:
		return arena[at : at+size : at+size]
	}
	d := make([]T, size)
	for i := range d {
		if v.Const != nil {
			d[i] = T(v.Const[i%len(v.Const)])
		}
	}
	return d
}

// Start takes the inputs of a run; the work is done by Finish.
func (r *Runner[T]) Start(in [][]float32) error { return start(r, in) }

// Finish works the oldest run off.
func (r *Runner[T]) Finish(out [][]float32) error { return finish(r, out) }

// Run64 is a whole run with all digits.
func (r *Runner[T]) Run64(in, out [][]float64) error {
	if err := start(r, in); err != nil {
		return err
	}
	return finish(r, out)
}

// Memory is the size of the arena in bytes, and what it would be if no two values shared a place.
func (r *Runner[T]) Memory() (planned, naive int64) {
	size := int64(unsafe.Sizeof(T(0)))
	return int64(r.layout.Size) * size, int64(r.layout.Naive) * size
}

// Close frees the arena.
func (r *Runner[T]) Close() error {
	r.values, r.steps, r.queue, r.runs = nil, nil, [2][][]T{}, 0
	return nil
}

// Trace runs the steps before the update phase and shows what each makes.
func (r *Runner[T]) Trace(in [][]float32, f func(s *engine.Step, v *engine.Value, data []float32)) error {
	if r.runs > 0 {
		return errors.New("a run is under way")
	}
	if err := start(r, in); err != nil {
		return err
	}
	r.next()
	var seen []float32
	for i := range r.p.Steps[:r.p.Update] {
		s := &r.p.Steps[i]
		r.work(i)
		for _, v := range s.Out {
			if v == nil {
				continue
			}
			d := r.values[v.ID]
			seen = append(seen[:0], make([]float32, len(d))...)
			convert(seen, d)
			f(s, v, seen)
		}
	}
	return nil
}

func start[T, S Float](r *Runner[T], in [][]S) error {
	switch {
	case r.values == nil:
		return errClosed
	case r.runs == len(r.queue):
		return fmt.Errorf("%d runs are under way already", r.runs)
	case len(in) != len(r.p.Inputs):
		return fmt.Errorf("the program takes %d inputs, not %d", len(r.p.Inputs), len(in))
	}
	for i, v := range r.p.Inputs {
		if len(in[i]) != v.Shape.Size() {
			return fmt.Errorf("input %s takes %d numbers, %v, not %d", v.Input, v.Shape.Size(), v.Shape, len(in[i]))
		}
	}
	slot := r.queue[(r.first+r.runs)%len(r.queue)]
	for i := range in {
		convert(slot[i], in[i])
	}
	r.runs++
	return nil
}

// next brings the inputs of the oldest run to their place.
func (r *Runner[T]) next() {
	for i, d := range r.queue[r.first] {
		copy(r.values[r.p.Inputs[i].ID], d)
	}
	r.first = (r.first + 1) % len(r.queue)
	r.runs--
}

func (r *Runner[T]) work(i int) {
	if s := &r.steps[i]; s.run != nil {
		s.run(s.in, s.out)
	}
}

func finish[T, S Float](r *Runner[T], out [][]S) error {
	switch {
	case r.values == nil:
		return errClosed
	case r.runs == 0:
		return errors.New("no run is under way")
	case out != nil && len(out) != len(r.p.Outputs):
		return fmt.Errorf("the program has %d outputs, not %d", len(r.p.Outputs), len(out))
	}
	for i, v := range r.p.Outputs {
		if out != nil && out[i] != nil && len(out[i]) != v.Shape.Size() {
			return fmt.Errorf("output %d has %d numbers, %v, not %d", i, v.Shape.Size(), v.Shape, len(out[i]))
		}
	}
	r.next()
	for i := range r.p.Update {
		r.work(i)
	}
	if r.p.Update < len(r.steps) && finite(float64(r.values[r.p.Outputs[0].ID][0])) {
		for i := r.p.Update; i < len(r.steps); i++ {
			r.work(i)
		}
	}
	for i := range out {
		if out[i] != nil {
			convert(out[i], r.values[r.p.Outputs[i].ID])
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
