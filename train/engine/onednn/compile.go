//go:build cgo && !nonative

package onednn

/*
#include <stdlib.h>
#include "plan.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gleaner/train/engine"
)

// Compile makes a program ready to run. An operator that cannot be run is an error that names the layer.
func (b *Backend) Compile(p *engine.Program) (engine.Runner, error) {
	r := newRunner(b, engine.Fuse(p))
	if err := b.do(r.compile); err != nil {
		_ = b.do(r.free)
		return nil, err
	}
	return r, nil
}

// compile gives every value its memory and makes the plan. It runs on the backend's thread, as everything does that calls C.
func (r *Runner) compile() error {
	if r.plan = C.gdn_plan_new(flag(r.b.bfloat16)); r.plan == nil {
		return errors.New("oneDNN cannot be started on this processor")
	}
	if err := r.place(); err != nil {
		return err
	}
	for i := range r.p.Steps {
		if err := r.add(&r.p.Steps[i]); err != nil {
			return err
		}
	}
	return message(C.gdn_plan_end(r.plan))
}

// place finds the memory of each value: a place in the arena, a variable's, or an array of its own for inputs and constants.
func (r *Runner) place() error {
	arena, err := r.array(r.layout.Size)
	if err != nil {
		return err
	}
	for _, v := range r.p.Values {
		switch at := r.layout.Offset[v.ID]; {
		case v.View != nil:
			// A view comes after its value, and may be one of an input or a variable.
			r.at[v.ID] = r.at[v.View.ID]
		case v.Var != nil:
			a, err := r.b.variable(v.Var)
			if err != nil {
				return fmt.Errorf("variable %s: %w", v.Var.Name, err)
			}
			r.at[v.ID] = a.p
		case at >= 0:
			r.at[v.ID] = arena.at(at)
		case v.Input != "" || v.Const != nil:
			a, err := r.array(v.Shape.Size())
			if err != nil {
				return fmt.Errorf("input %s: %w", v.Input, err)
			}
			for i := range a.slice() {
				if v.Const != nil {
					a.slice()[i] = v.Const[i%len(v.Const)]
				}
			}
			r.at[v.ID] = a.p
		}
	}
	return nil
}

// array is memory that is freed with the runner.
func (r *Runner) array(n int) (*array, error) {
	a, err := newArray(n)
	if err == nil {
		r.own = append(r.own, a)
	}
	return a, err
}

// add adds a step to the plan.
func (r *Runner) add(s *engine.Step) error {
	spec, err := r.spec(s)
	if err == nil {
		err = message(C.gdn_plan_add(r.plan, spec))
	}
	freeSpec(spec)
	if err != nil {
		return fmt.Errorf("layer %s: %s of %v: %w", s.Op.Layer, s.Op.Kind, s.Op.In, err)
	}
	return nil
}

// spec is a step as C reads it, in memory of C.
func (r *Runner) spec(s *engine.Step) (*C.gdn_step, error) {
	c := (*C.gdn_step)(C.calloc(1, C.sizeof_gdn_step))
	c.kind = C.CString(string(s.Op.Kind))
	ins := make([]unsafe.Pointer, len(s.In))
	for i, v := range s.In {
		ins[i] = r.at[v.ID]
	}
	c.in, c.ins = arrays(s.Op.In, ins), C.int(len(ins))
	outs := make([]unsafe.Pointer, len(s.Op.Out))
	for i, shape := range s.Op.Out {
		if i < len(s.Out) && s.Out[i] != nil {
			outs[i] = r.at[s.Out[i].ID]
			continue
		}
		a, err := r.array(shape.Size()) // written, and read by nobody
		if err != nil {
			return c, err
		}
		outs[i] = a.p
	}
	c.out, c.outs = arrays(s.Op.Out, outs), C.int(len(outs))
	attributes(c, s.Op.Attr)
	return c, nil
}

func freeSpec(c *C.gdn_step) {
	for _, p := range []unsafe.Pointer{unsafe.Pointer(c.kind), unsafe.Pointer(c.in), unsafe.Pointer(c.out), unsafe.Pointer(c.weights), unsafe.Pointer(c)} {
		C.free(p)
	}
}

// arrays describes values to C.
func arrays(shapes []engine.Shape, at []unsafe.Pointer) *C.gdn_array {
	p := (*C.gdn_array)(C.calloc(C.size_t(max(len(shapes), 1)), C.sizeof_gdn_array))
	for i, a := range unsafe.Slice(p, len(shapes)) {
		shape := shapes[i]
		a.at, a.size, a.last = (*C.float)(at[i]), C.int64_t(shape.Size()), 1
		for k := range a.dim {
			a.dim[k] = 1
			if k < len(shape) {
				a.dim[k] = C.int64_t(shape[k])
			}
		}
		if len(shape) > 0 {
			a.last = C.int64_t(shape[len(shape)-1])
		}
		unsafe.Slice(p, len(shapes))[i] = a
	}
	return p
}

// attributes copies an operator's attribute.
func attributes(c *C.gdn_step, attr any) {
	switch a := attr.(type) {
	case engine.Conv:
		window(c, a.Window)
		c.groups, c.act = C.int(a.Groups), C.int(a.Act)
	case engine.Lin:
		c.act = C.int(a.Act)
	case engine.Norm:
		c.eps, c.act = C.double(a.Eps), C.int(a.Act)
	case engine.Pooling:
		window(c, a.Window)
	case engine.Sum:
		c.act = C.int(a.Act)
	case engine.Part:
		c.from = C.int64_t(a.From)
	case engine.Factor:
		c.factor = C.double(a.Value)
	case engine.Drop:
		c.rate, c.seed = C.double(a.Rate), C.uint32_t(a.Seed)
	case engine.Loss:
		c.smoothing, c.gamma = C.double(a.Smoothing), C.double(a.Gamma)
		if a.Weights != nil {
			c.weights = (*C.float)(C.malloc(C.size_t(4 * len(a.Weights))))
			copy(unsafe.Slice((*float32)(unsafe.Pointer(c.weights)), len(a.Weights)), a.Weights)
		}
	case engine.Quant:
		c.bits = C.int(a.Bits)
	case engine.UpdateRule:
		c.rate, c.decay, c.momentum, c.epsilon = C.double(a.Rate), C.double(a.Decay), C.double(a.Momentum), C.double(a.Eps)
		c.beta1, c.beta2 = C.double(a.Beta1), C.double(a.Beta2)
		c.decoupled, c.nesterov = flag(a.Decoupled), flag(a.Nesterov)
	case engine.Blend:
		c.rate, c.factor = C.double(a.Rate), C.double(a.Factor)
	}
}

func window(c *C.gdn_step, w engine.Window) {
	c.kh, c.kw, c.sh, c.sw, c.dh, c.dw = C.int(w.KH), C.int(w.KW), C.int(w.SH), C.int(w.SW), C.int(w.DH), C.int(w.DW)
	c.top, c.left, c.bottom, c.right = C.int(w.Top), C.int(w.Left), C.int(w.Bottom), C.int(w.Right)
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
