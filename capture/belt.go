// Long because the drawn belt is in it as well (belt*.go): it needs Image and Options, and Options need its own.
package capture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// BeltOptions is what the drawn belt carries and how it runs.
type BeltOptions struct {
	// Seed decides everything that is drawn by lot: the same seed, options and pictures give the same frames.
	Seed uint64 `yaml:"seed"`
	// Pictures is the labelled set that lies on the belt, as pictures.Open reads it: "fashion-mnist", a folder with a
	// sub-folder per class, a list file, an IDX file.
	Pictures string `yaml:"pictures"`
	// Classes keeps only the pictures of these classes; empty: all.
	Classes []string `yaml:"classes"`
	// Count is how many items come; 0: endlessly. After the last the belt runs empty for a second and ends.
	Count int `yaml:"count"`

	Speed     float64 `yaml:"speed"`     // pixels per second, 1 to 4000
	Direction string  `yaml:"direction"` // "right" or "left"
	Gap       int     `yaml:"gap"`       // mean clear distance between items in pixels; each is 0.4 to 1.6 of it
	Touching  float64 `yaml:"touching"`  // share of items that touch the one before, 0 to 1
	// SizeMin and SizeMax bound the longer side of an item's picture in pixels; 0: 150 to 230 for cut-outs and 240 to
	// 320 for photographs on a frame 720 high, in proportion on others.
	SizeMin int `yaml:"size_min"`
	SizeMax int `yaml:"size_max"`
	// Tint is how strongly cut-outs are coloured, 0 (grey) to 1; their brightness stays.
	Tint float64 `yaml:"tint"`

	Texture float64 `yaml:"texture"` // strength of the belt's weave, wear and seams; 0 is plain, 1 as drawn, at most 2
	Noise   float64 `yaml:"noise"`   // sensor noise, standard deviation in grey levels, 0 to 5
	// Exposure is the shutter time: a moving item is blurred over Speed times Exposure pixels (at most 24).
	Exposure time.Duration `yaml:"exposure"`
	// LightDrift is how far the light falls below full in its slow rise and fall, as a share, 0 to 0.15.
	LightDrift float64 `yaml:"light_drift"`
	// LightStep is how much of the light goes in one frame, and comes back, every LightStepEvery; 0 to 0.4.
	LightStep      float64       `yaml:"light_step"`
	LightStepEvery time.Duration `yaml:"light_step_every"`

	// Every StopEvery the belt stands still for StopFor; every ReverseEvery it runs backwards for ReverseFor. Either
	// part 0: never.
	StopEvery    time.Duration `yaml:"stop_every"`
	StopFor      time.Duration `yaml:"stop_for"`
	ReverseEvery time.Duration `yaml:"reverse_every"`
	ReverseFor   time.Duration `yaml:"reverse_for"`
}

// DefaultBeltOptions is the demo's belt: garments without end at 300 px/s, one in ten touching its neighbour, a stop
// every 41 s and a short reversal every 97 s.
func DefaultBeltOptions() BeltOptions {
	return BeltOptions{Seed: 1, Pictures: "fashion-mnist", Speed: 300, Direction: "right", Gap: 130, Touching: 0.1,
		Tint: 0.3, Texture: 1, Noise: 2.5, Exposure: 7 * time.Millisecond, LightDrift: 0.05,
		LightStepEvery: 30 * time.Second, StopEvery: 41 * time.Second, StopFor: 2 * time.Second,
		ReverseEvery: 97 * time.Second, ReverseFor: 500 * time.Millisecond}
}

