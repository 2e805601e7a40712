package latency

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gleaner/capture"
)

// screen is what a camera looks at.
type screen struct {
	mu      sync.Mutex
	changes []change
	fail    error
}

type change struct {
	at    time.Time
	white bool
}

func (s *screen) show(white bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, change{time.Now(), white})
	return s.fail
}

// was is whether the screen was white at t.
func (s *screen) was(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.changes) - 1; i >= 0; i-- {
		if !s.changes[i].at.After(t) {
			return s.changes[i].white
		}
	}
	return false
}

// camera exposes a frame every period and hands it over a known latency later.
type camera struct {
	s               *screen
	period, latency time.Duration
	jitter          time.Duration           // that the latency grows by, by lot
	dark, white     byte                    // what it sees
	see             func(at time.Time) bool // instead of the screen
	next            time.Time
	r               *rand.Rand
	ends            int // frames until EOF, 0: never
	clock           bool
}

func (c *camera) Read(_ context.Context, b capture.Buffer) (time.Time, error) {
	if c.next.IsZero() {
		c.next = time.Now()
	}
	if c.ends--; c.ends == 0 {
		return time.Time{}, io.EOF
	}
	c.next = c.next.Add(c.period)
	late := c.latency
	if c.jitter > 0 {
		late += time.Duration(c.r.Int64N(int64(c.jitter)))
	}
	time.Sleep(time.Until(c.next.Add(late)))
	see := c.s.was
	if c.see != nil {
		see = c.see
	}
	v := c.dark
	if see(c.next) {
		v = c.white
	}
	im := b.(*capture.Memory).Size(32, 24)
	for i := range im.Pix {
		im.Pix[i] = v + byte(c.r.IntN(5)) // sensor noise
	}
	if c.clock {
		return c.next, nil
	}
	return time.Time{}, nil
}

func (c *camera) Close() error { return nil }

// TestKnownLatency: the answer is right within a third of a frame, whatever the rate and the latency.
func TestKnownLatency(t *testing.T) {
	for _, c := range []struct {
		name            string
		period, latency time.Duration
		jitter          time.Duration
		dark, white     byte
	}{
		{"a USB camera", time.Second / 30, 87 * time.Millisecond, 0, 20, 200},
		{"none", time.Second / 30, 0, 0, 20, 200},
		{"fast", time.Second / 120, 12 * time.Millisecond, 0, 20, 200},
		{"slow", time.Second / 5, 150 * time.Millisecond, 0, 20, 200},
		{"a buffered stream", time.Second / 25, 1500 * time.Millisecond, 10 * time.Millisecond, 20, 200},
		{"far from the screen", time.Second / 30, 60 * time.Millisecond, 0, 90, 104},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &screen{}
				cam := &camera{s: s, period: c.period, latency: c.latency, jitter: c.jitter, dark: c.dark, white: c.white, r: rand.New(rand.NewPCG(1, 2))}
				o := DefaultOptions()
				o.Flashes, o.Rand = 24, rand.New(rand.NewPCG(3, 4))
				r, err := Measure(t.Context(), cam, &capture.Memory{}, s.show, o)
				if err != nil {
					t.Fatalf("%v: %+v", err, r)
				}
				if d := (r.Latency - c.latency - c.jitter/2).Abs(); d > c.period/3+time.Millisecond {
					t.Errorf("measured %v, want %v: %+v", r.Latency, c.latency, r)
				}
				if r.Seen != 24 || r.Of != 24 || r.Spread > c.period+c.jitter || (r.Frame-c.period).Abs() > c.jitter+time.Microsecond {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestNoAnswer: what cannot be measured is said, and why.
func TestNoAnswer(t *testing.T) {
	broken := errors.New("the terminal is gone")
	for _, c := range []struct {
		name   string
		change func(*camera, *screen, *Options)
		want   error
		text   string
	}{
		{"looks elsewhere", func(c *camera, _ *screen, _ *Options) { c.white = c.dark + 3 }, ErrBlind, "grey levels"},
		{"sees a blinking lamp", func(c *camera, _ *screen, _ *Options) {
			c.see = func(at time.Time) bool { return at.UnixMilli()/870%2 == 0 }
		}, ErrUnsteady, "brightness changes"},
		{"later than the next flash", func(c *camera, _ *screen, _ *Options) { c.latency = 5300 * time.Millisecond }, ErrUnsteady, ""},
		{"has a clock", func(c *camera, _ *screen, _ *Options) { c.clock = true }, ErrOwnClock, ""},
		{"ends", func(c *camera, _ *screen, _ *Options) { c.ends = 40 }, io.EOF, "read a frame"},
		{"no terminal", func(_ *camera, s *screen, _ *Options) { s.fail = broken }, broken, ""},
		{"too few", func(_ *camera, _ *screen, o *Options) { o.Flashes = 9 }, nil, "9 flashes are too few"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &screen{}
				cam := &camera{s: s, period: time.Second / 30, latency: 50 * time.Millisecond, dark: 20, white: 200, r: rand.New(rand.NewPCG(1, 2))}
				o := DefaultOptions()
				o.Rand = rand.New(rand.NewPCG(3, 4))
				c.change(cam, s, &o)
				r, err := Measure(t.Context(), cam, &capture.Memory{}, s.show, o)
				if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%+v, error %v, want %v", r, err, c.want)
				}
			})
		})
	}
}

// TestStopped: Ctrl-C ends the flashing and the reading.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{}
		cam := &camera{s: s, period: time.Second / 30, dark: 20, white: 200, r: rand.New(rand.NewPCG(1, 2))}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := Measure(ctx, cam, &capture.Memory{}, s.show, DefaultOptions()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestLuma(t *testing.T) {
	im := capture.NewImage(640, 480)
	for i := range im.Pix {
		im.Pix[i] = 100
	}
	for y := range 100 { // a lamp
		for x := range im.Row(y) {
			im.Row(y)[x] = 255
		}
	}
	if v := Luma(im); v != 100 {
		t.Errorf("luma %v, want 100", v)
	}
	if v := Luma(capture.Image{}); v != 0 {
		t.Errorf("nothing has luma %v", v)
	}
}
