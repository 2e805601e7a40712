//go:build cgo && !nonative

package onednn

/*
#cgo CXXFLAGS: -O3 -std=c++17 -fopenmp
#cgo LDFLAGS: -lgomp -ldl
#include <stdlib.h>
#include "plan.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// Backend runs programs on the CPU.
type Backend struct {
	vars map[*engine.Var]*array
}

// array is memory that C owns.
type array struct {
	p *C.float
	n int
}

func newArray(n int) *array       { return &array{(*C.float)(C.dn_alloc(C.size_t(4 * max(n, 1)))), n} }
func (a *array) slice() []float32 { return unsafe.Slice((*float32)(unsafe.Pointer(a.p)), a.n) }
func (a *array) free()            { C.dn_free(unsafe.Pointer(a.p)) }

// Options say how it runs.
type Options struct {
	Threads int    // 0: as many as there are processors
	Library string // empty: libdnnl.so.2, wherever the loader finds it
}

// New opens the library.
func New(o Options) (*Backend, error) {
	if o.Library == "" {
		o.Library = "libdnnl.so.2"
	}
	path := C.CString(o.Library)
	defer C.free(unsafe.Pointer(path))
	if err := message(C.dn_load(path)); err != nil {
		return nil, fmt.Errorf("%w: install it with apt-get install libdnnl2", err)
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	C.dn_threads(C.int(o.Threads))
	return &Backend{map[*engine.Var]*array{}}, nil
}

func message(s *C.char) error {
	if s == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(s))
	return errors.New("oneDNN: " + C.GoString(s))
}

// Name is cpu.
func (b *Backend) Name() string { return "cpu" }

func (b *Backend) variable(v *engine.Var) *array {
	if b.vars[v] == nil {
		b.vars[v] = newArray(v.Shape.Size())
	}
	return b.vars[v]
}

// Write sets a variable.
func (b *Backend) Write(v *engine.Var, data []float32) error {
	if len(data) != v.Shape.Size() {
		return fmt.Errorf("%s has %d numbers, not %d", v.Name, v.Shape.Size(), len(data))
	}
	copy(b.variable(v).slice(), data)
	return nil
}

// Read copies a variable out.
func (b *Backend) Read(v *engine.Var, data []float32) error {
	if len(data) != v.Shape.Size() {
		return fmt.Errorf("%s has %d numbers, not %d", v.Name, v.Shape.Size(), len(data))
	}
	copy(data, b.variable(v).slice())
	return nil
}

// Close frees all.
func (b *Backend) Close() error {
	for _, a := range b.vars {
		a.free()
	}
	b.vars = nil
	return nil
}

// work is what a step of the program does: native steps [from, to) of the plan, or a function of Go.
type work struct {
	from, to int
	run      func() // nil: native
}

// Runner is a compiled program.
type Runner struct {
	p      *engine.Program
	layout *engine.Layout
	plan   *C.dn_plan
	arena  *array
	own    []*array
	values []*C.float
	steps  []work         // by step of p
	joined []work         // the same, native ones that follow each other as one
	update int            // where the update phase begins in joined
	done   [2][][]float32 // outputs of the runs under way
	begun  int            // runs
	ended  int
}

// Compile plans a program.
func (b *Backend) Compile(p *engine.Program) (engine.Runner, error) {
	p = engine.Fuse(p)
	r := &Runner{p: p, layout: engine.Plan(p, nil), plan: C.dn_plan_new()}
	r.arena = newArray(r.layout.Size)
	r.values = make([]*C.float, len(p.Values))
	for k := range r.done {
		for _, v := range p.Outputs {
			r.done[k] = append(r.done[k], make([]float32, v.Shape.Size()))
		}
	}
	for _, v := range p.Values {
		r.place(b, v)
	}
	for i, s := range p.Steps {
		w, err := r.add(s)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("layer %s: %s: %w", s.Op.Layer, s.Op.Kind, err)
		}
		r.steps = append(r.steps, w)
		if i+1 == p.Update {
			r.joined = join(r.steps)
			r.update = len(r.joined)
		}
	}
	r.joined = append(r.joined, join(r.steps[p.Update:])...)
	if err := message(C.dn_plan_ready(r.plan)); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// place finds a value's memory.
func (r *Runner) place(b *Backend, v *engine.Value) {
	base := v
	for base.View != nil {
		base = base.View
	}
	own := func(n int) *array {
		a := newArray(n)
		r.own = append(r.own, a)
		return a
	}
	switch {
	case base.Var != nil:
		r.values[v.ID] = b.variable(base.Var).p
	case base != v && r.values[base.ID] != nil:
		r.values[v.ID] = r.values[base.ID]
	case base.Const != nil:
		a := own(base.Shape.Size())
		for i := range a.slice() {
			a.slice()[i] = base.Const[i%len(base.Const)]
		}
		r.values[v.ID] = a.p
	case r.layout.Offset[base.ID] >= 0:
		r.values[v.ID] = (*C.float)(unsafe.Add(unsafe.Pointer(r.arena.p), 4*r.layout.Offset[base.ID]))
	case base.Input != "":
		r.values[v.ID] = own(base.Shape.Size()).p
	}
}

func (r *Runner) at(v *engine.Value) *C.float {
	if v == nil {
		return nil
	}
	return r.values[v.ID]
}

func (r *Runner) view(v *engine.Value) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(r.at(v))), v.Shape.Size())
}

// join makes one of native works that follow each other.
func join(steps []work) (all []work) {
	for _, w := range steps {
		n := len(all)
		switch {
		case w.run == nil && w.from == w.to: // a view
		case w.run == nil && n > 0 && all[n-1].run == nil:
			all[n-1].to = w.to
		default:
			all = append(all, w)
		}
	}
	return all
}

func (r *Runner) run(all ...work) error {
	for _, w := range all {
		if w.run != nil {
			w.run()
			continue
		}
		if err := message(C.dn_plan_run(r.plan, C.int(w.from), C.int(w.to))); err != nil {
			return err
		}
	}
	return nil
}

// load copies the inputs in.
func (r *Runner) load(in [][]float32) error {
	if err := r.p.CheckInputs(in); err != nil {
		return err
	}
	for i, v := range r.p.Inputs {
		copy(r.view(v), in[i])
	}
	return nil
}

// Trace runs the steps before the update phase one by one; see engine.Tracer.
func (r *Runner) Trace(in [][]float32, f func(s *engine.Step, v *engine.Value, data []float32)) error {
	if err := r.load(in); err != nil {
		return err
	}
	for i := range r.p.Steps[:r.p.Update] {
		if err := r.run(r.steps[i]); err != nil {
			return err
		}
		for _, v := range r.p.Steps[i].Out {
			if v != nil {
				f(&r.p.Steps[i], v, r.view(v))
			}
		}
	}
	return nil
}

// Start runs the program.
func (r *Runner) Start(in [][]float32) error {
	if err := r.load(in); err != nil {
		return err
	}
	if err := r.run(r.joined[:r.update]...); err != nil {
		return err
	}
	if r.update < len(r.joined) {
		if loss := float64(r.view(r.p.Outputs[0])[0]); !math.IsNaN(loss) && !math.IsInf(loss, 0) {
			if err := r.run(r.joined[r.update:]...); err != nil {
				return err
			}
		}
	}
	for i, v := range r.p.Outputs {
		copy(r.done[r.begun%2][i], r.view(v))
	}
	r.begun++
	return nil
}

// Finish copies the outputs.
func (r *Runner) Finish(out [][]float32) error {
	for i := range out {
		copy(out[i], r.done[r.ended%2][i])
	}
	r.ended++
	return nil
}

// Memory is the arena's size.
func (r *Runner) Memory() (planned, naive int64) {
	return int64(4 * r.layout.Size), int64(4 * r.layout.Naive)
}

// Close frees the runner.
func (r *Runner) Close() error {
	C.dn_plan_free(r.plan)
	r.arena.free()
	for _, a := range r.own {
		a.free()
	}
	return nil
}

// add adds one step: native, or ref's kernel on the same memory where a step is too small to matter.
func (r *Runner) add(s engine.Step) (w work, err error) {
	w.from = int(C.dn_plan_steps(r.plan))
	if s.Op.Kind == engine.Reshape {
		w.to = w.from
		return w, nil
	}
	ok, err := r.native(s)
	if w.to = int(C.dn_plan_steps(r.plan)); ok || err != nil {
		return w, err
	}
	var in, out [][]float32
	for _, v := range s.In {
		in = append(in, r.view(v))
	}
	for k, v := range s.Out {
		if v == nil {
			out = append(out, make([]float32, s.Op.Out[k].Size()))
			continue
		}
		out = append(out, r.view(v))
	}
	kernel, err := ref.Prepare(s.Op)
	if err != nil {
		return w, err
	}
	w.run = func() { kernel(in, out) }
	return w, nil
}

func geometry(w engine.Window, x, y engine.Shape) C.dn_conv {
	return C.dn_conv{n: C.int(x[0]), h: C.int(x[1]), w: C.int(x[2]), c: C.int(x[3]), k: C.int(y[3]), oh: C.int(y[1]), ow: C.int(y[2]),
		kh: C.int(w.KH), kw: C.int(w.KW), sh: C.int(w.SH), sw: C.int(w.SW), dh: C.int(w.DH), dw: C.int(w.DW), top: C.int(w.Top), left: C.int(w.Left),
		bottom: C.int(w.Bottom), right: C.int(w.Right), groups: 1}
}

func rows(s engine.Shape) (m C.int64_t, c C.int) {
	k := s[len(s)-1]
	return C.int64_t(s.Size() / k), C.int(k)
}

// native adds a step that C does.
func (r *Runner) native(s engine.Step) (bool, error) {
	op, plan := s.Op, r.plan
	in := func(i int) *C.float {
		if i < len(s.In) {
			return r.at(s.In[i])
		}
		return nil
	}
	out := func(i int) *C.float {
		if i < len(s.Out) {
			return r.at(s.Out[i])
		}
		return nil
	}
	n := C.int64_t(op.Out[0].Size())
	switch op.Kind {
	case engine.Conv2D, engine.Conv2DDX, engine.Conv2DDW:
		return true, r.conv(s, in, out)
	case engine.Dense:
		x, y := op.In[0], op.Out[0]
		return true, message(C.dn_dense_fwd(plan, C.int(x[0]), C.int(x[1]), C.int(y[1]), C.int(op.Attr.(engine.Lin).Act), in(0), in(1), in(2), out(0)))
	case engine.DenseDX:
		dy, dx := op.In[0], op.Out[0]
		return true, message(C.dn_dense_dx(plan, C.int(dx[0]), C.int(dx[1]), C.int(dy[1]), in(0), in(1), out(0)))
	case engine.DenseDW:
		x, dy := op.In[0], op.In[1]
		return true, message(C.dn_dense_dw(plan, C.int(x[0]), C.int(x[1]), C.int(dy[1]), in(0), in(1), out(0), out(1)))
	case engine.MaxPool, engine.AvgPool:
		g := geometry(op.Attr.(engine.Pooling).Window, op.In[0], op.Out[0])
		return true, message(C.dn_pool_fwd(plan, &g, avg(op), C.int(op.ID()), in(0), out(0)))
	case engine.MaxPoolDX:
		g := geometry(op.Attr.(engine.Pooling).Window, op.Out[0], op.In[1])
		return true, message(C.dn_pool_dx(plan, &g, 0, C.int(op.Of.ID()), in(2), out(0)))
	case engine.AvgPoolDX:
		g := geometry(op.Attr.(engine.Pooling).Window, op.Out[0], op.In[0])
		return true, message(C.dn_pool_dx(plan, &g, 1, C.int(op.Of.ID()), in(0), out(0)))
	case engine.BatchNorm:
		a := op.Attr.(engine.Norm)
		m, c := rows(op.In[0])
		C.dn_norm(plan, m, c, C.float(a.Eps), C.int(a.Act), in(0), in(1), in(2), out(0), out(1), out(2))
	case engine.BatchNormDX:
		a := op.Attr.(engine.Norm)
		m, c := rows(op.In[0])
		C.dn_norm_dx(plan, m, c, C.float(a.Eps), C.int(a.Act), in(0), in(1), in(2), in(3), in(4), in(5), out(0), out(1), out(2))
	case engine.NormInfer:
		a := op.Attr.(engine.Norm)
		m, c := rows(op.In[0])
		C.dn_norm_infer(plan, m, c, C.float(a.Eps), C.int(a.Act), in(0), in(1), in(2), in(3), in(4), out(0))
	case engine.NormInferDX:
		m, c := rows(op.In[0])
		C.dn_norm_infer_dx(plan, m, c, C.float(op.Attr.(engine.Norm).Eps), in(0), in(1), in(2), out(0))
	case engine.Relu:
		C.dn_act(plan, n, 1, in(0), out(0))
	case engine.Relu6:
		C.dn_act(plan, n, 2, in(0), out(0))
	case engine.ReluDX:
		C.dn_act_dx(plan, n, 1, in(0), in(1), out(0))
	case engine.Relu6DX:
		C.dn_act_dx(plan, n, 2, in(0), in(1), out(0))
	case engine.Add:
		C.dn_add(plan, n, C.int(op.Attr.(engine.Sum).Act), in(0), in(1), out(0))
	case engine.Scale:
		C.dn_scale(plan, n, C.float(op.Attr.(engine.Factor).Value), in(0), out(0))
	case engine.Dropout:
		a := op.Attr.(engine.Drop)
		C.dn_dropout(plan, n, C.float(a.Rate), C.uint32_t(a.Seed), in(0), in(1), out(0))
	case engine.GlobalAvgPool:
		x := op.In[0]
		C.dn_gap(plan, C.int(x[0]), C.int(x[1]*x[2]), C.int(x[3]), in(0), out(0))
	case engine.GlobalAvgPoolDX:
		x := op.Out[0]
		C.dn_gap_dx(plan, C.int(x[0]), C.int(x[1]*x[2]), C.int(x[3]), in(0), out(0))
	case engine.Concat:
		m, c := rows(op.Out[0])
		to := 0
		for i, x := range op.In {
			_, w := rows(x)
			C.dn_columns(plan, m, w, in(i), w, (*C.float)(unsafe.Add(unsafe.Pointer(out(0)), 4*to)), c)
			to += int(w)
		}
	case engine.Slice:
		a := op.Attr.(engine.Part)
		m, c := rows(op.In[0])
		C.dn_columns(plan, m, C.int(a.To-a.From), (*C.float)(unsafe.Add(unsafe.Pointer(in(0)), 4*a.From)), c, out(0), C.int(a.To-a.From))
	case engine.Lerp:
		a := op.Attr.(engine.Blend)
		C.dn_lerp(plan, n, C.float(a.Rate), C.float(a.Factor), in(0), in(1), in(2), out(0))
	case engine.SGD:
		C.dn_sgd(plan, n, rule(op), in(0), in(1), in(2), in(3), in(4))
	case engine.Adam:
		C.dn_adam(plan, n, rule(op), in(0), in(1), in(2), in(3), in(4), in(5), in(6), in(7))
	default:
		return false, nil
	}
	return true, nil
}

func avg(op *engine.Op) C.int {
	if op.Kind == engine.AvgPool {
		return 1
	}
	return 0
}

func rule(op *engine.Op) C.dn_rule {
	a := op.Attr.(engine.UpdateRule)
	flag := func(b bool) C.int {
		if b {
			return 1
		}
		return 0
	}
	return C.dn_rule{rate: C.float(a.Rate), decay: C.float(a.Decay), momentum: C.float(a.Momentum), beta1: C.float(a.Beta1), beta2: C.float(a.Beta2),
		eps: C.float(a.Eps), decoupled: flag(a.Decoupled), nesterov: flag(a.Nesterov)}
}

func (r *Runner) conv(s engine.Step, in, out func(int) *C.float) error {
	op := s.Op
	a := op.Attr.(engine.Conv)
	var x, y engine.Shape
	switch op.Kind {
	case engine.Conv2D:
		x, y = op.In[0], op.Out[0]
	case engine.Conv2DDX:
		x, y = op.Out[0], op.In[0]
	default:
		x, y = op.In[0], op.In[1]
	}
	g := geometry(a.Window, x, y)
	g.groups, g.act = C.int(a.Groups), C.int(a.Act)
	switch op.Kind {
	case engine.Conv2D:
		return message(C.dn_conv_fwd(r.plan, &g, in(0), in(1), in(2), out(0)))
	case engine.Conv2DDX:
		return message(C.dn_conv_dx(r.plan, &g, in(0), in(1), out(0)))
	}
	return message(C.dn_conv_dw(r.plan, &g, in(0), in(1), out(0), out(1)))
}
