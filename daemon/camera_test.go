package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gleaner/capture"
)

// script is a Device whose sources do what the test says.
type script struct {
	open   func(try int) error
	read   func(ctx context.Context, try, n int) (time.Time, error) // n counts a session's reads from 0
	finite bool
	warns  []string
	tries  int
	closed int
	live   atomic.Int32 // buffers not closed
}

func (d *script) Open(context.Context) (capture.Source, error) {
	d.tries++
	if d.open != nil {
		if err := d.open(d.tries); err != nil {
			return nil, err
		}
	}
	return &scriptSource{d: d, try: d.tries}, nil
}

func (d *script) NewBuffer() capture.Buffer {
	d.live.Add(1)
	return &scriptBuffer{d: d}
}
func (d *script) Finite() bool   { return d.finite }
func (d *script) String() string { return "script" }

type scriptBuffer struct {
	capture.Memory
	d *script
}

func (b *scriptBuffer) Close() error {
	b.d.live.Add(-1)
	return b.Memory.Close()
}

type scriptSource struct {
	d      *script
	try, n int
}

func (s *scriptSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	b.(*scriptBuffer).Size(4, 2)
	s.n++
	return s.d.read(ctx, s.try, s.n-1)
}
func (s *scriptSource) Close() error       { s.d.closed++; return nil }
func (s *scriptSource) Warnings() []string { return s.d.warns }

// every waits a frame's time, as a camera does.
func every(ctx context.Context, d time.Duration) (time.Time, error) {
	select {
	case <-time.After(d):
		return time.Time{}, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

func options() CameraOptions {
	return CameraOptions{Name: "벨트-1", Stall: 3 * time.Second, BackoffMin: 250 * time.Millisecond, BackoffMax: 4 * time.Second}
}

// rig runs a camera inside a synctest bubble and keeps its history.
type rig struct {
	*Camera
	states []Status
	err    error
	taken  int
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// pass lets the bubble's time go by; what the camera did until then may be looked at afterwards.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func start(d *script, o CameraOptions, take func(*capture.Frame)) *rig {
	r := &rig{}
	r.Camera = NewCamera(d, o, func(s Status) { r.states = append(r.states, s) })
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.wg.Go(func() { r.err = r.Run(ctx) })
	r.wg.Go(func() {
		for f := range r.Latest().C() {
			r.taken++
			if take != nil {
				take(f)
			}
			f.Release()
		}
	})
	return r
}

// finish ends the camera and checks what must hold for every one: all frames accounted for, all memory freed.
func (r *rig) finish(t *testing.T, d *script) {
	t.Helper()
	r.cancel()
	r.wg.Wait()
	if err := r.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(context.Background()); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	s := r.Stats()
	if s.Frames != uint64(r.taken)+s.Drops {
		t.Fatalf("%d frames are not %d taken and %d dropped", s.Frames, r.taken, s.Drops)
	}
	if n := d.live.Load(); n != 0 {
		t.Fatalf("%d buffers not freed", n)
	}
}

func (r *rig) history() string {
	var b strings.Builder
	for _, s := range r.states {
		b.WriteString(string(s.State) + "(" + s.Reason + ") ")
	}
	return strings.TrimSpace(b.String())
}

func TestCameraStampsFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{read: func(ctx context.Context, _, _ int) (time.Time, error) { return every(ctx, 40*time.Millisecond) }}
		o := options()
		o.Latency = 15 * time.Millisecond
		var seq uint64
		r := start(d, o, func(f *capture.Frame) {
			seq++
			if f.Seq != seq || f.W != 4 || !f.Arrived.Equal(time.Now()) || f.Arrived.Sub(f.Time) != o.Latency {
				t.Errorf("frame %d: seq %d, width %d, exposed %v before arrival", seq, f.Seq, f.W, f.Arrived.Sub(f.Time))
			}
		})
		pass(time.Second + time.Millisecond)
		r.finish(t, d)
		if r.taken != 25 || r.err != nil || r.history() != "offline(connecting) online() offline(stopped)" {
			t.Fatalf("%d frames, error %v, states %s", r.taken, r.err, r.history())
		}
	})
}

func TestCameraThatDoesNotExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		d := &script{open: func(int) error {
			at = append(at, time.Since(begin))
			return errors.New("no such camera")
		}}
		r := start(d, options(), nil)
		pass(30 * time.Second)
		if r.history() != "offline(connecting) offline(no such camera)" || r.Status().Since.Sub(begin) != 0 {
			t.Fatalf("states %s", r.history())
		}
		if n := r.Stats().OpenErrors; n != uint64(len(at)) || n < 8 || n > 14 {
			t.Fatalf("%d attempts, %d counted", len(at), n)
		}
		for i := 1; i < len(at); i++ {
			most := min(250*time.Millisecond<<(i-1), 4*time.Second)
			if gap := at[i] - at[i-1]; gap > most || gap < most*3/4 {
				t.Fatalf("attempt %d came %v after the one before, want %v to %v", i, gap, most*3/4, most)
			}
		}
		r.finish(t, d)
	})
}

func TestCameraHangingOpenCountsTowardsTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last, most time.Duration
		begin := time.Now()
		d := &script{open: func(int) error {
			now := time.Since(begin)
			most, last = max(most, now-last), now
			time.Sleep(2 * time.Second) // a black hole's time-out
			return errors.New("timed out")
		}}
		r := start(d, options(), nil)
		pass(40 * time.Second)
		if most > 4*time.Second {
			t.Fatalf("%v from one attempt to the next, want at most 4 s", most)
		}
		r.finish(t, d)
	})
}

func TestCameraReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{read: func(ctx context.Context, try, n int) (time.Time, error) {
			if n == 50 && try < 4 {
				return time.Time{}, errors.New("connection reset")
			}
			return every(ctx, 40*time.Millisecond)
		}}
		r := start(d, options(), nil)
		pass(10 * time.Second)
		s := r.Stats()
		if s.Reopens != 3 || s.ReadErrors != 3 || d.closed != 3 || s.Stalls != 0 {
			t.Fatalf("stats %+v, %d closed", s, d.closed)
		}
		// After a good spell the back-off begins anew: three gaps of 250 ms and one frame's time at most.
		if want := uint64(10*time.Second/(40*time.Millisecond)) - 3*8; s.Frames < want {
			t.Fatalf("%d frames, want at least %d", s.Frames, want)
		}
		if want := "online() offline(connection reset) online()"; !strings.HasSuffix(r.history(), want) {
			t.Fatalf("states %s", r.history())
		}
		r.finish(t, d)
	})
}

func TestCameraThatFlapsIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{read: func(_ context.Context, _, n int) (time.Time, error) {
			if n > 0 {
				return time.Time{}, errors.New("gone")
			}
			return time.Time{}, nil
		}}
		r := start(d, options(), nil)
		pass(40 * time.Second)
		if d.tries > 18 {
			t.Fatalf("opened %d times in 40 s", d.tries)
		}
		r.finish(t, d)
	})
}

func TestCameraStall(t *testing.T) {
	for _, c := range []struct {
		name  string
		block func(ctx context.Context) (time.Time, error)
		want  string
		tries int
	}{
		{"source that gives up early", func(ctx context.Context) (time.Time, error) {
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		}, "online() stalled(connected, but no frame for 3s) offline(no frame for 3s) online()", 2},
		{"native read that cannot", func(context.Context) (time.Time, error) {
			time.Sleep(5 * time.Second)
			return time.Time{}, errors.New("timed out")
		}, "online() stalled(connected, but no frame for 3s) offline(timed out) online()", 2},
		{"frame that comes after all", func(context.Context) (time.Time, error) {
			time.Sleep(5 * time.Second)
			return time.Time{}, nil
		}, "online() stalled(connected, but no frame for 3s) online()", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				blocked := false
				d := &script{}
				d.read = func(ctx context.Context, _, n int) (time.Time, error) {
					if n == 10 && !blocked {
						blocked = true
						return c.block(ctx)
					}
					return every(ctx, 40*time.Millisecond)
				}
				r := start(d, options(), nil)
				pass(10 * time.Second)
				if got := strings.TrimPrefix(r.history(), "offline(connecting) "); got != c.want {
					t.Fatalf("states %s, want %s", got, c.want)
				}
				if d.tries != c.tries || r.Stats().Stalls != 1 {
					t.Fatalf("opened %d times, want %d; %+v", d.tries, c.tries, r.Stats())
				}
				r.finish(t, d)
			})
		})
	}
}

func TestCameraReplayDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{finite: true, read: func(_ context.Context, _, n int) (time.Time, error) {
			if n == 100 {
				return time.Time{}, io.EOF
			}
			return time.Unix(0, int64(n)), nil
		}}
		o := options()
		o.NoDrop = true
		n := int64(0)
		r := start(d, o, func(f *capture.Frame) {
			if f.Time.UnixNano() != n {
				t.Errorf("frame %d has time %v", n, f.Time)
			}
			n++
			time.Sleep(4 * time.Second) // slower than Stall: waiting for the pipeline is none
		})
		pass(time.Hour)
		r.finish(t, d)
		s := r.Stats()
		if r.err != nil || r.taken != 100 || s.Drops != 0 || s.Stalls != 0 || s.Reopens != 0 {
			t.Fatalf("%d taken, error %v, %+v", r.taken, r.err, s)
		}
	})
}

func TestCameraReplayEndsWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{finite: true, open: func(int) error { return errors.New("clip is damaged") }}
		o := options()
		o.NoDrop = true
		r := start(d, o, nil)
		pass(time.Minute)
		if r.err == nil || r.err.Error() != "camera 벨트-1: clip is damaged" || d.tries != 1 {
			t.Fatalf("error %v after %d attempts", r.err, d.tries)
		}
		r.finish(t, d)
	})
}

func TestCameraSaysLossOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := &script{warns: []string{"gain: asked for 9, the camera took 8"},
			read: func(ctx context.Context, _, _ int) (time.Time, error) { return every(ctx, 10*time.Millisecond) }}
		o := options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		r := start(d, o, func(*capture.Frame) { time.Sleep(50 * time.Millisecond) })
		pass(5*time.Second + 5*time.Millisecond)
		r.finish(t, d)
		if n := strings.Count(log.String(), "frames dropped"); n < 4 || n > 6 {
			t.Fatalf("loss said %d times in 5 s:\n%s", n, log.String())
		}
		if n := strings.Count(log.String(), "gain: asked for 9"); n != 1 {
			t.Fatalf("warning said %d times:\n%s", n, log.String())
		}
		if s := r.Stats(); s.Drops < 350 {
			t.Fatalf("%+v: want about 4 of 5 frames dropped", s)
		}
	})
}

func TestCameraKeptFrameIsAnErrorWithAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{read: func(ctx context.Context, _, _ int) (time.Time, error) { return every(ctx, 10*time.Millisecond) }}
		c := NewCamera(d, options(), nil)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _ = c.Run(ctx) }()
		kept := []*capture.Frame{<-c.Latest().C(), <-c.Latest().C(), <-c.Latest().C()}
		pass(time.Second)
		if s := c.Status(); s.State != Offline || s.Reason != capture.ErrNoFreeSlot.Error() || c.Stats().NoSlot == 0 {
			t.Fatalf("status %+v, %+v", s, c.Stats())
		}
		cancel()
		if err := c.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "3 of 3 slots still lent") {
			t.Fatalf("Close with kept frames: %v", err)
		}
		for _, f := range kept {
			f.Release()
		}
		if err := c.Close(context.Background()); err != nil || d.live.Load() != 0 {
			t.Fatalf("Close: %v, %d buffers", err, d.live.Load())
		}
	})
}

func TestCameraCloseReportsAStuckRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &script{read: func(context.Context, int, int) (time.Time, error) {
			time.Sleep(time.Hour)
			return time.Time{}, errors.New("at last")
		}}
		r := start(d, options(), nil)
		pass(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Close(ctx); err == nil || !strings.Contains(err.Error(), "a read still blocks") || d.live.Load() != capture.RingSize {
			t.Fatalf("Close: %v, %d buffers alive", err, d.live.Load())
		}
		pass(time.Hour)
		r.finish(t, d)
	})
}

func TestCameraClosedBeforeRun(t *testing.T) {
	d := &script{}
	c := NewCamera(d, options(), nil)
	if err := c.Close(context.Background()); err != nil || d.live.Load() != 0 {
		t.Fatalf("Close: %v, %d buffers", err, d.live.Load())
	}
	if err := c.Run(context.Background()); err == nil {
		t.Fatal("Run after Close must fail")
	}
}

func TestCameraSteadyAllocatesNothing(t *testing.T) {
	step := make(chan struct{})
	d := &script{read: func(ctx context.Context, _, _ int) (time.Time, error) {
		select {
		case <-step:
			return time.Time{}, nil
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}}
	o := options()
	o.Stall = time.Hour
	c := NewCamera(d, o, nil)
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(context.Background()) }()
	n := testing.AllocsPerRun(200, func() {
		step <- struct{}{}
		(<-c.Latest().C()).Release()
	})
	if err := c.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-done
	if n != 0 {
		t.Fatalf("%g allocations per frame, want 0", n)
	}
}
