package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Buffer is the memory of one frame, made by the Device whose sources fill it. It outlives the Source: a camera that
// reconnects goes on with the buffers it has.
type Buffer interface {
	// Image is the view on what was read last; empty before the first Read.
	Image() Image
	// Close frees the memory. Views on it are dead afterwards.
	Close() error
}

// Frame is one picture of one camera, lent by its Ring until Release.
type Frame struct {
	Image           // valid until Release
	Seq   uint64    // 1 for the first frame that the camera delivered; drops leave gaps
	Time  time.Time // when it was exposed: arrival less the camera's latency; in a replay, the source's own clock
	// Arrived is when the source handed the frame over, on the wall clock.
	Arrived time.Time

	buf  Buffer
	ring *Ring
	out  bool // lent; guarded by ring.mu
}

// Buffer is where a Source decodes the frame into.
func (f *Frame) Buffer() Buffer { return f.buf }

// Release gives the frame back to its Ring. Releasing twice panics: it would lend one memory to two owners.
func (f *Frame) Release() { f.ring.put(f) }

// ErrNoFreeSlot says that every frame of a Ring is lent: somebody keeps frames that should have been released.
var ErrNoFreeSlot = errors.New("no free frame slot: a frame was not released")

// Ring is a camera's few frame slots, allocated once. It may be used from several goroutines.
type Ring struct {
	mu   sync.Mutex
	free []*Frame
	all  []*Frame
}

// RingSize is how many slots a camera needs: one being decoded, one waiting in Latest, one in the pipeline.
const RingSize = 3

// NewRing makes a ring of n slots with memory from alloc.
func NewRing(n int, alloc func() Buffer) *Ring {
	r := &Ring{free: make([]*Frame, 0, n)}
	for range n {
		f := &Frame{buf: alloc(), ring: r}
		r.all = append(r.all, f)
		r.free = append(r.free, f)
	}
	return r
}

// Get lends a free slot, or ErrNoFreeSlot.
func (r *Ring) Get() (*Frame, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.free)
	if n == 0 {
		return nil, ErrNoFreeSlot
	}
	f := r.free[n-1]
	r.free = r.free[:n-1]
	f.out = true
	return f, nil
}

func (r *Ring) put(f *Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.out {
		panic("capture: frame released twice")
	}
	f.out = false
	f.Image = Image{}
	r.free = append(r.free, f)
}

// Lent is how many slots are out, 0 to n.
func (r *Ring) Lent() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all) - len(r.free)
}

// Close frees every slot's memory. It returns an error that names how many slots were still lent, and then frees
// nothing: their owners may be reading them.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.all) - len(r.free); n > 0 {
		return fmt.Errorf("close frame ring: %d of %d slots still lent", n, len(r.all))
	}
	var errs []error
	for _, f := range r.all {
		errs = append(errs, f.buf.Close())
	}
	r.all, r.free = nil, nil
	return errors.Join(errs...)
}

// Latest hands frames from a reader to one consumer; the newest wins. One goroutine puts, one takes.
type Latest struct {
	ch chan *Frame
}

// NewLatest is an empty hand-over.
func NewLatest() *Latest { return &Latest{ch: make(chan *Frame, 1)} }

// Put offers f and never waits. If the frame before was not taken yet, it is released and Put reports true: one drop.
func (l *Latest) Put(f *Frame) (dropped bool) {
	for {
		select {
		case l.ch <- f:
			return dropped
		default:
		}
		select {
		case old := <-l.ch:
			old.Release()
			dropped = true
		default:
		}
	}
}

// PutWait offers f and waits until the one before was taken: nothing is dropped. On a cancelled context it releases f
// and returns the context's error.
func (l *Latest) PutWait(ctx context.Context, f *Frame) error {
	select {
	case l.ch <- f:
		return nil
	case <-ctx.Done():
		f.Release()
		return ctx.Err()
	}
}

// C is where the consumer receives; it is closed by Close. The receiver owns the frame and releases it.
func (l *Latest) C() <-chan *Frame { return l.ch }

// Close ends the hand-over: the consumer gets what is still there and then a closed channel. Only the putting
// goroutine may call it, once.
func (l *Latest) Close() { close(l.ch) }
