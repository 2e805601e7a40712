package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"gleaner/classify"
	"gleaner/classify/known"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

// Live is a classifier that can be replaced while cameras use it: new beside old, swapped between two frames, then the
// old one closed.
type Live struct {
	mu  sync.RWMutex
	cur classify.Classifier
	gen uint64
}

// NewLive holds c as its first classifier.
func NewLive(c classify.Classifier) *Live { return &Live{cur: c, gen: 1} }

// borrow lends the classifier until giveBack; gen tells one from the next.
func (l *Live) borrow() (classify.Classifier, uint64) {
	l.mu.RLock()
	return l.cur, l.gen
}

func (l *Live) giveBack() { l.mu.RUnlock() }

// Swap puts c in place when no frame uses the old one, and returns only then: the old one may be closed.
func (l *Live) Swap(c classify.Classifier) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cur, l.gen = c, l.gen+1
}

// Current is the classifier in use now.
func (l *Live) Current() classify.Classifier {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.cur
}

// ModelOptions says where models lie and how they run.
type ModelOptions struct {
	// Dir is the store of installed bundles; empty: $STATE_DIRECTORY/models, or gleaner/models below
	// $XDG_DATA_HOME or ~/.local/share.
	Dir string `yaml:"dir"`
	// Workers is how many interpreters one model has at most, at least 1; 0: one per processor core. Each costs
	// memory of its own, and is made only when cameras wait for one.
	Workers int `yaml:"workers"`
	// Threads is how many threads one interpreter computes with; more than one gains little and doubles the CPU.
	Threads int `yaml:"threads"`
	// Delegates are external TFLite delegates to try before XNNPACK, best first.
	Delegates []tflite.External `yaml:"delegates"`
}

// DefaultModelOptions computes with one thread per interpreter and one interpreter per core.
func DefaultModelOptions() ModelOptions { return ModelOptions{Threads: 1} }

// Validate names the first key that is out of range.
func (o ModelOptions) Validate() error {
	switch {
	case o.Workers < 0 || o.Workers > 256:
		return fmt.Errorf("workers: %d is not between 0 and 256", o.Workers)
	case o.Threads < 1 || o.Threads > 64:
		return fmt.Errorf("threads: %d is not between 1 and 64", o.Threads)
	}
	for i, d := range o.Delegates {
		if d.Library == "" {
			return fmt.Errorf("delegates[%d].library: is missing, such as libedgetpu.so.1", i)
		}
	}
	return nil
}

// StoreDir is Dir, or where the store lies when Dir is empty.
func (o ModelOptions) StoreDir() (string, error) {
	if o.Dir != "" {
		return o.Dir, nil
	}
	if d := os.Getenv("STATE_DIRECTORY"); d != "" { // systemd sets it for a unit with StateDirectory=
		return filepath.Join(d, "models"), nil
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "gleaner", "models"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the model store: %w; set models.dir", err)
	}
	return filepath.Join(home, ".local", "share", "gleaner", "models"), nil
}

func (o ModelOptions) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.NumCPU()
}

func (o ModelOptions) native() tflite.Options {
	t := tflite.DefaultOptions()
	t.Threads, t.Delegates = o.Threads, o.Delegates
	return t
}

// loaded is one open network, shared by whoever names its bundle.
type loaded struct {
	bundle *bundle.Bundle
	pool   *model.Pool
	users  int
	bytes  uint64 // resident memory that opening it added, as far as the system tells
}

// Models opens each bundle once and shares its pool.
type Models struct {
	store   *bundle.Store
	native  tflite.Options
	workers int

	mu   sync.Mutex
	open map[string]*loaded // by the bundle's SHA256
}

// NewModels opens nothing yet.
func NewModels(store *bundle.Store, native tflite.Options, workers int) *Models {
	return &Models{store: store, native: native, workers: workers, open: map[string]*loaded{}}
}

