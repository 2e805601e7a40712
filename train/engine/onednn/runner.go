//go:build cgo && !nonative

package onednn

/*
#include "plan.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"gleaner/train/engine"
)

// Runner is a program that is ready to run.
type Runner struct {
	b      *Backend
	p      *engine.Program // fused
	layout *engine.Layout
	plan   *C.gdn_plan
	at     []unsafe.Pointer // memory of each value by its ID
	own    []*array         // freed with the runner

	// Of the runs under way, at most two: run i has slot i%2.
	begun, ended int
	staged       [2][][]float32 // inputs of a run that was started while another was under way; made when that first happens
	waits        [2]bool        // the run's inputs are in staged
	outputs      [2][][]float32
	done         chan error
}

var (
	_ engine.Runner = (*Runner)(nil)
	_ engine.Tracer = (*Runner)(nil)
)

func newRunner(b *Backend, p *engine.Program) *Runner {
	r := &Runner{b: b, p: p, layout: engine.Plan(p, nil), at: make([]unsafe.Pointer, len(p.Values)), done: make(chan error, 2)}
	for slot := range r.outputs {
		r.outputs[slot] = buffers(p.Outputs)
	}
	return r
}

func buffers(values []*engine.Value) (all [][]float32) {
	for _, v := range values {
		all = append(all, make([]float32, v.Shape.Size()))
	}
	return all
}

// view is a value's memory.
func (r *Runner) view(v *engine.Value) []float32 {
	return unsafe.Slice((*float32)(r.at[v.ID]), v.Shape.Size())
}

// Start hands a run to the backend's thread.
func (r *Runner) Start(in [][]float32) error {
	if r.b == nil || r.b.jobs == nil {
		return errClosed
	}
	if r.begun-r.ended == 2 {
		return errors.New("two runs are under way already")
	}
	if err := r.p.CheckInputs(in); err != nil {
		return err
	}
	slot := r.begun % 2
	r.waits[slot] = r.begun > r.ended
	if r.waits[slot] && r.staged[slot] == nil {
		r.staged[slot] = buffers(r.p.Inputs)
	}
	for i, v := range r.p.Inputs {
		to := r.staged[slot]
		if r.waits[slot] {
			copy(to[i], in[i])
		} else {
			copy(r.view(v), in[i])
		}
	}
	r.begun++
	r.b.jobs <- job{runner: r, slot: slot}
	return nil
}

// Finish waits for the oldest run.
func (r *Runner) Finish(out [][]float32) error {
	if r.b == nil {
		return errClosed
	}
	if r.begun == r.ended {
		return errors.New("no run is under way")
	}
	if out != nil && len(out) != len(r.p.Outputs) {
		return fmt.Errorf("the program has %d outputs, not %d", len(r.p.Outputs), len(out))
	}
	for i, v := range r.p.Outputs {
		if out != nil && out[i] != nil && len(out[i]) != v.Shape.Size() {
			return fmt.Errorf("output %d has %d numbers, %v, not %d", i, v.Shape.Size(), v.Shape, len(out[i]))
		}
	}
	slot := r.ended % 2
	err := <-r.done
	r.ended++
	if err != nil {
		return err
	}
	for i := range out {
		copy(out[i], r.outputs[slot][i])
	}
	return nil
}

// run is a whole run, on the backend's thread.
func (r *Runner) run(slot int) error {
	if r.waits[slot] {
		for i, v := range r.p.Inputs {
			copy(r.view(v), r.staged[slot][i])
		}
	}
	if err := r.steps(0, r.p.Update); err != nil {
		return err
	}
	if r.p.Update < len(r.p.Steps) {
		if loss := float64(r.view(r.p.Outputs[0])[0]); !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			if err := r.steps(r.p.Update, len(r.p.Steps)); err != nil {
				return err
			}
		}
	}
	for i, v := range r.p.Outputs {
		copy(r.outputs[slot][i], r.view(v))
	}
	return nil
}

// steps runs steps [from, to).
func (r *Runner) steps(from, to int) error {
	return message(C.gdn_plan_run(r.plan, C.int(from), C.int(to)))
}

// Trace runs the steps before the update phase one by one. Layers are fused: where an activation was joined to the layer before it,
// only what comes behind it is shown.
func (r *Runner) Trace(in [][]float32, f func(s *engine.Step, v *engine.Value, data []float32)) error {
	if r.b == nil {
		return errClosed
	}
	if r.begun > r.ended {
		return errors.New("a run is under way")
	}
	if err := r.p.CheckInputs(in); err != nil {
		return err
	}
	for i, v := range r.p.Inputs {
		copy(r.view(v), in[i])
	}
	for i := range r.p.Steps[:r.p.Update] {
		if err := r.b.do(func() error { return r.steps(i, i+1) }); err != nil {
			return err
		}
		s := &r.p.Steps[i]
		for _, v := range s.Out {
			if v != nil {
				f(s, v, r.view(v))
			}
		}
	}
	return nil
}

// Memory is the size of the arena, and what it would be if no two values shared a place, in bytes.
func (r *Runner) Memory() (planned, naive int64) {
	return 4 * int64(r.layout.Size), 4 * int64(r.layout.Naive)
}

// Close frees the runner's memory, after the runs that are under way.
func (r *Runner) Close() error {
	if r.b == nil {
		return nil
	}
	for r.begun > r.ended {
		<-r.done
		r.ended++
	}
	err := r.b.do(r.free)
	r.b = nil
	return err
}

func (r *Runner) free() error {
	if r.plan != nil {
		C.gdn_plan_free(r.plan)
	}
	for _, a := range r.own {
		a.free()
	}
	r.plan, r.own = nil, nil
	return nil
}
