package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"gleaner/capture"
	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/mqtt"
	"gleaner/daemon/web"
)

// RunOptions is what the program around the daemon adds to its Options.
type RunOptions struct {
	Log     *slog.Logger
	Version string // of the program, for info and the page
	// Device opens cameras in place of the capture package; nil: capture/cv.
	Device func(capture.Options) (capture.Device, error)
	// Truth is the right answers so far of a scene that is known, for the page; nil: nobody knows.
	Truth func() *web.Truth
	// OnVerdict is told each record when it is published, from the pipeline's goroutine; it must not block.
	OnVerdict func(event.Object)
	// OnReady is called once, when everything is open.
	OnReady func(Addresses)
}

// Addresses are where a running daemon can be reached.
type Addresses struct {
	Broker string // host:port of the broker that results go to
	Topics string // what every topic begins with, "gleaner/v1/site/node"
	Web    string // host:port of the status page, empty when it is off
}

// ShutdownTime is how long the daemon may take to stop.
const ShutdownTime = 10 * time.Second

// Of it, loopTime is what the cameras and pipelines may take, messageTime what the last messages may, and restTime is
// kept for closing everything else.
const (
	loopTime    = 7 * time.Second
	messageTime = 5 * time.Second
	restTime    = time.Second
)

// daemon is what Run has opened.
type daemon struct {
	o        Options
	r        RunOptions
	log      *slog.Logger
	boot     string
	started  time.Time
	registry *metrics.Registry
	models   *Models
	stations []*station
	mqtt     *mqtt.Publisher
	page     *web.Server
	sequence Sequence
	switches chan chan error // asks for a look at the store's current bundle
	ready    atomic.Bool     // everything is open: until then there is little to tell
	stuck    bool            // a loop outlived the stop: what it may still use stays open
}

// Run is the daemon: it opens every part from top to bottom, works until ctx ends, and closes them in reverse. A part
// that cannot be opened is an error and nothing is left open; a camera that is away is not: its loop goes on trying.
// Long because the order of opening, which closing reverses, is to be read in one place.
func Run(ctx context.Context, o Options, r RunOptions) (err error) {
	d := &daemon{o: o, r: r, log: r.Log, boot: event.LiveID(), started: time.Now(), registry: metrics.New(),
		switches: make(chan chan error)}
	var closers []func(context.Context) error // run in reverse
	defer func() {
		deadline, cancel := context.WithTimeout(context.Background(), ShutdownTime)
		defer cancel()
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i](deadline))
		}
		if d.ready.Load() {
			d.summary()
		}
	}()

	if d.models, err = openModels(o.Models); err != nil {
		return err
	}
	closers = append(closers, func(context.Context) error {
		if d.stuck {
			return nil
		}
		return d.models.Close()
	})

	if d.page, err = web.New(o.Web, d, d.registry, d.log); err != nil {
		return &SetupError{err}
	}
	closers = append(closers, d.page.Close)

	seen := d.storeState() // before any model is opened, so that no change is missed
	for _, spec := range o.Cameras {
		s, err := openStation(spec, d.parts())
		if err != nil {
			return err
		}
		d.stations = append(d.stations, s)
		closers = append(closers, func(ctx context.Context) error {
			if d.stuck {
				return nil
			}
			return errors.Join(s.camera.Close(ctx), s.close())
		})
	}

	o.MQTT.Handle = d.command
	if d.mqtt, err = mqtt.New(o.MQTT, d.log); err != nil {
		return &SetupError{err}
	}
	closers = append(closers, func(ctx context.Context) error {
		ctx, cancel := forMessages(ctx)
		defer cancel()
		if err := d.mqtt.Close(ctx); err != nil { // a broker that is away does not make the stop a failure
			d.log.Warn("stopped", "err", err)
		}
		return nil
	})
	d.register()
	d.logModels()
	d.ready.Store(true)
	d.mqtt.Publish(d.info())

	work, stop := context.WithCancel(context.Background()) // ended by the closer below, before anything else closes
	var loops sync.WaitGroup
	for _, s := range d.stations {
		loops.Go(func() {
			defer keepThread(len(d.stations))()
			_ = s.camera.Run(work) // a live camera's loop has no error: its status says what is wrong
		})
		loops.Go(func() {
			defer keepThread(len(d.stations))()
			s.work(work, d.failed())
		})
	}
	loops.Go(func() { feedWatchdog(work, d.stations, d.log) })
	loops.Go(func() { d.watchStore(work, seen) })
	loops.Go(func() { d.reportMetrics(work) })
	closers = append(closers, func(ctx context.Context) error {
		stop()
		ctx, cancel := context.WithTimeout(ctx, loopTime) // the rest is for the last messages
		defer cancel()
		err := wait(ctx, &loops, d.stations)
		d.stuck = err != nil
		return err
	})

	notify(systemd.SdNotifyReady, d.log)
	if r.OnReady != nil {
		r.OnReady(Addresses{Broker: d.mqtt.Stats().Broker, Topics: strings.TrimSuffix(d.mqtt.Topics().All(), "/#"), Web: d.page.Addr()})
	}
	<-ctx.Done()
	notify(systemd.SdNotifyStopping, d.log)
	return nil
}

