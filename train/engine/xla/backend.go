//go:build cgo && !nonative

package xla

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/gomlx/go-xla/pkg/pjrt"
	"github.com/gomlx/go-xla/pkg/types/dtypes"

	"gleaner/train/engine"
)

// Backend runs programs on the first device of a PJRT plug-in. As engine.Backend has it, it belongs to one goroutine; its own
// goroutine runs the programs, one after the other, so that the next batch crosses to the device meanwhile.
type Backend struct {
	client  *pjrt.Client
	options Options
	jobs    chan *job
	worker  sync.WaitGroup

	busy sync.Mutex // held while a program runs; guards vars and broken
	vars map[*engine.Var]*pjrt.Buffer
	// broken is the failure of a run, which may have taken donated variables with it; nothing runs after it.
	broken error
}

var (
	_ engine.Backend = (*Backend)(nil)
	_ engine.Runner  = (*Runner)(nil)
)

var errClosed = errors.New("it is closed")

// Open loads the plug-in and opens its first device. What is missing is a *MissingError of one line.
func Open(o Options) (engine.Backend, error) {
	c, err := client(o)
	if err != nil {
		return nil, err
	}
	b := &Backend{client: c, options: o, jobs: make(chan *job, 2), vars: map[*engine.Var]*pjrt.Buffer{}}
	b.worker.Go(func() {
		for j := range b.jobs {
			j.results, j.err = j.run()
			close(j.done)
		}
	})
	return b, nil
}

// Name is "cuda".
func (b *Backend) Name() string { return "cuda" }

// Compile has XLA compile the program. The first compilation of a big network takes minutes, since its kernels are chosen by trying
// them.
func (b *Backend) Compile(p *engine.Program) (engine.Runner, error) {
	if b.client == nil {
		return nil, errClosed
	}
	m, err := Emit(p, b.options.Precision)
	if err != nil {
		return nil, err
	}
	exe, err := b.client.Compile().WithStableHLO(m.Text).Done()
	if err != nil {
		return nil, fmt.Errorf("compile the program for the device: %s", oneLine(err))
	}
	if want := len(p.Outputs) + len(m.Written); exe.NumOutputs != want {
		return nil, errors.Join(fmt.Errorf("the compiled program has %d results, not %d", exe.NumOutputs, want), exe.Destroy())
	}
	return &Runner{b: b, p: p, m: m, exe: exe}, nil
}

// upload copies an array to the device; the slice may be used again when it returns.
func (b *Backend) upload(d []float32, s engine.Shape) (*pjrt.Buffer, error) {
	buf, err := b.client.BufferFromHost().FromRawData(bytesOf(d), dtypes.Float32, s).Done()
	if err != nil {
		return nil, fmt.Errorf("copy to the device: %s", oneLine(err))
	}
	return buf, nil
}

// bytesOf is the memory of an array.
func bytesOf(d []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(d))), 4*len(d))
}

// Write sets a variable's value after the runs under way; the slice must have its size.
func (b *Backend) Write(v *engine.Var, data []float32) error {
	b.busy.Lock()
	defer b.busy.Unlock()
	if err := b.check(v, data); err != nil {
		return fmt.Errorf("write %s: %w", v.Name, err)
	}
	buf, err := b.upload(data, v.Shape)
	if err != nil {
		return fmt.Errorf("write %s: %w", v.Name, err)
	}
	return b.replace(v, buf)
}

// replace puts a buffer in a variable's place. busy is held.
func (b *Backend) replace(v *engine.Var, buf *pjrt.Buffer) error {
	old := b.vars[v]
	b.vars[v] = buf
	if old == nil {
		return nil
	}
	return old.Destroy()
}

// Read copies a variable's value out; the slice must have its size. The runs under way are waited for.
func (b *Backend) Read(v *engine.Var, data []float32) error {
	b.busy.Lock()
	defer b.busy.Unlock()
	if err := b.check(v, data); err != nil {
		return fmt.Errorf("read %s: %w", v.Name, err)
	}
	buf, err := b.variable(v)
	if err != nil {
		return fmt.Errorf("read %s: %w", v.Name, err)
	}
	if err := buf.ToHost(bytesOf(data)); err != nil {
		return fmt.Errorf("read %s: %s", v.Name, oneLine(err))
	}
	return nil
}

// variable is a variable's buffer, zeros at first. busy is held.
func (b *Backend) variable(v *engine.Var) (*pjrt.Buffer, error) {
	if b.vars[v] == nil {
		buf, err := b.upload(make([]float32, v.Shape.Size()), v.Shape)
		if err != nil {
			return nil, err
		}
		b.vars[v] = buf
	}
	return b.vars[v], nil
}

func (b *Backend) check(v *engine.Var, data []float32) error {
	switch {
	case b.client == nil:
		return errClosed
	case b.broken != nil:
		return fmt.Errorf("a run has failed: %w", b.broken)
	case len(data) != v.Shape.Size():
		return fmt.Errorf("it has %d numbers, %v, not %d", v.Shape.Size(), v.Shape, len(data))
	}
	return nil
}

// Close waits for the runs under way and frees the variables and the device.
func (b *Backend) Close() error {
	if b.client == nil {
		return nil
	}
	close(b.jobs)
	b.worker.Wait()
	var errs []error
	for _, buf := range b.vars {
		errs = append(errs, buf.Destroy())
	}
	errs = append(errs, b.client.Destroy())
	b.client, b.vars = nil, nil
	return errors.Join(errs...)
}
