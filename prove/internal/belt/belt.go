// Package belt runs the pipeline on the drawn belt, for the proofs that compare its verdicts with what the belt carried and with the
// same bundle's answers to the same pictures as stills.
package belt

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
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

// Outcome is what came of a belt.
type Outcome struct {
	capture.Result
	Reports int     // objects that the pipeline reported
	Still   float64 // share of right answers to the carried pictures as stills, 0 to 1; 0 without a bundle
}

// Right is the share of the objects with the right verdict, 0 to 1.
func (o *Outcome) Right() float64 { return float64(o.Result.Right) / float64(max(1, o.Objects)) }

// Camera is a camera that looks at the belt: count things, drawn by seed.
func Camera(count int, seed uint64) daemon.CameraSpec {
	spec := daemon.DefaultCamera()
	spec.Name, spec.Source, spec.Detect.Kind = "belt", "belt:", detect.KindMotion
	spec.Belt.Count, spec.Belt.Seed = count, seed
	return spec
}

// Run lets the belt run past the camera to its end.
func Run(ctx context.Context, spec daemon.CameraSpec) (*Outcome, error) {
	store := daemon.DefaultModelOptions()
	l := &ledger{}
	res, err := daemon.Replay(ctx, spec, store, daemon.ReplayOptions{Sink: l, Device: l.device,
		Progress: func(n uint64) {
			if n%1000 == 0 {
				fmt.Printf("%d frames\n", n)
			}
		}})
	if err != nil {
		return nil, err
	}
	truth := l.belt.Truth()
	r := l.belt.Score(truth, l.seen)
	tell(l, truth, r)
	fmt.Printf("%d frames in %.0f s; %d objects tracked, %d verdicts\n", res.Pipeline.Frames, res.Wall.Seconds(),
		res.Pipeline.Objects, res.Pipeline.Verdicts)
	fmt.Printf("%d of %d touch a neighbour, %d of them missed\n", r.Touching, r.Objects, r.TouchingMissed)
	still, err := onStills(ctx, spec, store, truth)
	if err != nil {
		return nil, err
	}
	return &Outcome{r, len(l.seen), still}, nil
}

// Photo writes a picture of the empty belt, without its rails, as PNG: what a user would take before the first thing lies on it.
func Photo(ctx context.Context, spec daemon.CameraSpec, path string) (err error) {
	o := capture.DefaultOptions()
	o.Belt, o.Pace = spec.Belt, "fast"
	set, err := pictures.Open(o.Belt.Pictures)
	if err != nil {
		return err
	}
	b, err := capture.NewBelt(o, set)
	if err != nil {
		return err
	}
	src, err := b.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	buf := b.NewBuffer()
	if _, err := src.Read(ctx, buf); err != nil {
		return err
	}
	im := buf.Image()
	return writePNG(path, im, image.Rect(0, im.H/10, im.W, im.H*9/10))
}

// ledger keeps what the pipeline publishes, as the belt's scorer reads it.
type ledger struct {
	belt *capture.Belt
	seen []capture.Seen
}

// device opens the camera's belt and keeps it, for its truth.
func (l *ledger) device(o capture.Options) (capture.Device, error) {
	dev, err := cv.NewDevice(o)
	if b, ok := dev.(*capture.Belt); ok {
		l.belt = b
	} else if err == nil {
		err = errors.New("the source is no belt")
	}
	return dev, err
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