// forMessages is the part of a stop's time that the last messages may take: to a broker that has fallen silent they would
// take all of it.
func forMessages(stop context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(messageTime)
	if end, ok := stop.Deadline(); ok && end.Add(-restTime).Before(until) {
		until = end.Add(-restTime)
	}
	return context.WithDeadline(stop, until)
}

// wait waits for the loops until ctx ends. A pipeline ends with its camera's loop, and that is at worst in a native
// read that ends by its own time-out.
func wait(ctx context.Context, loops *sync.WaitGroup, stations []*station) error {
	done := make(chan struct{})
	go func() { loops.Wait(); close(done) }() // ends with the loops, or with the process
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		if err := alive(stations, time.Now().Add(stuckAfter)); err != nil {
			return fmt.Errorf("stop: %w", err)
		}
		return fmt.Errorf("stop: a camera's read still blocks: %w", ctx.Err())
	}
}

// Publish hands an event to the broker. The stations are opened before the connection is, so that nobody hears of a
// daemon that cannot work; they publish when their loops run.
func (d *daemon) Publish(e event.Event) { d.mqtt.Publish(e) }

// parts is what every station of this daemon shares.
func (d *daemon) parts() stationParts {
	return stationParts{models: d.models, sink: d, sequence: &d.sequence, boot: d.boot, rev: 1, clock: time.Now,
		timer: func(cam string, s Stage) *metrics.Histogram {
			return d.registry.Timer(metrics.StageSeconds, cam, s.String())
		},
		viewer: d.page.Viewer, verdict: d.verdict, crop: d.crop, log: d.log, device: d.r.Device,
		status: func(cam string, st Status) {
			level := slog.LevelInfo
			if st.State != Online && st.Reason != Connecting && st.Reason != Stopped {
				level = slog.LevelWarn
			}
			d.log.Log(context.Background(), level, "camera "+string(st.State), "cam", cam, "reason", st.Reason)
			d.mqtt.Publish(event.Status{Cam: cam, State: event.CameraState(st.State), Reason: st.Reason, Since: event.Micros(st.Since)})
		}}
}

// verdict tells the page and whoever else listens.
func (d *daemon) verdict(o event.Object) {
	d.page.Verdict(o)
	d.registry.Counter(metrics.Verdicts, o.Cam, string(o.Verdict)).Inc()
	d.registry.Counter(metrics.Classes, o.Cam, cmp.Or(o.Class, unsureCount)).Inc()
	d.registry.Timer(metrics.AgeSeconds, o.Cam).Observe(time.Duration(o.T.Pub-o.T.Cap) * time.Microsecond)
	if d.r.OnVerdict != nil {
		d.r.OnVerdict(o)
	}
}

// crop publishes an object's picture, and shows it.
func (d *daemon) crop(c event.Crop) {
	d.mqtt.Publish(c)
	d.page.Crop(c)
}

// failed logs a failing stage, at most once a second for each camera, and says how often it failed in between.
func (d *daemon) failed() func(error) {
	var last time.Time
	missed := 0
	return func(err error) {
		if errors.Is(err, context.Canceled) {
			return
		}
		if now := time.Now(); now.Sub(last) >= time.Second {
			d.log.Error("frame dropped", "err", err, "more", missed)
			last, missed = now, 0
			return
		}
		missed++
	}
}

// summary is the daemon's last line: what became of every frame and object.
func (d *daemon) summary() {
	for _, s := range d.stations {
		p, c := s.pipeline.Stats(), s.camera.Stats()
		args := []any{"cam", s.spec.Name, "frames", c.Frames, "processed", p.Frames, "dropped", c.Drops, "failed", p.Failed,
			"objects", p.Objects, "verdicts", p.Verdicts}
		for w, n := range p.Withheld {
			if n > 0 {
				args = append(args, "withheld_"+Withheld(w).String(), n)
			}
		}
		d.log.Info("stopped", args...)
	}
}
