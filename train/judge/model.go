package judge

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"gleaner/classify"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/joint"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
)

// UnfitError is a bundle that cannot be judged, or not on these pictures: why, and what to do.
type UnfitError struct{ Text string }

// Error is the text, one line.
func (e *UnfitError) Error() string { return e.Text }

// Model is a bundle that answers as it does in the daemon: classify/prep makes its input, TensorFlow Lite runs it.
type Model struct {
	Name    string // of the bundle, with its version
	ID      string // "sha256:…" of the bundle
	fit     string // how a crop gets to the input's shape
	answers classify.Classifier
	joint   *joint.Joint // of several heads; nil: there is one
	pool    *model.Pool
}

// OpenModel opens the bundle in dir, which must be a classifier's. workers is how many pictures it may be asked about at a time;
// 0 means as many as there are processors. Errors are or wrap *bundle.Error, *tflite.Error or *UnfitError. Close it.
func OpenModel(dir string, workers int) (*Model, error) {
	b, err := bundle.Open(dir)
	if err != nil {
		return nil, err
	}
	o := tflite.DefaultOptions()
	o.SHA256 = b.Manifest.Files[bundle.ModelFile]
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	pool, err := model.NewPool(func() (model.Runner, error) { return tflite.Open(b.ModelPath(), o) }, workers)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	c, err := classify.NewModel(b, pool)
	if err != nil {
		pool.Close()
		return nil, &UnfitError{err.Error()}
	}
	j, _ := b.Manifest.Joint() // checked when the bundle was opened
	return &Model{Name: strings.TrimSpace(b.Manifest.Name + " " + b.Manifest.Version), ID: b.ID(), fit: b.Manifest.Input.Fit, answers: c, joint: j, pool: pool}, nil
}

// Close ends the model's interpreters.
func (m *Model) Close() error { return m.pool.Close() }

// classes are the labels that m answers, in the order of its probabilities, and for each class of the data its place among them.
// A class of the data that m cannot answer is an *UnfitError.
func (m *Model) classes(data []string) (labels []string, place []int, err error) {
	labels = m.answers.Labels()
	var strange []string
	for _, l := range data {
		k := slices.Index(labels, l)
		place = append(place, k)
		if k < 0 {
			strange = append(strange, l)
		}
	}
	switch {
	case len(labels) < 2:
		return nil, nil, &UnfitError{fmt.Sprintf("bundle %s: it has the one class %s, and there is nothing to tell apart", m.Name, strings.Join(labels, ""))}
	case len(strange) == len(data):
		return nil, nil, &UnfitError{fmt.Sprintf("bundle %s: it knows none of the classes of the pictures (%s), but %s", m.Name, some(data), some(labels))}
	case len(strange) > 0:
		return nil, nil, &UnfitError{fmt.Sprintf("bundle %s: it does not know %s, of which there are pictures; leave them out, or join them to a class that it knows: gleaner data import --map",
			m.Name, some(strange))}
	}
	return labels, place, nil
}

// some is a list of names, cut where it is long.
func some(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// answered is what several models said to each picture.
type answered struct {
	p      [][][]float32 // [model][picture][class] probabilities; nil for a picture that is broken
	broken []error       // [picture]
	// familiar is by how much the first model finds each picture more familiar than it must be; 0 where it cannot tell.
	familiar []float32
}

// ask shows every picture to every model. Pictures that cannot be decoded stay without answers; what a model cannot do is an error.
func ask(ctx context.Context, data *dataset.Stored, models []*Model, o *Options) (*answered, error) {
	a := &answered{broken: make([]error, data.Len()), familiar: make([]float32, data.Len())}
	for range models {
		a.p = append(a.p, make([][]float32, data.Len()))
	}
	workers := o.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error {
			for i := w; i < data.Len(); i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := a.one(ctx, data, models, i); err != nil {
					return fmt.Errorf("%s: %w", data.Name(i), err)
				}
				mu.Lock()
				if done++; o.Progress != nil && (done%16 == 0 || done == data.Len()) {
					o.Progress(done, data.Len())
				}
				mu.Unlock()
			}
			return nil
		})
	}
	return a, g.Wait()
}

// one shows picture i to every model.
func (a *answered) one(ctx context.Context, data *dataset.Stored, models []*Model, i int) error {
	im, err := data.Picture(i)
	if err == nil && im.Empty() {
		err = classify.ErrEmptyCrop
	}
	if err != nil {
		a.broken[i] = err
		return nil
	}
	for m, by := range models {
		var familiar float32
		if a.p[m][i], familiar, err = classify.Look(ctx, by.answers, im, nil); err != nil {
			return err
		}
		if m == 0 {
			a.familiar[i] = familiar
		}
	}
	return nil
}
