package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon/decide"
	"gleaner/daemon/event"
	"gleaner/detect"
	"gleaner/detect/track"
)

// The frame of every scene, in pixels, and its rate.
const (
	sceneW, sceneH = 320, 240
	scenePeriod    = time.Second / 30
)

var sceneStart = time.Unix(1_700_000_000, 0).UTC()

// sceneTime is the exposure of frame n, counted from 0.
func sceneTime(n int) time.Time { return sceneStart.Add(time.Duration(n) * scenePeriod) }

// actor is one object of a scene: a square that is there from frame in to frame out and moves evenly. Its shade is what
// the classifier sees, its class what the detector says.
type actor struct {
	in, out int     // frames, out excluded
	x, y    float32 // upper left corner in frame in
	vx, vy  float32 // pixels per frame
	side    float32
	shade   int // class that its pixels show
	class   int // class that the detector gives, -1 for none
}

func (a actor) box(n int) (detect.Box, bool) {
	k := float32(n - a.in)
	b := detect.Box{X0: a.x + k*a.vx, Y0: a.y + k*a.vy, X1: a.x + k*a.vx + a.side, Y1: a.y + k*a.vy + a.side}
	b = detect.Box{X0: max(b.X0, 0), Y0: max(b.Y0, 0), X1: min(b.X1, sceneW), Y1: min(b.Y1, sceneH)}
	return b, n >= a.in && n < a.out && b.X1-b.X0 >= 1 && b.Y1-b.Y0 >= 1
}

// frame draws frame n of a scene.
func frame(n int, actors []actor) *capture.Frame {
	im := capture.NewImage(sceneW, sceneH)
	for _, a := range actors {
		b, ok := a.box(n)
		if !ok {
			continue
		}
		for y := int(b.Y0); y < int(b.Y1); y++ {
			row := im.Row(y)
			for x := 3 * int(b.X0); x < 3*int(b.X1); x++ {
				row[x] = byte(10 + a.shade)
			}
		}
	}
	return &capture.Frame{Image: im, Seq: uint64(n + 1), Time: sceneTime(n), Arrived: sceneTime(n)}
}

// stage plays a scene: it is the Detector and the Gate, and fails where it is told to.
type stage struct {
	actors  []actor
	labels  []string
	fail    func(n int) bool // the detector fails on frame n
	moved   func(n int) bool // what the gate says
	looked  []int            // frames that the detector was asked about
	unseen  func(n int) bool // frames in which the detector is blind
	visible int              // boxes given so far
}

func (s *stage) Detect(_ context.Context, _ capture.Image, t time.Time, dst []detect.Detection) ([]detect.Detection, error) {
	n := int((t.Sub(sceneStart) + scenePeriod/2) / scenePeriod)
	s.looked = append(s.looked, n)
	if s.fail != nil && s.fail(n) {
		return dst, errors.New("the detector is told to fail")
	}
	if s.unseen != nil && s.unseen(n) {
		return dst, nil
	}
	for _, a := range s.actors {
		if b, ok := a.box(n); ok {
			dst = append(dst, detect.Detection{Box: b, Class: a.class, Score: 0.9})
			s.visible++
		}
	}
	return dst, nil
}

func (s *stage) Labels() []string { return s.labels }
func (s *stage) Close() error     { return nil }

func (s *stage) Open(_ capture.Image, t time.Time) (bool, error) {
	return s.moved(int((t.Sub(sceneStart) + scenePeriod/2) / scenePeriod)), nil
}

// eye is a Classifier that reads the shade of a crop's middle.
type eye struct {
	labels []string
	model  string
	sure   float32
	turn   int // is added to the shade: another model, another answer
	// familiar is by how much all crops look more familiar than they must.
	familiar float32
	fail     func() bool
	mu       sync.Mutex
	calls    int
}

func (e *eye) Classify(_ context.Context, im capture.Image, dst []float32) ([]float32, error) {
	e.mu.Lock()
	e.calls++
	e.mu.Unlock()
	if e.fail != nil && e.fail() {
		return dst, errors.New("the classifier is told to fail")
	}
	class := (int(im.Row(im.H / 2)[3*(im.W/2)]) - 10 + e.turn) % len(e.labels)
	dst = dst[:0]
	for range e.labels {
		dst = append(dst, (1-e.sure)/float32(len(e.labels)-1))
	}
	dst[class] = e.sure
	return dst, nil
}

// Look implements classify.Familiar.
func (e *eye) Look(ctx context.Context, im capture.Image, dst []float32) ([]float32, float32, error) {
	dst, err := e.Classify(ctx, im, dst)
	return dst, e.familiar, err
}

func (e *eye) Labels() []string { return e.labels }
func (e *eye) Model() string    { return e.model }

func newEye() *eye {
	return &eye{labels: []string{"glass", "can", "paper"}, model: "sha256:aa", sure: 0.9}
}

