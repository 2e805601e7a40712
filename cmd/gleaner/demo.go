package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/config"
	"gleaner/daemon"
	"gleaner/daemon/event"
	"gleaner/daemon/web"
	"gleaner/model/bundle"
)

// demoSets is the demo's configuration: the drawn belt before the motion detector and the garment classifier, with a
// picture of each garment on the page.
var demoSets = []string{"cameras[0].name=belt", "cameras[0].source='belt:'", "cameras[0].detect.kind=motion",
	"cameras[0].classify.models=[garments]", "cameras[0].publish.crop=true", "mqtt.site=demo"}

// demo compares what the pipeline says with what the belt knows.
type demo struct {
	belt *capture.Belt

	mu   sync.Mutex
	seen []capture.Seen
	w, h int
}

// runDemo runs the daemon on the drawn belt and shows on out how to watch it, and how well it does.
func runDemo(ctx context.Context, cfg *config.Config, out, stderr io.Writer) error {
	if cfg.Log.Level == "info" {
		cfg.Log.Level = "warn" // the demo's own lines say what info would
	}
	if err := ensureModels(ctx, cfg, stderr); err != nil {
		return err
	}
	d := &demo{}
	ready := make(chan daemon.Addresses, 1)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { d.tell(ctx, ready, out) })
	defer wg.Wait()
	defer cancel() // before the wait: it ends the lines
	return daemon.Run(ctx, cfg.Options, daemon.RunOptions{Log: newLog(stderr, cfg.Log), Version: version,
		Device: d.open, Truth: d.truth, OnVerdict: d.verdict,
		OnReady: func(a daemon.Addresses) { ready <- a }})
}

// ensureModels puts the models that the demo's cameras name and the store lacks into the store, out of what setup or
// make install left on this machine.
func ensureModels(ctx context.Context, cfg *config.Config, stderr io.Writer) error {
	dir, err := cfg.Models.StoreDir()
	if err != nil {
		return err
	}
	s, err := bundle.OpenStore(dir)
	if err != nil {
		return err
	}
	for _, cam := range cfg.Cameras {
		for _, ref := range append([]string{cam.Detect.Model}, cam.Classify.Models...) {
			if _, err := s.Resolve(ref); ref == "" || err == nil {
				continue
			}
			if _, err := pull(ctx, s, ref, "", stderr); err != nil {
				return err
			}
		}
	}
	return nil
}

// open makes the camera's device and keeps hold of the belt, which knows the truth.
func (d *demo) open(o capture.Options) (capture.Device, error) {
	dev, err := cv.NewDevice(o)
	if b, ok := dev.(*capture.Belt); ok {
		d.mu.Lock()
		d.belt = b
		d.w, d.h = b.Size()
		d.mu.Unlock()
	}
	return dev, err
}

// keepSeen bounds what the demo remembers, as the belt bounds what it does.
const keepSeen = 2048

func (d *demo) verdict(o event.Object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	label := ""
	if o.Verdict == event.Class {
		label = o.Class
	}
	box := image.Rect(int(float64(o.Box[0])*float64(d.w)), int(float64(o.Box[1])*float64(d.h)),
		int(float64(o.Box[2])*float64(d.w)), int(float64(o.Box[3])*float64(d.h)))
	if len(d.seen) >= keepSeen {
		d.seen = append(d.seen[:0], d.seen[keepSeen/2:]...)
	}
	d.seen = append(d.seen, capture.Seen{Time: time.UnixMicro(o.T.Cap), Box: box, Label: label, Track: uint64(o.Track)})
}

// score compares the last verdicts with the belt's last items.
func (d *demo) score() (r capture.Result, ok bool) {
	d.mu.Lock()
	belt, seen := d.belt, append([]capture.Seen(nil), d.seen...)
	d.mu.Unlock()
	if belt == nil || len(seen) == 0 {
		return r, false
	}
	truth := belt.Passed()
	if len(truth) > 1 && len(seen) < keepSeen/2 {
		truth = truth[:len(truth)-1] // the last one may lie on the line, with its verdict on the way
	}
	return belt.Score(truth, seen), true
}

// truth is the score for the page.
func (d *demo) truth() *web.Truth {
	r, ok := d.score()
	if !ok {
		return nil
	}
	return &web.Truth{Objects: r.Objects, Counted: r.Counted, Right: r.Right}
}

// tell prints the three lines that say how to watch, and then the counts: in place on a terminal, else every five
// seconds on a line of their own.
func (d *demo) tell(ctx context.Context, ready <-chan daemon.Addresses, out io.Writer) {
	var a daemon.Addresses
	select {
	case <-ctx.Done():
		return
	case a = <-ready:
	}
	host, port, _ := net.SplitHostPort(a.Broker)
	fmt.Fprintf(out, "A belt of garments is being sorted. Watch it:\n")
	fmt.Fprintf(out, "  page     http://%s/\n", a.Web)
	fmt.Fprintf(out, "  results  mosquitto_sub -h %s -p %s -t '%s/cam/+/object'\n", host, port, a.Topics)
	fmt.Fprintf(out, "  stop     Ctrl-C\n")
	every, begin, end := 5*time.Second, "", "\n"
	if isTerminal(out) {
		every, begin, end = time.Second, "\r\x1b[K", ""
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.line(out, begin, "\n")
			return
		case <-tick.C:
			d.line(out, begin, end)
		}
	}
}

func (d *demo) line(out io.Writer, begin, end string) {
	r, ok := d.score()
	if !ok {
		return
	}
	fmt.Fprintf(out, "%s%d passed, %d counted (%d missed, %d twice), %d right = %.1f %%%s",
		begin, r.Objects, r.Counted, r.Missed, r.Doubled, r.Right, 100*float64(r.Right)/float64(max(1, r.Counted)), end)
}

// isTerminal reports whether w is a terminal, as far as can be told without asking the system for its settings.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device too, and what services have for a terminal
	return err != nil || !os.SameFile(st, null)
}