// check names the first option that is out of its range.
func (o BeltOptions) check() error {
	for _, r := range []struct {
		key         string
		v, min, max float64
	}{
		{"count", float64(o.Count), 0, 1e7}, {"speed", o.Speed, 1, 4000}, {"gap", float64(o.Gap), 0, 1e5},
		{"touching", o.Touching, 0, 1}, {"tint", o.Tint, 0, 1}, {"texture", o.Texture, 0, 2},
		{"noise", o.Noise, 0, 5}, {"light_drift", o.LightDrift, 0, 0.15}, {"light_step", o.LightStep, 0, 0.4},
		{"exposure (s)", o.Exposure.Seconds(), 0, 1},
	} {
		if !(r.v >= r.min && r.v <= r.max) {
			return fmt.Errorf("%s: %v is not within %v to %v", r.key, r.v, r.min, r.max)
		}
	}
	if o.Direction != "right" && o.Direction != "left" {
		return fmt.Errorf(`direction: %q is neither "right" nor "left"`, o.Direction)
	}
	if o.SizeMin > o.SizeMax {
		return fmt.Errorf("size_min: %d is above size_max %d", o.SizeMin, o.SizeMax)
	}
	for _, r := range []struct {
		key        string
		every, dur time.Duration
	}{{"stop", o.StopEvery, o.StopFor}, {"reverse", o.ReverseEvery, o.ReverseFor}} {
		if r.every < 0 || r.dur < 0 || (r.every > 0 && r.dur*2 > r.every) {
			return fmt.Errorf("%s_for: %v is more than half of %s_every %v, or negative", r.key, r.dur, r.key, r.every)
		}
	}
	return nil
}

// Pictures is a labelled picture set as the belt needs it; pictures.Set is one. It is read from one goroutine.
type Pictures interface {
	// Labels are the class names.
	Labels() []string
	// Len is the number of pictures.
	Len() int
	// Label is the class of picture i, an index into Labels.
	Label(i int) int
	// Image decodes picture i; the caller may keep it.
	Image(i int) (Image, error)
	// Path names picture i for people.
	Path(i int) string
	// Cutout reports that a picture shows one bright thing on black, to be cut out; otherwise it is laid on whole.
	Cutout() bool
}

// Belt is a sorting belt seen from above, drawn frame by frame in integer arithmetic: real pictures on a moving,
// textured belt. It is a Device; it knows the truth that the pipeline has to find out. Its methods may be called from
// any goroutine, at most one Source is open at a time.
type Belt struct {
	o    Options
	pics Pictures
	pick []int // the pictures that may come, in the order in which they come
	fps  float64
	live bool

	mu    sync.Mutex
	world *world
	scene *scene    // drawn upon by the open Source alone
	start time.Time // time of frame 0
}

// Belt defaults where Options leaves them 0.
const (
	beltWidth, beltHeight = 1280, 720
	beltFPS               = 30
)

// maxBeltSide bounds the frame in pixels, so that a slip in the config does not take the machine's memory.
const maxBeltSide = 7680

// NewBelt makes the belt that o.Belt describes, carrying pics. o.Width, o.Height and o.FPS are 1280×720 at 30 where they
// are 0. With o.Pace "fast" frames come as fast as they are read, with the times epoch + n/fps; otherwise they come at
// their rate and carry the wall clock. o.Loop makes a belt with a Count endless.
func NewBelt(o Options, pics Pictures) (*Belt, error) {
	if o.Loop {
		o.Belt.Count = 0
	}
	o.Width, o.Height = orInt(o.Width, beltWidth), orInt(o.Height, beltHeight)
	b := &Belt{o: o, pics: pics, fps: o.FPS, live: o.Pace != "fast"}
	if b.fps == 0 {
		b.fps = beltFPS
	}
	if err := o.Belt.check(); err != nil {
		return nil, fmt.Errorf("belt: %w", err)
	}
	if o.Width < 160 || o.Height < 120 || o.Width > maxBeltSide || o.Height > maxBeltSide {
		return nil, fmt.Errorf("belt: a frame of %d×%d is not within 160×120 to %d×%d", o.Width, o.Height, maxBeltSide,
			maxBeltSide)
	}
	if !(b.fps >= 1 && b.fps <= 1000) {
		return nil, fmt.Errorf("belt: %v frames per second are not within 1 to 1000", b.fps)
	}
	var err error
	if b.pick, err = choose(pics, o.Belt); err != nil {
		return nil, fmt.Errorf("belt: %w", err)
	}
	if _, hi := itemSizes(o.Belt, pics.Cutout(), o.Height); hi > beltRows(o.Height)*9/10 {
		return nil, fmt.Errorf("belt: size_max: items of %d px do not fit on a frame %d high", hi, o.Height)
	}
	return b, nil
}

