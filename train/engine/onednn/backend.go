//go:build cgo && !nonative

package onednn

/*
#cgo CXXFLAGS: -O3 -Wall
#include <stdlib.h>
#include "plan.h"
#cgo noescape gdn_plan_run
#cgo nocallback gdn_plan_run
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"gleaner/train/engine"
)

// Backend runs programs on the processor. As engine.Backend has it, it belongs to one goroutine. All its work is done by one
// thread of the operating system, because GNU OpenMP keeps a pool of threads for each thread that asks for one.
type Backend struct {
	bfloat16 bool
	vars     map[*engine.Var]*array
	jobs     chan job // closed by Close, which sets it nil
	gone     chan struct{}
	answer   chan error // of the job that do waits for
}

// job is a run, or something to do.
type job struct {
	runner *Runner
	slot   int
	do     func() error
}

var _ engine.Backend = (*Backend)(nil)

// New loads oneDNN and starts the thread. A library that is missing is an error that says what to install.
func New(o Options) (*Backend, error) {
	o = o.withDefaults()
	path := C.CString(o.Library)
	defer C.free(unsafe.Pointer(path))
	if err := message(C.gdn_load(path)); err != nil {
		return nil, fmt.Errorf("load oneDNN: %w: apt-get install libdnnl2", err)
	}
	// Two runs may be waiting, and one call of do.
	b := &Backend{bfloat16: o.BFloat16 && C.gdn_bfloat16() != 0, vars: map[*engine.Var]*array{}, jobs: make(chan job, 3), gone: make(chan struct{}), answer: make(chan error)}
	go b.work(o.Threads)
	return b, nil
}

// work is the thread. It is never given back to Go: its floating point is set otherwise, and the pool is bound to it.
func (b *Backend) work(threads int) {
	defer close(b.gone)
	runtime.LockOSThread()
	C.gdn_thread(C.int(threads))
	for j := range b.jobs {
		if j.do != nil {
			b.answer <- j.do()
			continue
		}
		j.runner.done <- j.runner.run(j.slot)
	}
}

var errClosed = errors.New("the CPU backend is closed")

// do has the thread do something, after the runs that wait, and waits for it.
func (b *Backend) do(f func() error) error {
	if b.jobs == nil {
		return errClosed
	}
	b.jobs <- job{do: f}
	return <-b.answer
}

// message is what C says went wrong.
func message(s *C.char) error {
	if s == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(s))
	return errors.New(C.GoString(s))
}

// Name is "cpu".
func (b *Backend) Name() string { return "cpu" }

// BFloat16 tells whether convolutions multiply in bfloat16: it was wanted, and the processor has instructions for it.
func (b *Backend) BFloat16() bool { return b.bfloat16 }

// Write sets a variable's value.
func (b *Backend) Write(v *engine.Var, data []float32) error {
	return b.move("write", v, len(data), func(a []float32) { copy(a, data) })
}

// Read copies a variable's value out, as it is after the runs that were started.
func (b *Backend) Read(v *engine.Var, data []float32) error {
	return b.move("read", v, len(data), func(a []float32) { copy(data, a) })
}

func (b *Backend) move(verb string, v *engine.Var, n int, move func(a []float32)) error {
	if n != v.Shape.Size() {
		return fmt.Errorf("%s %s: it has %d numbers, %v, not %d", verb, v.Name, v.Shape.Size(), v.Shape, n)
	}
	err := b.do(func() error {
		a, err := b.variable(v)
		if err == nil {
			move(a.slice())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, v.Name, err)
	}
	return nil
}

// variable is the memory of a variable, zeros at first.
func (b *Backend) variable(v *engine.Var) (*array, error) {
	if a, ok := b.vars[v]; ok {
		return a, nil
	}
	a, err := newArray(v.Shape.Size())
	if err == nil {
		b.vars[v] = a
	}
	return a, err
}

// Close ends the thread and frees the variables. Runners must be closed before.
func (b *Backend) Close() error {
	if b.jobs == nil {
		return nil
	}
	close(b.jobs)
	<-b.gone
	b.jobs = nil
	for _, a := range b.vars {
		a.free()
	}
	b.vars = nil
	return nil
}

// array is float32 numbers in memory that C owns and that never moves.
type array struct {
	p unsafe.Pointer
	n int
}

func newArray(n int) (*array, error) {
	p := C.gdn_memory(C.size_t(4 * max(n, 1)))
	if p == nil {
		return nil, fmt.Errorf("no memory for an array of %d MB", n>>18)
	}
	return &array{p, n}, nil
}

func (a *array) slice() []float32 { return unsafe.Slice((*float32)(a.p), a.n) }

// at is the address of element i.
func (a *array) at(i int) unsafe.Pointer { return unsafe.Add(a.p, 4*i) }

func (a *array) free() { C.gdn_free(a.p, C.size_t(4*max(a.n, 1))) }
