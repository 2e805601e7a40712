package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
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

// demo compares what the pipeline says with what the belt knows.
type demo struct {
	belt *capture.Belt

	mu     sync.Mutex
	seen   []capture.Seen
	w, h   int
	counts map[string]int // objects by class, where nobody knows the truth
}

// runDemo runs the daemon, shows on out how to watch it, and how well it does on the drawn belt, which knows the truth. about says
// what is to be seen.
func runDemo(ctx context.Context, cfg *config.Config, about string, out, stderr io.Writer) error {
	if cfg.Log.Level == "info" {
		cfg.Log.Level = "warn" // the demo's own lines say what info would
	}
	if err := ensureModels(ctx, cfg, stderr); err != nil {
		return err
	}
	d := &demo{counts: map[string]int{}}
	ready := make(chan daemon.Addresses, 1)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { d.tell(ctx, about, ready, out) })
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
	d.counts[cmp.Or(label, "unsure")]++
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
func (d *demo) tell(ctx context.Context, about string, ready <-chan daemon.Addresses, out io.Writer) {
	var a daemon.Addresses
	select {
	case <-ctx.Done():
		return
	case a = <-ready:
	}
	host, port, _ := net.SplitHostPort(a.Broker)
	fmt.Fprintf(out, "%s Watch it:\n", about)
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
		d.tally(out, begin, end)
		return
	}
	fmt.Fprintf(out, "%s%d passed, %d counted (%d missed, %d twice), %d right = %.1f %%%s",
		begin, r.Objects, r.Counted, r.Missed, r.Doubled, r.Right, 100*float64(r.Right)/float64(max(1, r.Counted)), end)
}

// tally says how many objects of each class there were, the most frequent first.
func (d *demo) tally(out io.Writer, begin, end string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var parts []string
	for _, class := range slices.SortedFunc(maps.Keys(d.counts), func(a, b string) int {
		return cmp.Or(d.counts[b]-d.counts[a], strings.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%d %s", d.counts[class], class))
	}
	if len(parts) > 0 {
		fmt.Fprintf(out, "%s%s%s", begin, strings.Join(parts, ", "), end)
	}
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
