// Package latency measures how long a camera's frames take from exposure to arrival: a screen that the camera looks at
// turns white at random moments, and the frames tell when that was seen. It knows neither terminals nor cameras of any
// kind: who calls it shows the flashes and opens the source.
package latency

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gleaner/capture"
)

// Options says how the screen is flashed.
type Options struct {
	Flashes int           // at least MinFlashes
	White   time.Duration // length of a flash
	// DarkMin and DarkMax bound the dark time between flashes, which is drawn by lot: what changes by itself, in step
	// with nothing, is told from a flash by that. A latency as long as White and DarkMin together cannot be measured.
	DarkMin, DarkMax time.Duration
	// Rand draws the dark times; nil: by chance.
	Rand *rand.Rand
}

// MinFlashes is how many flashes a measurement needs.
const MinFlashes = 10

// DefaultOptions takes about half a minute and measures latencies up to 1.8 s.
func DefaultOptions() Options {
	return Options{Flashes: 12, White: 800 * time.Millisecond, DarkMin: time.Second, DarkMax: 2 * time.Second}
}

// Sample is one frame: its arrival, and its median luma, 0 (black) to 255.
type Sample struct {
	At   time.Time
	Luma float64
}

// Result is what was measured.
type Result struct {
	// Latency is the median over the flashes: from the moment that the screen was told to turn white to the arrival of
	// the first frame that shows it, less half a frame, which is how long a flash waits for the next exposure on average.
	// The screen's own delay is in it.
	Latency time.Duration
	// Spread is the distance between the quartiles; half a frame comes from the waiting alone.
	Spread time.Duration
	Frame  time.Duration // median time from frame to frame
	Seen   int           // flashes that were seen
	Of     int           // flashes that were shown
	Step   float64       // how much brighter the flashes made the picture, in grey levels
}

// The reasons why there is no answer.
var (
	ErrBlind    = errors.New("the camera does not see the screen")
	ErrUnsteady = errors.New("the picture's brightness changes, but not with the screen")
	ErrOwnClock = errors.New("the source has a clock of its own, and its frames no latency")
)

// minStep is how much brighter, in grey levels, a flash must make the picture to be told from noise and flicker.
const minStep = 8

// Measure flashes by way of show and reads frames from src into buf meanwhile. show is called from another goroutine than
// Measure's, one call at a time, and returns when the screen has been told. The error is show's, the source's, ctx's, or one
// of the reasons above with what was seen instead.
func Measure(ctx context.Context, src capture.Source, buf capture.Buffer, show func(white bool) error, o Options) (Result, error) {
	if o.Flashes < MinFlashes {
		return Result{}, fmt.Errorf("%d flashes are too few, %d are needed", o.Flashes, MinFlashes)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var flashes []time.Time
	var flasher sync.WaitGroup
	done := make(chan struct{})
	flasher.Go(func() {
		defer close(done)
		var err error
		if flashes, err = flash(ctx, show, o); err != nil {
			stop(err)
		}
	})
	samples, err := watch(ctx, src, buf, done)
	if err != nil {
		stop(err)
	}
	flasher.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return Result{}, cause
	}
	return Analyse(samples, flashes)
}

