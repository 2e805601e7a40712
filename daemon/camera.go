package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"gleaner/capture"
)

// State is how a camera is doing, in the words of the topic cam/<cam>/status.
type State string

// The states of a camera.
const (
	Online  State = "online"  // frames come
	Stalled State = "stalled" // connected, but no frame for longer than CameraOptions.Stall
	Offline State = "offline" // not connected
)

// The reasons of a camera that is offline and not because something went wrong.
const (
	Connecting = "connecting"
	Stopped    = "stopped"
)

// Status is a camera's state, why, and since when.
type Status struct {
	State  State
	Reason string    // for people; empty while online
	Since  time.Time // when State began; a new reason alone does not change it
}

// CameraOptions says how one camera is kept running. See capture.Options for the durations.
type CameraOptions struct {
	Name       string
	Latency    time.Duration // taken off the arrival to give Frame.Time, where the source has no clock of its own
	Stall      time.Duration // above 0
	BackoffMin time.Duration // above 0
	BackoffMax time.Duration // at least BackoffMin
	// NoDrop makes the reader wait for the pipeline instead of replacing frames: for a replay. A device that is Finite
	// ends with its first error then, because opened anew it would begin from its start.
	NoDrop bool
	// Log takes the camera's warnings and, at most once a second, its losses. Nil logs nothing. Changes of the status
	// go to report alone.
	Log *slog.Logger
}

// CameraStats are counts since the camera began. Frames = frames that the pipeline took + Drops + at most one that
// waits in Latest.
type CameraStats struct {
	Frames     uint64 // read from the source
	Drops      uint64 // replaced before the pipeline took them, or left over at the end
	Reopens    uint64 // times that the source was opened after the first
	OpenErrors uint64
	ReadErrors uint64
	Stalls     uint64
	NoSlot     uint64 // capture.ErrNoFreeSlot: somebody keeps frames
}

// Camera is one camera's loop: it opens the device, reads into the ring's slots, hands frames to Latest, and after an
// error backs off and opens anew, for ever. It knows nothing of what happens to a frame.
type Camera struct {
	dev    capture.Device
	o      CameraOptions
	ring   *capture.Ring
	latest *capture.Latest
	report func(Status)

	stop context.CancelFunc // ends Run
	ctx  context.Context    // ended by stop
	done chan struct{}      // closed when Run has returned

	mu      sync.Mutex
	status  Status
	last    time.Time          // since when a frame is waited for; zero: none is
	giveUp  context.CancelFunc // ends the session's context, for sources that can stop early
	started bool

	frames, drops, reopens, openErrors, readErrors, stalls, noSlot atomic.Uint64

	lossTold  time.Time // reader only, as are the next two
	lossKnown uint64
	warned    map[string]bool
}

// goodSpell is how long frames must have come for the next back-off to begin from its least again. A camera that
// delivers one frame and fails, over and over, is thus not hammered.
const goodSpell = time.Second

// NewCamera makes a camera over dev with memory for capture.RingSize frames. report is told each change of the status;
// it is called by one goroutine at a time and must neither block nor call the camera. It may be nil.
func NewCamera(dev capture.Device, o CameraOptions, report func(Status)) *Camera {
	if report == nil {
		report = func(Status) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Camera{dev: dev, o: o, report: report, ring: capture.NewRing(capture.RingSize, dev.NewBuffer),
		latest: capture.NewLatest(), done: make(chan struct{}), warned: map[string]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.status = Status{State: Offline, Reason: "not opened yet", Since: time.Now()}
	return c
}

// Latest is where the pipeline takes frames; it is closed when Run ends. The pipeline releases each frame, and holds at
// most one.
func (c *Camera) Latest() *capture.Latest { return c.latest }

// Status is the present state.
func (c *Camera) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Stats is a snapshot of the counts.
func (c *Camera) Stats() CameraStats {
	return CameraStats{Frames: c.frames.Load(), Drops: c.drops.Load(), Reopens: c.reopens.Load(),
		OpenErrors: c.openErrors.Load(), ReadErrors: c.readErrors.Load(), Stalls: c.stalls.Load(), NoSlot: c.noSlot.Load()}
}

// Lent is how many frame slots are out: with the reader, in Latest or in the pipeline. 0 to capture.RingSize.
func (c *Camera) Lent() int { return c.ring.Lent() }

// Run reads until ctx ends, Close is called, or the source ends by itself; all three return nil. A camera that does not
// exist is no end: Run says so in the status and tries on. Only a Finite device under NoDrop ends with its error. Run
// may be called once.
func (c *Camera) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.started {
		c.mu.Unlock()
		return fmt.Errorf("camera %s: run twice", c.o.Name)
	}
	c.started = true
	c.mu.Unlock()
	defer close(c.done)
	defer c.latest.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(c.ctx, cancel)()

	var wg sync.WaitGroup
	wg.Go(func() { c.watch(ctx) })
	defer wg.Wait()
	defer cancel() // before the wait: it ends the watchdog

	c.set(Offline, Connecting)
	backoff := c.o.BackoffMin
	for try := 0; ; try++ {
		if try > 0 {
			c.reopens.Add(1)
		}
		began := time.Now()
		good, err := c.session(ctx)
		switch {
		case errors.Is(err, io.EOF):
			c.set(Offline, "the source has ended")
			return nil
		case ctx.Err() != nil:
			c.set(Offline, Stopped)
			return nil
		}
		c.set(Offline, err.Error())
		if c.o.NoDrop && c.dev.Finite() {
			return fmt.Errorf("camera %s: %w", c.o.Name, err)
		}
		if good >= goodSpell {
			backoff = c.o.BackoffMin
			began = time.Now()
		}
		// The wait counts from the attempt's begin, so that a connection that hung until its time-out is not punished
		// twice.
		pause(ctx, time.Until(began.Add(jitter(backoff))))
		backoff = min(2*backoff, c.o.BackoffMax)
	}
}

// session opens the source once and reads until it fails. It returns how long frames came.
func (c *Camera) session(ctx context.Context) (good time.Duration, err error) {
	src, err := c.dev.Open(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.openErrors.Add(1)
		}
		return 0, err
	}
	reading := c.begin(ctx)
	defer func() {
		c.end()
		c.warn(src)
		err = errors.Join(err, src.Close())
	}()
	c.warn(src)
	var first time.Time
	for {
		f, err := c.read(reading, src)
		if err != nil {
			// A source that gave up because the watchdog told it to: the stall is the reason, not the cancelling.
			if errors.Is(err, context.Canceled) && ctx.Err() == nil {
				err = fmt.Errorf("no frame for %v", c.o.Stall)
			}
			if !first.IsZero() {
				good = time.Since(first)
			}
			return good, err
		}
		if first.IsZero() {
			first = f.Arrived
		}
		if reading.Err() != nil && ctx.Err() == nil {
			reading = c.begin(ctx) // the frame came after all, only late
		}
		c.arrived(f.Arrived)
		if !c.hand(ctx, f) {
			return 0, ctx.Err()
		}
	}
}

