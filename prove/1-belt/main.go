// Command 1-belt proves that the pipeline counts and sorts what the drawn belt carries: 500 garments, one in ten
// touching its neighbour, with stops and reversals. The count is off by 1 % at most, no garment is reported twice, and the
// share of right verdicts is at most 2 points below the same bundle's on the same garments as still pictures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/daemon"
	"gleaner/daemon/event"
	"gleaner/detect"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

const bar = "count error at most 1 %, none twice, right at most 2 points below stills"

func main() {
	count := flag.Int("count", 500, "garments")
	models := flag.String("classify", "garments", "classifier bundle; empty: only count")
	seed := flag.Uint64("seed", 1, "of the belt: which garments, where")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *count, *seed, *models); err != nil {
		fmt.Printf("FIGURE %v BAR %s FAIL\n", err, bar)
		os.Exit(1)
	}
}

// ledger keeps what the pipeline publishes, as the belt's scorer reads it.
type ledger struct {
	belt *capture.Belt
	seen []capture.Seen
}

// Publish takes an object's final record; one goroutine calls it.
func (l *ledger) Publish(e event.Event) {
	o, ok := event.Value(e).(event.Object)
	if !ok {
		return
	}
	w, h := l.belt.Size()
	px := func(f event.Frac, n int) int { return int(float64(f)*float64(n) + 0.5) }
	s := capture.Seen{Time: time.UnixMicro(o.T.Cap), Track: uint64(o.Track),
		Box: image.Rect(px(o.Box[0], w), px(o.Box[1], h), px(o.Box[2], w), px(o.Box[3], h))}
	if o.Verdict == event.Class {
		s.Label = o.Class
	}
	l.seen = append(l.seen, s)
}

func run(ctx context.Context, count int, seed uint64, models string) error {
	spec, store := daemon.DefaultCamera(), daemon.DefaultModelOptions()
	spec.Name, spec.Source, spec.Detect.Kind = "belt", "belt:", detect.KindMotion
	spec.Belt.Count, spec.Belt.Seed = count, seed
	if models != "" {
		spec.Classify.Models = []string{models}
	}
	l := &ledger{}
	res, err := daemon.Replay(ctx, spec, store, daemon.ReplayOptions{Sink: l,
		Device: func(o capture.Options) (capture.Device, error) {
			dev, err := cv.NewDevice(o)
			if b, ok := dev.(*capture.Belt); ok {
				l.belt = b
			} else if err == nil {
				err = errors.New("the source is no belt")
			}
			return dev, err
		},
		Progress: func(n uint64) {
			if n%1000 == 0 {
				fmt.Printf("%d frames\n", n)
			}
		}})
	if err != nil {
		return err
	}
	truth := l.belt.Truth()
	r := l.belt.Score(truth, l.seen)
	tell(l, truth, r)
	fmt.Printf("%d frames in %.0f s; %d objects tracked, %d verdicts\n", res.Pipeline.Frames, res.Wall.Seconds(),
		res.Pipeline.Objects, res.Pipeline.Verdicts)
	fmt.Printf("%d of %d touch a neighbour, %d of them missed\n", r.Touching, r.Objects, r.TouchingMissed)
	still, err := onStills(ctx, spec, store, truth)
	if err != nil {
		return err
	}
	return judge(count, r, len(l.seen), still)
}

// judge prints the figure, and fails below the bar.
func judge(count int, r capture.Result, reports int, still float64) error {
	right := float64(r.Right) / float64(max(1, r.Objects))
	pass := r.Objects == count && r.CountError() <= 0.01 && r.Doubled == 0 && right >= still-0.02 && still > 0
	word := map[bool]string{true: "PASS", false: "FAIL"}[pass]
	fmt.Printf("FIGURE %d garments, %d reported (%d missed, %d twice, %d of nothing): count error %.1f %%; right %.1f %%, "+
		"as stills %.1f %% BAR %s %s\n", r.Objects, reports, r.Missed, r.Doubled, r.Stray, 100*r.CountError(),
		100*right, 100*still, bar, word)
	if !pass {
		os.Exit(1)
	}
	return nil
}

// tell prints what went wrong, one line each, and the classes.
func tell(l *ledger, truth []capture.Item, r capture.Result) {
	type tally struct{ all, right int }
	classes := map[string]tally{}
	for i, it := range truth {
		c := classes[it.Label]
		c.all++
		if s := r.By[i]; s < 0 {
			fmt.Printf("missed: item %d, %s (%s), frames %d to %d, touching %v\n", it.Index, it.Label, it.Path, it.Enter,
				it.Leave, it.Touching)
		} else if l.seen[s].Label == it.Label {
			c.right++
		}
		classes[it.Label] = c
	}
	for _, s := range r.Extra {
		fmt.Printf("extra: track %d at frame %d, %v\n", l.seen[s].Track, l.belt.FrameAt(l.seen[s].Time), l.seen[s].Box)
	}
	names := make([]string, 0, len(classes))
	for n := range classes {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Printf("%-12s %3d of %3d right\n", n, classes[n].right, classes[n].all)
	}
}

// onStills is the bundle's share of right answers on the very garments that the belt carried, each as the data set
// has it; 0 without a bundle.
func onStills(ctx context.Context, spec daemon.CameraSpec, o daemon.ModelOptions, truth []capture.Item) (float64, error) {
	if len(spec.Classify.Models) == 0 {
		return 0, nil
	}
	dir, err := o.StoreDir()
	if err != nil {
		return 0, err
	}
	store, err := bundle.OpenStore(dir)
	if err != nil {
		return 0, err
	}
	m := daemon.NewModels(store, tflite.DefaultOptions(), 1)
	defer m.Close()
	c, release, err := m.OpenClassifier(spec.Classify.Models)
	if err != nil {
		return 0, err
	}
	defer func() { _ = release() }()
	set, err := pictures.Open(spec.Belt.Pictures)
	if err != nil {
		return 0, err
	}
	right := 0
	var probs []float32
	for _, it := range truth {
		im, err := set.Image(it.Picture)
		if err != nil {
			return 0, err
		}
		if probs, err = c.Classify(ctx, im, probs); err != nil {
			return 0, err
		}
		if best := classify.TopK(probs, 1, nil); c.Labels()[best[0].Class] == it.Label {
			right++
		}
	}
	return float64(right) / float64(max(1, len(truth))), nil
}
