package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrPoolClosed is what Get gives once Close was called.
var ErrPoolClosed = errors.New("the pool of runners is closed")

// Pool shares a few Runners of one network among all cameras, first come first served. Runners are dear (tens of
// megabytes each on XNNPACK), so only the first is opened at once; another one is opened when all are lent and
// somebody waits, up to the number of workers. All methods may be called from any goroutine.
type Pool struct {
	open    func() (Runner, error)
	workers int
	info    Info

	mu      sync.Mutex
	openers sync.WaitGroup // at most one goroutine, the one of grow
	back    *sync.Cond     // on mu: no Runner is lent any more
	free    []Runner       // the last one put back is lent first: its weights are still in the cache
	lent    []Runner
	opening bool
	openErr error // why there are fewer Runners than workers; nothing more is opened after it
	closed  bool
	first   *waiter // the queue, oldest first
	last    *waiter
	spare   *waiter // waiters to use again
	stats   Stats
}

// Stats says what a Pool did since it was made.
type Stats struct {
	Workers int    // how many Runners there may be
	Opened  int    // how many there are
	Lent    int    // how many are lent now
	Waiting int    // callers of Get that wait now
	Gets    uint64 // Runners lent since the beginning
	Waits   uint64 // calls of Get that found no free Runner
	Err     error  // why fewer than Workers can be opened; nil while none failed
}

// waiter is one caller of Get in the queue.
type waiter struct {
	got  chan Runner // holds one: the Runner, or nil when the pool closes
	next *waiter
}

// NewPool opens the first Runner and lends up to workers (at least 1) of them. open is called again when more are
// needed, one call at a time, from a goroutine of the pool's own; a failure then is no failure of Get, the pool goes on with
// the Runners it has and Stats tells why.
func NewPool(open func() (Runner, error), workers int) (*Pool, error) {
	if workers < 1 {
		return nil, fmt.Errorf("a pool of %d runners: at least 1 is needed", workers)
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	p := &Pool{open: open, workers: workers, info: r.Info(), free: make([]Runner, 0, workers), lent: make([]Runner, 0, workers)}
	p.back = sync.NewCond(&p.mu)
	p.free = append(p.free, r)
	p.stats.Opened = 1
	return p, nil
}

// Info is the first Runner's.
func (p *Pool) Info() Info { return p.info }

// Stats is a snapshot.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Workers, s.Lent, s.Err = p.workers, len(p.lent), p.openErr
	for w := p.first; w != nil; w = w.next {
		s.Waiting++
	}
	return s
}

// Get waits for a free Runner, first come first served. It gives ctx's error when ctx ends first and ErrPoolClosed once
// Close was called. A free Runner costs no allocation.
func (p *Pool) Get(ctx context.Context) (Runner, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrPoolClosed
	}
	if n := len(p.free); n > 0 { // nobody waits while one is free
		r := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.lend(r)
		p.mu.Unlock()
		return r, nil
	}
	w := p.enqueue()
	p.grow()
	p.mu.Unlock()

	select {
	case r := <-w.got:
		p.recycle(w)
		if r == nil {
			return nil, ErrPoolClosed
		}
		return r, nil
	case <-ctx.Done():
		p.leave(w)
		return nil, ctx.Err()
	}
}

// Put gives back a Runner that Get lent; any other is a programming error and panics.
func (p *Pool) Put(r Runner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.lent, r)
	if i < 0 {
		panic("model: Put of a Runner that this Pool has not lent")
	}
	n := len(p.lent) - 1
	p.lent[i], p.lent[n] = p.lent[n], nil
	p.lent = p.lent[:n]
	p.offer(r)
	if len(p.lent) == 0 {
		p.back.Broadcast()
	}
}

// Close turns away everybody who waits, waits for every lent Runner to be put back and frees them all. It gives the
// Runners' errors joined; a second call waits likewise and gives nil.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for w := p.dequeue(); w != nil; w = p.dequeue() {
		w.got <- nil
	}
	p.mu.Unlock()
	p.openers.Wait() // none is added once closed is set
	p.mu.Lock()
	for len(p.lent) > 0 {
		p.back.Wait()
	}
	var errs []error
	for _, r := range p.free {
		errs = append(errs, r.Close())
		p.stats.Opened--
	}
	p.free = nil
	return errors.Join(errs...)
}

// lend notes that r is out. mu is held.
func (p *Pool) lend(r Runner) {
	p.lent = append(p.lent, r)
	p.stats.Gets++
}

// offer gives r to the one who waits longest, or keeps it. mu is held.
func (p *Pool) offer(r Runner) {
	if w := p.dequeue(); w != nil {
		p.lend(r)
		w.got <- r
		return
	}
	p.free = append(p.free, r)
}

// grow opens one more Runner beside the caller, who takes whichever comes first. mu is held.
func (p *Pool) grow() {
	if p.opening || p.openErr != nil || p.stats.Opened >= p.workers {
		return
	}
	p.opening = true
	p.openers.Go(func() {
		r, err := p.open()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.opening = false
		if err != nil {
			p.openErr = err
			return
		}
		p.stats.Opened++
		p.offer(r)
		if p.first != nil {
			p.grow()
		}
	})
}

// enqueue puts a waiter at the queue's end. mu is held.
func (p *Pool) enqueue() *waiter {
	w := p.spare
	if w == nil {
		w = &waiter{got: make(chan Runner, 1)}
	} else {
		p.spare, w.next = w.next, nil
	}
	if p.last == nil {
		p.first = w
	} else {
		p.last.next = w
	}
	p.last = w
	p.stats.Waits++
	return w
}

// dequeue takes the oldest waiter out; nil when nobody waits. mu is held.
func (p *Pool) dequeue() *waiter {
	w := p.first
	if w == nil {
		return nil
	}
	if p.first = w.next; p.first == nil {
		p.last = nil
	}
	w.next = nil
	return w
}

// leave takes w out of the queue; a Runner that was handed to it meanwhile goes to the next.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	var before *waiter
	for at := p.first; at != nil; before, at = at, at.next {
		if at != w {
			continue
		}
		if before == nil {
			p.first = w.next
		} else {
			before.next = w.next
		}
		if p.last == w {
			p.last = before
		}
		break
	}
	p.mu.Unlock()
	select {
	case r := <-w.got:
		if r != nil {
			p.Put(r)
		}
	default:
	}
	p.recycle(w)
}

// recycle keeps a waiter whose channel is empty for the next call.
func (p *Pool) recycle(w *waiter) {
	p.mu.Lock()
	w.next, p.spare = p.spare, w
	p.mu.Unlock()
}