func orInt(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

// choose is the pictures of the wanted classes in the order in which they come.
func choose(pics Pictures, o BeltOptions) ([]int, error) {
	labels := pics.Labels()
	for _, c := range o.Classes {
		if !slices.Contains(labels, c) {
			return nil, fmt.Errorf("classes: the pictures have no class %q, they have %q", c, labels)
		}
	}
	var pick []int
	for i := range pics.Len() {
		if len(o.Classes) == 0 || slices.Contains(o.Classes, labels[pics.Label(i)]) {
			pick = append(pick, i)
		}
	}
	if len(pick) == 0 {
		return nil, errors.New("no picture to carry")
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0))
	rng.Shuffle(len(pick), func(i, j int) { pick[i], pick[j] = pick[j], pick[i] })
	return pick, nil
}

// Open starts the belt, or goes on where it was: a live belt runs on while nobody looks. A belt that has ended, and
// one with pace "fast", begins anew and forgets its truth.
func (b *Belt) Open(ctx context.Context) (Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.world == nil || b.world.ended || !b.live {
		b.world = newWorld(b)
		b.start = time.Unix(0, 0).UTC()
		if b.live {
			b.start = time.Now()
		}
	}
	if b.scene == nil {
		b.scene = newScene(b.o)
	}
	b.scene.sensor.seed(b.o.Belt.Seed)
	return &beltSource{belt: b, world: b.world, scene: b.scene}, nil
}

// NewBuffer is one frame in Go memory.
func (b *Belt) NewBuffer() Buffer { return &Memory{} }

// Finite reports whether the belt ends and runs as fast as it is read.
func (b *Belt) Finite() bool { return b.o.Belt.Count > 0 && !b.live }

// String names the belt and what it carries.
func (b *Belt) String() string { return "belt with " + b.o.Belt.Pictures }

// timeOf is the time of frame n, counted from 0. The caller holds mu.
func (b *Belt) timeOf(n int) time.Time {
	return b.start.Add(time.Duration(float64(n) / b.fps * float64(time.Second)))
}

// beltSource is the open belt: it keeps the pace and draws.
type beltSource struct {
	belt  *Belt
	world *world
	scene *scene
	timer *time.Timer
}

// Read draws the next frame. A live belt waits until it is due, and leaves out the frames that are past, as a camera
// that nobody read would.
func (s *beltSource) Read(ctx context.Context, buf Buffer) (time.Time, error) {
	mem, ok := buf.(*Memory)
	if !ok {
		return time.Time{}, fmt.Errorf("read belt: buffer of another device (%T)", buf)
	}
	if err := s.wait(ctx); err != nil {
		return time.Time{}, err
	}
	b := s.belt
	b.mu.Lock()
	steps := 1
	if b.live {
		due := int(time.Since(b.start).Seconds() * b.fps)
		steps = max(1, due-s.world.frame)
	}
	var err error
	for ; steps > 0 && err == nil; steps-- {
		err = s.world.step()
	}
	t := b.timeOf(s.world.frame)
	b.mu.Unlock()
	if err != nil {
		return time.Time{}, err
	}
	s.scene.draw(mem.Size(b.o.Width, b.o.Height), s.world)
	return t, nil
}

// wait sleeps until the next frame of a live belt is due.
func (s *beltSource) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil || !s.belt.live {
		return err
	}
	s.belt.mu.Lock()
	d := time.Until(s.belt.timeOf(s.world.frame + 1))
	s.belt.mu.Unlock()
	if d <= 0 {
		return nil
	}
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the reading; the belt itself runs on.
func (s *beltSource) Close() error {
	if s.timer != nil {
		s.timer.Stop()
	}
	return nil
}

// Size is the frames' width and height in pixels.
func (b *Belt) Size() (w, h int) { return b.o.Width, b.o.Height }