// flash shows the flashes and returns when each began.
func flash(ctx context.Context, show func(bool) error, o Options) ([]time.Time, error) {
	r := o.Rand
	if r == nil {
		r = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if err := show(false); err != nil {
		return nil, err
	}
	var at []time.Time
	for range o.Flashes {
		if err := wait(ctx, o.DarkMin+time.Duration(r.Int64N(int64(o.DarkMax-o.DarkMin)+1))); err != nil {
			return nil, err
		}
		now := time.Now()
		if err := show(true); err != nil {
			return nil, err
		}
		at = append(at, now)
		if err := wait(ctx, o.White); err != nil {
			return nil, err
		}
		if err := show(false); err != nil {
			return nil, err
		}
	}
	return at, wait(ctx, o.DarkMin) // what is late may still arrive
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// watch reads frames until done.
func watch(ctx context.Context, src capture.Source, buf capture.Buffer, done <-chan struct{}) ([]Sample, error) {
	var out []Sample
	for {
		select {
		case <-done:
			return out, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		default:
		}
		t, err := src.Read(ctx, buf)
		if err != nil {
			return nil, fmt.Errorf("read a frame: %w", err)
		}
		if !t.IsZero() {
			return nil, ErrOwnClock
		}
		out = append(out, Sample{time.Now(), Luma(buf.Image())})
	}
}

// Luma is the median brightness of im, 0 to 255, over some ten thousand of its pixels: the median does not mind a lamp or a
// window in the picture. The weights are those of ITU-R BT.601.
func Luma(im capture.Image) float64 {
	if im.Empty() {
		return 0
	}
	var count [256]int
	n := 0
	step := max(1, int(math.Sqrt(float64(im.W)*float64(im.H)/10000)))
	for y := 0; y < im.H; y += step {
		row := im.Row(y)
		for x := 0; x < im.W; x += step {
			p := row[3*x : 3*x+3]
			count[(114*int(p[0])+587*int(p[1])+299*int(p[2]))/1000]++
			n++
		}
	}
	below := 0
	for v, c := range count {
		if below += c; 2*below >= n {
			return float64(v)
		}
	}
	return 255
}

// Analyse finds each flash in the frames. flashes are the moments at which the screen was told to turn white, in order.
func Analyse(samples []Sample, flashes []time.Time) (Result, error) {
	r := Result{Of: len(flashes)}
	if len(samples) < 2*MinFlashes || len(flashes) < MinFlashes {
		return r, fmt.Errorf("%d frames and %d flashes are too few", len(samples), len(flashes))
	}
	var gaps []time.Duration
	lumas := make([]float64, len(samples))
	for i, s := range samples {
		lumas[i] = s.Luma
		if i > 0 {
			gaps = append(gaps, s.At.Sub(samples[i-1].At))
		}
	}
	r.Frame = quantile(gaps, 0.5)
	dark, white := quantile(lumas, 0.2), quantile(lumas, 0.9) // it is white for more than a fifth of the time
	r.Step = white - dark
	if r.Step < minStep {
		return r, fmt.Errorf("%w: its brightness changes by %.0f of 255 grey levels", ErrBlind, r.Step)
	}
	delays := match(samples, flashes, (dark+white)/2)
	if r.Seen = len(delays); 5*r.Seen < 4*r.Of {
		return r, fmt.Errorf("%w: %d of %d flashes were seen", ErrUnsteady, r.Seen, r.Of)
	}
	r.Latency = max(0, quantile(delays, 0.5)-r.Frame/2)
	r.Spread = quantile(delays, 0.75) - quantile(delays, 0.25)
	if most := 2*r.Frame + 50*time.Millisecond; r.Spread > most {
		return r, fmt.Errorf("%w: half of the flashes were seen within %v of each other, and %v is the most", ErrUnsteady,
			r.Spread.Round(time.Millisecond), most.Round(time.Millisecond))
	}
	return r, nil
}

// match is, for each flash that was seen before the next one, how long it took until a frame was brighter than level after
// one that was not.
func match(samples []Sample, flashes []time.Time, level float64) []time.Duration {
	var out []time.Duration
	for k, at := range flashes {
		for i := 1; i < len(samples); i++ {
			s := samples[i]
			if k+1 < len(flashes) && !s.At.Before(flashes[k+1]) {
				break
			}
			if s.At.After(at) && s.Luma >= level && samples[i-1].Luma < level {
				out = append(out, s.At.Sub(at))
				break
			}
		}
	}
	return out
}

// quantile sorts v, which must not be empty, and gives the value below which the share q of it lies.
func quantile[T time.Duration | float64](v []T, q float64) T {
	slices.Sort(v)
	return v[min(int(q*float64(len(v))), len(v)-1)]
}