// box keeps the events that are published, each held against its schema.
type inbox struct {
	t       testing.TB
	mu      sync.Mutex
	lines   bytes.Buffer
	objects []event.Object
	acts    []event.Act
	lasts   []event.Last
	counts  []event.Count
	crossed []event.Crossing
	visits  []event.Zone
	crops   []event.Crop
}

func (b *inbox) Publish(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	raw, err := event.Marshal(e)
	if err != nil {
		b.t.Error(err)
		return
	}
	kind := ""
	switch v := event.Value(e).(type) {
	case event.Object:
		b.objects, kind = append(b.objects, v), "object"
		b.lines.Write(append(raw, '\n'))
	case event.Act:
		b.acts, kind = append(b.acts, v), "act"
	case event.Last:
		b.lasts, kind = append(b.lasts, v), "last"
	case event.Count:
		b.counts, kind = append(b.counts, v), "count"
	case event.Crossing:
		b.crossed, kind = append(b.crossed, v), "crossing"
		b.lines.Write(append(raw, '\n'))
	case event.Zone:
		b.visits, kind = append(b.visits, v), "zone"
		b.lines.Write(append(raw, '\n'))
	case event.Crop:
		b.crops, kind = append(b.crops, v), "crop"
	default:
		b.t.Errorf("a pipeline published %T", v)
		return
	}
	if err := validEvent(kind, raw); err != nil {
		b.t.Errorf("%s: %v", raw, err)
	}
}

// schemas are compiled once.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	files, err := fs.Glob(event.Schemas(), "*.json")
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	out := map[string]*jsonschema.Schema{}
	for _, f := range files {
		b, err := fs.ReadFile(event.Schemas(), f)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(f, doc); err != nil {
			return nil, err
		}
		if out[f[:len(f)-len(".json")]], err = c.Compile(f); err != nil {
			return nil, err
		}
	}
	return out, nil
})

// validEvent holds a payload against the schema of its kind: object, act, status and so on.
func validEvent(kind string, raw []byte) error {
	all, err := schemas()
	if err != nil {
		return err
	}
	switch kind {
	case "availability":
		raw, _ = json.Marshal(string(raw))
	case "crop":
		if raw, err = event.CropComment(raw); err != nil {
			return err
		}
	}
	s := all[kind]
	if s == nil {
		return fmt.Errorf("there is no schema %q", kind)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// play is a pipeline over a scene.
type play struct {
	*Pipeline
	stage *stage
	inbox *inbox
	t     testing.TB
	n     int // frames so far
	given uint64
}

// newPlay makes the pipeline; a nil eye leaves the answer to the detector.
func newPlay(t testing.TB, s *stage, e classify.Classifier, change func(*PipelineOptions)) *play {
	p := &play{stage: s, inbox: &inbox{t: t}, t: t}
	o := PipelineOptions{Name: "belt-1", Source: "scene", Detector: s, DetectorModel: "sha256:dd", Track: track.DefaultOptions(),
		Classify: classify.DefaultOptions(), Decide: strict(), Sink: p.inbox, Sequence: &Sequence{}, Rev: 1,
		Replay: true}
	o.Decide.When = decide.WhenVotes
	if e != nil {
		o.Models = NewLive(e)
	}
	if change != nil {
		change(&o)
	}
	p.Pipeline = NewPipeline(o)
	return p
}

// step takes the next frame and holds the books to their word. It returns the frame's error.
func (p *play) step() error {
	err := p.Step(context.Background(), frame(p.n, p.stage.actors))
	p.n++
	p.given++
	p.audit()
	return err
}

// to plays up to frame n; no frame may fail.
func (p *play) to(n int) {
	for p.n < n {
		if err := p.step(); err != nil {
			p.t.Fatalf("frame %d: %v", p.n-1, err)
		}
	}
}

// audit checks that every frame and every object is accounted for.
func (p *play) audit() {
	s := p.Stats()
	if s.Frames+s.Failed != p.given {
		p.t.Fatalf("after frame %d: %d frames in, %d processed and %d failed", p.n-1, p.given, s.Frames, s.Failed)
	}
	if err := s.balance(); err != nil {
		p.t.Fatalf("after frame %d: %v", p.n-1, err)
	}
	if uint64(len(p.inbox.objects)) != s.Verdicts {
		p.t.Fatalf("after frame %d: %d records for %d verdicts", p.n-1, len(p.inbox.objects), s.Verdicts)
	}
}

// balance is an error when an object is unaccounted for.
func (s PipelineStats) balance() error {
	sum := s.Verdicts + uint64(s.Pending)
	for _, w := range s.Withheld {
		sum += w
	}
	if s.Objects != sum || s.Pending > s.InView {
		return fmt.Errorf("%d objects, but %d verdicts, withheld %v, %d pending of %d in view", s.Objects, s.Verdicts, s.Withheld,
			s.Pending, s.InView)
	}
	return nil
}

// strict are bars high enough for every reason to show.
func strict() decide.Options {
	o := decide.DefaultOptions()
	o.Early, o.Majority, o.Threshold = 0, 0.5, 0.5
	return o
}