// read fills one slot.
func (c *Camera) read(ctx context.Context, src capture.Source) (*capture.Frame, error) {
	f, err := c.ring.Get()
	if err != nil {
		c.noSlot.Add(1)
		return nil, err
	}
	t, err := src.Read(ctx, f.Buffer())
	if err != nil {
		f.Release()
		if !errors.Is(err, io.EOF) && ctx.Err() == nil {
			c.readErrors.Add(1)
		}
		return nil, err
	}
	f.Arrived = time.Now()
	f.Image = f.Buffer().Image()
	f.Seq = c.frames.Add(1)
	if f.Time = t; t.IsZero() {
		f.Time = f.Arrived.Add(-c.o.Latency)
	}
	return f, nil
}

// hand passes f on and reports whether reading goes on.
func (c *Camera) hand(ctx context.Context, f *capture.Frame) bool {
	if c.o.NoDrop {
		c.clock(time.Time{}) // waiting for the pipeline is no stall
		if c.latest.PutWait(ctx, f) != nil {
			c.drops.Add(1)
			return false
		}
		c.clock(time.Now())
		return true
	}
	now := f.Arrived // f is the pipeline's after Put
	if c.latest.Put(f) {
		c.drops.Add(1)
	}
	if n := c.drops.Load(); n > c.lossKnown && now.Sub(c.lossTold) >= time.Second {
		c.o.Log.Warn("frames dropped: the pipeline is slower than the camera", "camera", c.o.Name,
			"dropped", n-c.lossKnown, "total", n)
		c.lossKnown, c.lossTold = n, now
	}
	return ctx.Err() == nil
}

// warn logs what the source has to say, each line once in the camera's life.
func (c *Camera) warn(src capture.Source) {
	w, ok := src.(interface{ Warnings() []string })
	if !ok {
		return
	}
	for _, line := range w.Warnings() {
		if c.warned[line] || len(c.warned) >= 1000 {
			continue
		}
		c.warned[line] = true
		c.o.Log.Warn(line, "camera", c.o.Name)
	}
}

func (c *Camera) set(s State, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setLocked(s, reason)
}

func (c *Camera) setLocked(s State, reason string) {
	if c.status.State == s && c.status.Reason == reason {
		return
	}
	if c.status.State != s {
		c.status.Since = time.Now()
	}
	c.status.State, c.status.Reason = s, reason
	c.report(c.status)
}

// Close ends Run, waits for it until ctx ends, and frees the frames' memory. A native read that still blocks then is an
// error, and so is a frame that the pipeline has not released; in both cases nothing is freed, for somebody may be
// writing or reading there. Closing twice is harmless.
func (c *Camera) Close(ctx context.Context) error {
	c.stop()
	c.mu.Lock()
	if !c.started { // and never will be
		c.started = true
		c.latest.Close()
		close(c.done)
	}
	c.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		return fmt.Errorf("close camera %s: a read still blocks, its memory is left to it: %w", c.o.Name, ctx.Err())
	}
	for f := range c.latest.C() {
		f.Release()
		c.drops.Add(1)
	}
	if err := c.ring.Close(); err != nil {
		return fmt.Errorf("close camera %s: %w", c.o.Name, err)
	}
	return nil
}

// jitter is d less up to a quarter, so that cameras that were lost together do not come back together.
func jitter(d time.Duration) time.Duration { return d - time.Duration(rand.Int64N(int64(d)/4+1)) }

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
