package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gleaner/capture"
	"gleaner/capture/capturetest"
	"gleaner/capture/cv"
	"gleaner/daemon"
)

// lane is one camera and its way of being lost.
type lane struct {
	kind string
	srv  *server
	cam  *daemon.Camera
	size int // which of sizes the server has now
	stop context.CancelFunc
	wg   sync.WaitGroup
	seen atomic.Pointer[seen]
	diary
}

// seen is the frame that the consumer took last.
type seen struct {
	w, h    int
	arrived time.Time
}

func newLane(kind string, srv *server) (*lane, error) {
	o := capture.DefaultOptions()
	o.Source = fmt.Sprintf("%s://%s/live", kind, srv.addr[kind])
	dev, err := cv.NewDevice(o)
	if err != nil {
		return nil, err
	}
	l := &lane{kind: kind, srv: srv}
	l.cam = daemon.NewCamera(dev, daemon.CameraOptions{Name: kind, Stall: o.Stall, BackoffMin: o.BackoffMin, BackoffMax: o.BackoffMax}, l.diary.add)
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.wg.Go(func() { _ = l.cam.Run(ctx) }) // the frames tell how it does
	l.wg.Go(func() {
		for f := range l.cam.Latest().C() {
			l.seen.Store(&seen{f.W, f.H, f.Arrived})
			// Hold the frame for a while, as a pipeline does: then all slots are in use, and none keeps another size's
			// memory from before.
			time.Sleep(90 * time.Millisecond)
			f.Release()
		}
	})
	if _, err := l.await(time.Now()); err != nil {
		return nil, errors.Join(err, l.close(context.Background()))
	}
	return l, nil
}

// cycle loses the camera in one way, brings it back, and returns how long frames took to come from then on. Streams run
// for a moment before and after, as between any two mishaps.
func (l *lane) cycle(i int) (time.Duration, error) {
	f := capturetest.Faults()[i%len(capturetest.Faults())]
	time.Sleep(1200 * time.Millisecond)
	if err := l.srv.ask("fault", l.kind, i%len(capturetest.Faults())); err != nil {
		return 0, err
	}
	time.Sleep(f.Last)
	if f.Resize {
		l.size = 1 - l.size
	}
	if i%len(capturetest.Faults()) == len(capturetest.Faults())-1 {
		l.size = 0 // each round ends in the state it began in
	}
	back := time.Now()
	if err := l.srv.ask("pass", l.kind, l.size); err != nil {
		return 0, err
	}
	if f.Last == 0 {
		// The old connection's last frames are no proof of a new one.
		back = time.Now().Add(200 * time.Millisecond)
		time.Sleep(200 * time.Millisecond)
	}
	took, err := l.await(back)
	if err != nil {
		return took, fmt.Errorf("%s, cycle %d, %s: %w", l.kind, i+1, f.Name, err)
	}
	if took > slow {
		fmt.Printf("%s, cycle %d, %s: %.2f s\n%s", l.kind, i+1, f.Name, took.Seconds(), l.diary.since(back.Add(-f.Last)))
	}
	return took, nil
}

// cut closes the connection once, at a moment's notice, and brings it back at the size that all rounds end in.
func (l *lane) cut() (time.Duration, error) {
	time.Sleep(1100 * time.Millisecond) // a good spell, so that the back-off does not grow
	if err := l.srv.ask("fault", l.kind, 0); err != nil {
		return 0, err
	}
	l.size = 0
	if err := l.srv.ask("pass", l.kind, 0); err != nil {
		return 0, err
	}
	time.Sleep(200 * time.Millisecond)
	return l.await(time.Now())
}

// slow is how long a recovery may take before its course is printed.
const slow = 4 * time.Second

// diary keeps a camera's last changes of status.
type diary struct {
	mu    sync.Mutex
	lines []entry
}

type entry struct {
	at   time.Time
	text string
}

func (d *diary) add(s daemon.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, entry{time.Now(), fmt.Sprintf("%s %s", s.State, s.Reason)})
	if len(d.lines) > 40 {
		d.lines = slices.Delete(d.lines, 0, 20)
	}
}

// since is what happened since t, a line each, with the seconds from t.
func (d *diary) since(t time.Time) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for _, e := range d.lines {
		if e.at.After(t) {
			fmt.Fprintf(&b, "    %6.2f s %s\n", e.at.Sub(t).Seconds(), e.text)
		}
	}
	return b.String()
}

// await waits for a frame of the right size that arrived after back.
func (l *lane) await(back time.Time) (time.Duration, error) {
	want := sizes[l.size]
	for time.Since(back) < 60*time.Second {
		if s := l.seen.Load(); s != nil && s.w == want.W && s.h == want.H && s.arrived.After(back) {
			if n := l.cam.Lent(); n > capture.RingSize {
				return 0, fmt.Errorf("%d slots lent", n)
			}
			return s.arrived.Sub(back), nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Minute, fmt.Errorf("no frame of %d×%d within 60 s; the camera is %+v", want.W, want.H, l.cam.Status())
}

// close ends the camera; Close of its ring fails if a slot is still lent.
func (l *lane) close(ctx context.Context) error {
	l.stop()
	l.wg.Wait() // the consumer gives its last frame back
	err := l.cam.Close(ctx)
	if n := l.cam.Lent(); n != 0 {
		err = errors.Join(err, fmt.Errorf("%s: %d slots still lent", l.kind, n))
	}
	return err
}
