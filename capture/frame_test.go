package capture

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// counted is memory that says how often it was freed.
type counted struct {
	Memory
	closed *int
}

func (c *counted) Close() error { *c.closed++; return nil }

func newTestRing() (*Ring, *int) {
	closed := new(int)
	return NewRing(RingSize, func() Buffer { return &counted{closed: closed} }), closed
}

func get(t *testing.T, r *Ring) *Frame {
	t.Helper()
	f, err := r.Get()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRingLendsEachSlotOnce(t *testing.T) {
	r, closed := newTestRing()
	seen := map[Buffer]bool{}
	var frames []*Frame
	for range RingSize {
		f := get(t, r)
		seen[f.Buffer()] = true
		frames = append(frames, f)
	}
	if len(seen) != RingSize || r.Lent() != RingSize {
		t.Fatalf("%d buffers, %d lent, want %d", len(seen), r.Lent(), RingSize)
	}
	if _, err := r.Get(); !errors.Is(err, ErrNoFreeSlot) {
		t.Fatalf("error %v, want ErrNoFreeSlot", err)
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "3 of 3 slots still lent") || *closed != 0 {
		t.Fatalf("Close while lent: %v, %d freed", err, *closed)
	}
	frames[0].Image = NewImage(2, 2)
	for _, f := range frames {
		f.Release()
	}
	if !frames[0].Empty() {
		t.Fatal("a released frame still shows pixels")
	}
	if err := r.Close(); err != nil || *closed != RingSize || r.Lent() != 0 {
		t.Fatalf("Close: %v, %d freed", err, *closed)
	}
	if _, err := r.Get(); !errors.Is(err, ErrNoFreeSlot) {
		t.Fatalf("Get after Close: %v", err)
	}
}

func TestReleaseTwicePanics(t *testing.T) {
	r, _ := newTestRing()
	f := get(t, r)
	f.Release()
	defer func() {
		if recover() == nil {
			t.Fatal("no panic")
		}
	}()
	f.Release()
}

func TestLatestNewestWins(t *testing.T) {
	r, _ := newTestRing()
	l := NewLatest()
	for i := range 5 {
		f := get(t, r)
		f.Seq = uint64(i + 1)
		if dropped := l.Put(f); dropped != (i > 0) {
			t.Fatalf("put %d: dropped %v", i, dropped)
		}
	}
	l.Close()
	f := <-l.C()
	if f.Seq != 5 || r.Lent() != 1 {
		t.Fatalf("took frame %d, %d lent; want the newest and nothing else", f.Seq, r.Lent())
	}
	f.Release()
	if _, open := <-l.C(); open {
		t.Fatal("not closed")
	}
}

func TestLatestPutWait(t *testing.T) {
	r, _ := newTestRing()
	l := NewLatest()
	ctx, cancel := context.WithCancel(context.Background())
	if err := l.PutWait(ctx, get(t, r)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := l.PutWait(ctx, get(t, r)); !errors.Is(err, context.Canceled) || r.Lent() != 1 {
		t.Fatalf("error %v, %d lent; want canceled and only the first lent", err, r.Lent())
	}
}

// TestLatestConserves runs both ends at once: every frame is either taken or reported as a drop, in order.
func TestLatestConserves(t *testing.T) {
	const n = 20000
	r, _ := newTestRing()
	l := NewLatest()
	taken, last := 0, uint64(0)
	var wg sync.WaitGroup
	wg.Go(func() {
		for f := range l.C() {
			if f.Seq <= last {
				t.Errorf("frame %d after %d", f.Seq, last)
			}
			last = f.Seq
			taken++
			f.Release()
		}
	})
	drops := 0
	for i := range n {
		f, err := r.Get()
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		f.Seq = uint64(i + 1)
		if l.Put(f) {
			drops++
		}
	}
	l.Close()
	wg.Wait()
	if taken+drops != n || last != n || r.Lent() != 0 {
		t.Fatalf("%d taken and %d dropped of %d; the last was %d; %d still lent", taken, drops, n, last, r.Lent())
	}
}

func TestHandOverAllocatesNothing(t *testing.T) {
	r, _ := newTestRing()
	l := NewLatest()
	if n := testing.AllocsPerRun(100, func() {
		f, _ := r.Get()
		l.Put(f)
		(<-l.C()).Release()
	}); n != 0 {
		t.Fatalf("%g allocations per frame, want 0", n)
	}
}
