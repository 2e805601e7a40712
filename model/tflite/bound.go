//go:build cgo && !nonative

package tflite

import (
	"runtime"
	"sync"

	"gleaner/model"
)

// bound is a runner that lives on one thread from its making to its end. A call costs two hand-overs between
// goroutines, some microseconds, which is little beside what a plug-in's device takes.
type bound struct {
	r    *runner
	ask  chan bool // true: compute; closed: end
	done chan error
	wg   sync.WaitGroup
	mu   sync.Mutex // Close may be called twice
	shut bool
}

func startBound(c *checked, s step, threads int) (startable, claims, error) {
	b := &bound{ask: make(chan bool), done: make(chan error)}
	b.wg.Go(func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and with it what hangs on it
		r, err := build(c, s, threads, func(string) {})
		b.r = r
		b.done <- err
		if err != nil {
			return
		}
		for range b.ask {
			b.done <- r.Invoke()
		}
		r.Close()
	})
	if err := <-b.done; err != nil {
		b.wg.Wait()
		return nil, claims{}, err
	}
	return b, b.r.claims, nil
}

// Inputs are the runner's.
func (b *bound) Inputs() []model.Tensor { return b.r.Inputs() }

// Outputs are the runner's.
func (b *bound) Outputs() []model.Tensor { return b.r.Outputs() }

// Info is the runner's.
func (b *bound) Info() model.Info { return b.r.Info() }

func (b *bound) setInfo(i model.Info) { b.r.setInfo(i) }

// Invoke computes on the runner's thread.
func (b *bound) Invoke() error {
	if b.shut {
		return ErrClosed
	}
	b.ask <- true
	return <-b.done
}

// Close ends the runner and its thread.
func (b *bound) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.shut {
		b.shut = true
		close(b.ask)
	}
	b.wg.Wait()
	return nil
}
