//go:build cgo && !nonative

package xla

import (
	"errors"
	"fmt"

	"github.com/gomlx/go-xla/pkg/pjrt"

	"gleaner/train/engine"
)

// Runner is a compiled program.
type Runner struct {
	b      *Backend
	p      *engine.Program
	m      *Module
	exe    *pjrt.LoadedExecutable
	queued []*job // runs under way, the oldest first
}

// job is one run: its inputs lie on the device already.
type job struct {
	r       *Runner
	in      []*pjrt.Buffer
	results []*pjrt.Buffer // the program's outputs
	err     error
	done    chan struct{}
}

// Start copies the inputs to the device, while the run before may still be at work, and hands the run to the backend's goroutine.
func (r *Runner) Start(in [][]float32) error {
	switch {
	case r.exe == nil:
		return errClosed
	case len(r.queued) == 2:
		return errors.New("two runs are under way already")
	}
	if err := r.p.CheckInputs(in); err != nil {
		return err
	}
	j := &job{r: r, done: make(chan struct{})}
	for i, v := range r.p.Inputs {
		buf, err := r.b.upload(in[i], v.Shape)
		if err != nil {
			return errors.Join(fmt.Errorf("input %s: %w", v.Input, err), destroy(j.in))
		}
		j.in = append(j.in, buf)
	}
	r.queued = append(r.queued, j)
	r.b.jobs <- j
	return nil
}

func destroy(list []*pjrt.Buffer) error {
	var errs []error
	for _, b := range list {
		errs = append(errs, b.Destroy())
	}
	return errors.Join(errs...)
}

// run executes the program on the variables as they are, and puts their new values in their place. It returns the outputs.
func (j *job) run() (outputs []*pjrt.Buffer, err error) {
	b := j.r.b
	b.busy.Lock()
	defer b.busy.Unlock()
	defer func() { err = errors.Join(err, destroy(j.in)) }()
	if b.broken != nil {
		return nil, fmt.Errorf("a run before has failed: %w", b.broken)
	}
	args := append([]*pjrt.Buffer{}, j.in...)
	for _, v := range j.r.m.Vars {
		buf, err := b.variable(v)
		if err != nil {
			return nil, err
		}
		args = append(args, buf)
	}
	results, err := j.r.exe.Execute(args...).Donate(j.r.m.Donated...).Done()
	if err != nil {
		b.broken = fmt.Errorf("run the program on the device: %s", oneLine(err))
		return nil, b.broken
	}
	n := len(j.r.p.Outputs)
	for i, v := range j.r.m.Written {
		b.vars[v] = results[n+i] // what was there was donated, and is gone
	}
	return results[:n], nil
}

// Finish waits for the oldest run and copies its outputs.
func (r *Runner) Finish(out [][]float32) (err error) {
	switch {
	case r.exe == nil:
		return errClosed
	case len(r.queued) == 0:
		return errors.New("no run is under way")
	case out != nil && len(out) != len(r.p.Outputs):
		return fmt.Errorf("the program has %d outputs, not %d", len(r.p.Outputs), len(out))
	}
	for i, v := range r.p.Outputs {
		if out != nil && out[i] != nil && len(out[i]) != v.Shape.Size() {
			return fmt.Errorf("output %d has %d numbers, %v, not %d", i, v.Shape.Size(), v.Shape, len(out[i]))
		}
	}
	j := r.queued[0]
	r.queued = r.queued[1:]
	<-j.done
	if j.err != nil {
		return j.err
	}
	defer func() { err = errors.Join(err, destroy(j.results)) }()
	for i := range out {
		if out[i] == nil {
			continue
		}
		if err := j.results[i].ToHost(bytesOf(out[i])); err != nil {
			return fmt.Errorf("copy output %d from the device: %s", i, oneLine(err))
		}
	}
	return nil
}

// Memory is what XLA planned for the values between the steps; what it would be without a plan is not known.
func (r *Runner) Memory() (planned, naive int64) {
	if r.exe == nil {
		return 0, 0
	}
	planned = r.exe.OnDeviceMemoryUsageStats.Temporary
	return planned, planned
}

// Close waits for the runs under way and frees the program.
func (r *Runner) Close() error {
	if r.exe == nil {
		return nil
	}
	var errs []error
	for _, j := range r.queued {
		<-j.done
		errs = append(errs, destroy(j.results))
	}
	errs = append(errs, r.exe.Destroy())
	r.exe, r.queued = nil, nil
	return errors.Join(errs...)
}
