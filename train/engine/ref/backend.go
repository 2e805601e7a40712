// Package ref is the engine's backend in pure Go: the oracle that the others are measured by, and what runs where no native
// library does. In float64 it is exact enough for gradients to be checked against differences of the loss.
//
// Each kernel is the definition of its operator (train/engine/op.go) as a loop, in an order that suits the cache; convolutions
// and dense layers use all processors, and every element is computed by one goroutine in one order, so that results are the
// same on every machine. Sums over a batch (statistics, losses, gradients' norms and biases) are float64 in both variants.
//
// It is not fast: train/engine/onednn and train/engine/xla are.
package ref

import (
	"fmt"

	"gleaner/train/engine"
)

// Float is what a backend computes in.
type Float interface{ float32 | float64 }

// Backend runs programs in pure Go. As engine.Backend has it, it belongs to one goroutine.
type Backend[T Float] struct {
	vars map[*engine.Var][]T
}

var (
	_ engine.Backend = (*Backend[float32])(nil)
	_ engine.Runner  = (*Runner[float64])(nil)
	_ engine.Tracer  = (*Runner[float64])(nil)
)

// New is a backend without variables.
func New[T Float]() *Backend[T] {
	return &Backend[T]{vars: map[*engine.Var][]T{}}
}

// Name is "ref".
func (b *Backend[T]) Name() string { return "ref" }

// Compile is Prepare, as engine.Backend wants it.
func (b *Backend[T]) Compile(p *engine.Program) (engine.Runner, error) {
	r, err := b.Prepare(p)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Prepare makes a program ready to run, fused or not. An operator that is not known is an error.
func (b *Backend[T]) Prepare(p *engine.Program) (*Runner[T], error) {
	return b.prepare(p, engine.Plan(p, nil))
}

// Write sets a variable's value; the slice must have its size.
func (b *Backend[T]) Write(v *engine.Var, data []float32) error { return write(b, v, data) }

// Write64 is Write with all digits.
func (b *Backend[T]) Write64(v *engine.Var, data []float64) error { return write(b, v, data) }

// Read copies a variable's value out; the slice must have its size.
func (b *Backend[T]) Read(v *engine.Var, data []float32) error { return read(b, v, data) }

// Read64 is Read with all digits.
func (b *Backend[T]) Read64(v *engine.Var, data []float64) error { return read(b, v, data) }

// Close forgets the variables.
func (b *Backend[T]) Close() error {
	b.vars = nil
	return nil
}

// variable is the memory of a variable, zeros at first.
func (b *Backend[T]) variable(v *engine.Var) []T {
	d, ok := b.vars[v]
	if !ok {
		d = make([]T, v.Shape.Size())
		b.vars[v] = d
	}
	return d
}

func write[T, S Float](b *Backend[T], v *engine.Var, data []S) error {
	if err := b.check(v, len(data)); err != nil {
		return fmt.Errorf("write %s: %w", v.Name, err)
	}
	convert(b.variable(v), data)
	return nil
}

func read[T, S Float](b *Backend[T], v *engine.Var, data []S) error {
	if err := b.check(v, len(data)); err != nil {
		return fmt.Errorf("read %s: %w", v.Name, err)
	}
	convert(data, b.variable(v))
	return nil
}

func (b *Backend[T]) check(v *engine.Var, n int) error {
	if b.vars == nil {
		return errClosed
	}
	if n != v.Shape.Size() {
		return fmt.Errorf("it has %d numbers, %v, not %d", v.Shape.Size(), v.Shape, n)
	}
	return nil
}

func convert[D, S Float](dst []D, src []S) {
	for i, x := range src {
		dst[i] = D(x)
	}
}