// Open resolves, verifies and opens a bundle; each Open needs one Release.
func (m *Models) Open(ref string) (*bundle.Bundle, *model.Pool, error) {
	dir, err := m.store.Resolve(ref)
	if err != nil {
		return nil, nil, err
	}
	b, err := bundle.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.open[b.SHA256]; l != nil {
		l.users++
		return l.bundle, l.pool, nil
	}
	native := m.native
	native.SHA256 = b.Manifest.Files[bundle.ModelFile] // verified a moment ago
	before := rssMB()
	pool, err := model.NewPool(tflite.Opener(b.ModelPath(), native), m.workers)
	if err != nil {
		return nil, nil, fmt.Errorf("open model %s: %w", ref, err)
	}
	m.open[b.SHA256] = &loaded{bundle: b, pool: pool, users: 1, bytes: uint64(max(0, rssMB()-before) * (1 << 20))}
	return b, pool, nil
}

// Release gives back what Open gave; the last one closes the network.
func (m *Models) Release(b *bundle.Bundle) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.open[b.SHA256]
	if l == nil {
		return nil
	}
	if l.users--; l.users > 0 {
		return nil
	}
	delete(m.open, b.SHA256)
	return l.pool.Close()
}

// each calls f for every open network, by name.
func (m *Models) each(f func(*bundle.Bundle, *loaded)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Collect(maps.Values(m.open))
	slices.SortFunc(all, func(a, b *loaded) int { return strings.Compare(a.bundle.Manifest.Name, b.bundle.Manifest.Name) })
	for _, l := range all {
		f(l.bundle, l)
	}
}

// Close releases every network, whoever still holds it.
func (m *Models) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for k, l := range m.open {
		errs = append(errs, l.pool.Close())
		delete(m.open, k)
	}
	return errors.Join(errs...)
}

// OpenClassifier opens the bundles of refs and returns one classifier over them, an ensemble when they are several,
// and a function that releases them.
func (m *Models) OpenClassifier(refs []string) (classify.Classifier, func() error, error) {
	var members []classify.Classifier
	var held []*bundle.Bundle
	release := func() error {
		var errs []error
		for _, b := range held {
			errs = append(errs, m.Release(b))
		}
		return errors.Join(errs...)
	}
	for _, ref := range refs {
		b, pool, err := m.Open(ref)
		if err != nil {
			return nil, nil, errors.Join(err, release())
		}
		held = append(held, b)
		c, err := classify.NewModel(b, pool)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("classifier %s: %w", ref, err), release())
		}
		members = append(members, c)
	}
	if len(members) == 1 {
		return members[0], release, nil
	}
	c, err := classify.NewEnsemble(members)
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return c, release, nil
}

// TryModel opens the bundle that ref names, computes once on zeros, asks it for its known answers, and closes it again. It says what
// runs it.
func TryModel(o ModelOptions, ref string) (model.Info, error) {
	m, err := openModels(o)
	if err != nil {
		return model.Info{}, err
	}
	_, pool, err := m.Open(ref)
	if err != nil {
		return model.Info{}, err
	}
	info := pool.Info()
	_, _, err = m.Known(context.Background(), ref)
	return info, errors.Join(err, m.Close())
}

// Known asks the bundle that ref names about the pictures whose answers it carries: how many they are, 0 for a bundle without, and how
// far a score is off at most. An answer that is not as it was where the bundle was made is an error, as known.Check gives it.
func (m *Models) Known(ctx context.Context, ref string) (n int, worst float64, err error) {
	b, pool, err := m.Open(ref)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, m.Release(b)) }()
	if !known.Has(b) {
		return 0, 0, nil
	}
	c, err := classify.NewModel(b, pool)
	if err != nil {
		return 0, 0, err
	}
	return known.Check(ctx, b, c)
}

// TryKnown is Known for a bundle that is opened for it and closed again.
func TryKnown(ctx context.Context, o ModelOptions, ref string) (n int, worst float64, err error) {
	m, err := openModels(o)
	if err != nil {
		return 0, 0, err
	}
	n, worst, err = m.Known(ctx, ref)
	return n, worst, errors.Join(err, m.Close())
}
