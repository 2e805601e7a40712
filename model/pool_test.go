package model_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"gleaner/model"
	"gleaner/model/modeltest"
)

// opener makes fakes and knows how many are open.
type opener struct {
	made, open atomic.Int64
	failAfter  int64 // 0: never
}

type counted struct {
	*modeltest.Fake
	o    *opener
	busy atomic.Int32
}

func (c *counted) Close() error {
	c.o.open.Add(-1)
	return c.Fake.Close()
}

func (o *opener) Open() (model.Runner, error) {
	n := o.made.Add(1)
	if o.failAfter > 0 && n > o.failAfter {
		return nil, errors.New("out of memory")
	}
	o.open.Add(1)
	return &counted{Fake: modeltest.NewFake(modeltest.Shape{1, 4}, modeltest.Shape{1, 2}), o: o}, nil
}

func pool(t testing.TB, o *opener, workers int) *model.Pool {
	t.Helper()
	p, err := model.NewPool(o.Open, workers)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPoolRefuses(t *testing.T) {
	if _, err := model.NewPool(new(opener).Open, 0); err == nil {
		t.Error("a pool of no workers was made")
	}
	want := errors.New("no such model")
	if _, err := model.NewPool(func() (model.Runner, error) { return nil, want }, 1); !errors.Is(err, want) {
		t.Errorf("the first Runner's error is %v", err)
	}
	p := pool(t, new(opener), 1)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a foreign Runner was taken")
			}
		}()
		p.Put(modeltest.NewFake(modeltest.Shape{1}, modeltest.Shape{1}))
	}()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestPoolOpensOnlyWhenSomebodyWaits(t *testing.T) {
	o := new(opener)
	p := pool(t, o, 3)
	ctx := context.Background()
	for range 10 {
		r, _ := p.Get(ctx)
		p.Put(r)
	}
	if s := p.Stats(); s.Opened != 1 || s.Waits != 0 || s.Gets != 10 {
		t.Errorf("one user at a time: %+v", s)
	}
	a, _ := p.Get(ctx)
	b, _ := p.Get(ctx)
	c, _ := p.Get(ctx)
	if s := p.Stats(); s.Opened != 3 || s.Lent != 3 || s.Waits != 2 {
		t.Errorf("three at once: %+v", s)
	}
	for _, r := range []model.Runner{a, b, c} {
		p.Put(r)
	}
	p.Close()
	if o.open.Load() != 0 {
		t.Errorf("%d Runners are left open", o.open.Load())
	}
	if _, err := p.Get(ctx); !errors.Is(err, model.ErrPoolClosed) {
		t.Errorf("Get after Close: %v", err)
	}
}

func TestPoolGoesOnWithFewerRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, &opener{failAfter: 1}, 4)
		a, _ := p.Get(t.Context())
		var got model.Runner
		var wg sync.WaitGroup
		wg.Go(func() { got, _ = p.Get(t.Context()) })
		synctest.Wait()
		if s := p.Stats(); s.Err == nil || s.Waiting != 1 || s.Opened != 1 {
			t.Errorf("after a failed opening: %+v", s)
		}
		p.Put(a)
		wg.Wait()
		if got != a {
			t.Error("the one that waited got another Runner than the only one")
		}
		p.Put(got)
		p.Close()
	})
}

func TestPoolIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, new(opener), 1)
		held, _ := p.Get(t.Context())
		var order []int // only whoever holds the one Runner writes
		var wg sync.WaitGroup
		stop := make([]context.CancelFunc, 6)
		errs := make([]error, 6)
		for i := range 6 {
			ctx, cancel := context.WithCancel(t.Context())
			stop[i] = cancel
			wg.Go(func() {
				r, err := p.Get(ctx)
				if errs[i] = err; err == nil {
					order = append(order, i)
					p.Put(r)
				}
			})
			synctest.Wait()
		}
		stop[0]()
		stop[3]()
		stop[5]()
		synctest.Wait()
		if s := p.Stats(); s.Waiting != 3 {
			t.Errorf("%d wait, want 3", s.Waiting)
		}
		p.Put(held)
		wg.Wait()
		if fmt.Sprint(order) != "[1 2 4]" {
			t.Errorf("served in the order %v", order)
		}
		for _, i := range []int{0, 3, 5} {
			if !errors.Is(errs[i], context.Canceled) {
				t.Errorf("waiter %d: %v", i, errs[i])
			}
		}
		for _, c := range stop {
			c()
		}
		p.Close()
	})
}

func TestPoolCloseWaitsForLentRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(opener)
		p := pool(t, o, 1)
		held, _ := p.Get(t.Context())
		var waited error
		var closed atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() { _, waited = p.Get(t.Context()) })
		synctest.Wait()
		wg.Go(func() { p.Close(); closed.Store(true) })
		synctest.Wait()
		if closed.Load() || o.open.Load() != 1 {
			t.Error("Close did not wait for the lent Runner")
		}
		if !errors.Is(waited, model.ErrPoolClosed) {
			t.Errorf("the one that waited got %v", waited)
		}
		p.Put(held)
		wg.Wait()
		if o.open.Load() != 0 {
			t.Error("a Runner was not freed")
		}
		if err := p.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestPoolAllocatesNothing(t *testing.T) {
	p := pool(t, new(opener), 1)
	defer p.Close()
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		r, _ := p.Get(ctx)
		p.Put(r)
	}); n != 0 {
		t.Errorf("%v allocations for a Get and a Put", n)
	}
}

// TestPoolUnderLoad is for the race detector: no Runner is ever with two callers, none is lost.
func TestPoolUnderLoad(t *testing.T) {
	o := new(opener)
	p := pool(t, o, 3)
	var wg sync.WaitGroup
	var served atomic.Int64
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithCancel(context.Background())
				if (i+g)%5 == 0 {
					cancel()
				}
				if (i+g)%7 == 0 {
					wg.Go(cancel) // races with Get, which is the point
				}
				r, err := p.Get(ctx)
				if err == nil {
					if c := r.(*counted); c.busy.Add(1) != 1 {
						t.Error("one Runner is lent twice")
					} else if err := r.Invoke(); err != nil {
						t.Error(err)
					}
					r.(*counted).busy.Add(-1)
					served.Add(1)
					p.Put(r)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.Lent != 0 || s.Waiting != 0 || s.Opened > 3 || served.Load() == 0 {
		t.Errorf("after the load: %+v, %d served", s, served.Load())
	}
	p.Close()
	if o.open.Load() != 0 {
		t.Errorf("%d Runners are left open", o.open.Load())
	}
}

// TestPoolProperty drives a pool with random callers and compares it with a queue and a counter.
func TestPoolProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers := rapid.IntRange(1, 4).Draw(rt, "workers")
		steps := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 60).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) { drive(t, rt, workers, steps) })
	})
}

type caller struct {
	cancel context.CancelFunc
	r      model.Runner
	err    error
	done   bool
}

func drive(t *testing.T, rt *rapid.T, workers int, steps []int) {
	o := new(opener)
	p := pool(t, o, workers)
	var wg sync.WaitGroup
	var holding, waiting []*caller // what must be so; the oldest first
	for n, s := range steps {
		switch {
		case s < 3: // one more caller
			c := new(caller)
			var ctx context.Context
			ctx, c.cancel = context.WithCancel(context.Background())
			wg.Go(func() { c.r, c.err = p.Get(ctx); c.done = true })
			if len(holding) < workers {
				holding = append(holding, c)
			} else {
				waiting = append(waiting, c)
			}
		case s < 5 && len(holding) > 0: // one goes, the oldest that waits takes its place
			i := n % len(holding)
			p.Put(holding[i].r)
			holding[i].cancel()
			holding = append(holding[:i], holding[i+1:]...)
			if len(waiting) > 0 {
				holding, waiting = append(holding, waiting[0]), waiting[1:]
			}
		case s == 5 && len(waiting) > 0: // one gives up
			i := n % len(waiting)
			waiting[i].cancel()
			waiting = append(waiting[:i], waiting[i+1:]...)
		}
		synctest.Wait()
		for _, c := range holding {
			if !c.done || c.err != nil {
				rt.Errorf("step %d: a caller whose turn it is waits (%v)", n, c.err)
			}
		}
		for _, c := range waiting {
			if c.done {
				rt.Errorf("step %d: a caller was served before its turn", n)
			}
		}
		if st := p.Stats(); st.Lent != len(holding) || st.Waiting != len(waiting) || st.Opened > workers || int64(st.Opened) != o.open.Load() {
			rt.Errorf("step %d: %+v with %d holding and %d waiting", n, st, len(holding), len(waiting))
		}
	}
	for _, c := range waiting {
		c.cancel()
	}
	synctest.Wait()
	for _, c := range holding {
		p.Put(c.r)
		c.cancel()
	}
	wg.Wait()
	p.Close()
	if o.open.Load() != 0 {
		rt.Errorf("%d Runners are left open", o.open.Load())
	}
}
