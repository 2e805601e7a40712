package daemon

import (
	"image"
	"slices"
	"sync"
	"time"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon/crop"
	"gleaner/daemon/decide"
	"gleaner/daemon/event"
	"gleaner/daemon/web"
	"gleaner/detect"
	"gleaner/detect/track"
)

// coast is how long an object that is missed still passes the line where it is expected.
const coast = 300 * time.Millisecond

// lineSlack keeps a centre that jitters on the line from counting as past it, as a share of the frame.
const lineSlack = 0.002

// Withheld is why an object that was seen got no verdict.
type Withheld int

// The reasons, each with a counter of its own.
const (
	WithheldLeft     Withheld = iota // left the picture before it reached the line
	WithheldPastLine                 // first seen past the line: another track's count
	WithheldEnd                      // the source or the daemon ended first
	WithheldFragment                 // a piece that came loose from another object for a while
	withheldReasons
)

// String is the reason's name in messages and metrics.
func (w Withheld) String() string {
	return [...]string{"left_before_line", "past_line", "ended", "fragment"}[w]
}

// object is what the pipeline knows of one tracked object. Objects are reused.
type object struct {
	id                   int64
	box                  detect.Box // in the frame of at
	at                   time.Time  // frame in which it was last seen
	cx, cy               float64    // centre of box, shares of the frame
	class                int        // the detector's class, -1 for none
	score                float32
	seen                 int  // frames in which its place was known
	hits                 int  // frames in which it was detected by itself
	frames               int  // frames since it was confirmed
	fragment             bool // it passed the line as a piece of another object
	inFrame              bool // it has a box of its own in this frame
	placed               bool // its place in this frame is known or safe to expect
	line                 decide.Line
	ballot               decide.Ballot
	gen                  uint64 // of the classifier whose votes the ballot holds
	labels               []string
	model                string
	tried                time.Time // frame in which a crop of it was last looked at
	refused              string    // why the last crop did not vote
	detected, classified time.Time
	done                 bool
	photo                photo
}

func (o *object) clear() {
	b := o.ballot
	b.Reset(0)
	*o = object{ballot: b, photo: photo{class: -1}}
}

// find is the object of a track, or nil. Few objects are in view, so a search beats a map, and the order is fixed.
func (p *Pipeline) find(id int64) *object {
	for _, o := range p.objects {
		if o.id == id {
			return o
		}
	}
	return nil
}

// admit begins an object for a confirmed track.
func (p *Pipeline) admit(id int64) *object {
	var o *object
	if n := len(p.spare); n > 0 {
		o, p.spare = p.spare[n-1], p.spare[:n-1]
	} else {
		o = &object{photo: photo{class: -1}}
		o.ballot.Reset(0)
	}
	o.id = id
	at, _ := slices.BinarySearchFunc(p.objects, id, func(o *object, id int64) int { return int(o.id - id) })
	p.objects = slices.Insert(p.objects, at, o)
	p.stats.open.Objects++
	return o
}

// ownShare is the share of its frames in which an object is detected by itself, at the least, unless it is a piece.
const ownShare = 0.4

// fragment reports whether an object that passes the line inside a box it shares with others is a piece of one of them:
// hardly ever detected by itself, while another in the same place was more often. True neighbours that touch have come
// into the picture one after the other, or come apart again and again.
func (p *Pipeline) fragment(o *object) bool {
	if o.inFrame || float64(o.hits) >= ownShare*float64(o.frames) {
		return false
	}
	for _, q := range p.objects {
		if q != o && q.placed && !q.inFrame && q.hits > o.hits && near(o.box, q.box) {
			return true
		}
	}
	return false
}

// near reports whether two boxes overlap, or would if each were a tenth larger.
func near(a, b detect.Box) bool {
	gx, gy := (a.W()+b.W())/20, (a.H()+b.H())/20
	return a.X0 < b.X1+gx && b.X0 < a.X1+gx && a.Y0 < b.Y1+gy && b.Y0 < a.Y1+gy
}

func (p *Pipeline) remove(o *object) {
	p.objects = slices.DeleteFunc(p.objects, func(x *object) bool { return x == o })
}

// withhold counts an object that gets no verdict.
func (p *Pipeline) withhold(w Withheld) { p.stats.open.Withheld[w]++ }

// books are a pipeline's counts. Its goroutine counts in open; others read shown, which is as of the end of a frame, so
// that the sums are right at all times.
type books struct {
	open  PipelineStats
	mu    sync.Mutex
	shown PipelineStats
}

// settle shows the counts as they are now.
func (p *Pipeline) settle() {
	b := &p.stats
	b.open.InView, b.open.Pending = len(p.objects), 0
	b.open.BeltX, b.open.BeltY, b.open.BeltMoves = p.tracker.BeltSpeed()
	for _, o := range p.objects {
		if !o.done {
			b.open.Pending++
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown = b.open
}

// Stats is what the pipeline has done so far, as of the end of a frame. Any goroutine may ask.
func (p *Pipeline) Stats() PipelineStats {
	p.stats.mu.Lock()
	defer p.stats.mu.Unlock()
	return p.stats.shown
}

// PipelineStats is what a pipeline has done. Every frame that it was given is in Frames or in Failed, and Objects =
// Verdicts + the sum of Withheld + Pending.
type PipelineStats struct {
	Frames   uint64 // taken the whole way
	Busy     uint64 // of them, those that the detector looked at
	Failed   uint64 // dropped because a stage failed
	Crops    uint64 // classified
	Objects  uint64 // confirmed tracks
	Verdicts uint64
	Withheld [withheldReasons]uint64
	InView   int // objects that are followed now
	Pending  int // of them, those without a verdict so far
	// BeltX and BeltY are the speed that the objects share, in pixels per second, while BeltMoves says that they move as
	// one; see track.Tracker.
	BeltX, BeltY float64
	BeltMoves    bool
}

// Sequence numbers the records of a node without gaps, in the order of publishing. It is shared by all cameras.
type Sequence struct {
	mu sync.Mutex
	n  uint64
}

// next calls publish with the next number while no other camera can publish.
func (s *Sequence) next(publish func(seq uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	publish(s.n)
}

// PipelineOptions is what a Pipeline is made of. The parts are borrowed: who opened them closes them, after the last
// Step.
type PipelineOptions struct {
	Name     string // of the camera
	Source   string // for the ids of a replay
	Detector detect.Detector
	// DetectorModel is "sha256:…" of the detector's bundle, for records that no classifier made.
	DetectorModel string
	Gate          detect.Gate // nil: the detector looks at every frame
	Track         track.Options
	Models        *Live // nil: the detector's classes vote
	Classify      classify.Options
	Decide        decide.Options // When is never auto here
	Sink          event.Sink
	Sequence      *Sequence
	Boot          string // epoch of the counts and boot id of the records
	Rev           int
	Replay        bool             // records without wall-clock fields, ids from the source, no live lanes
	Clock         func() time.Time // wall clock; nil for a replay, whose clock is the frames'
	Meter         *Meter           // nil: no stage is timed
	Viewer        *web.Viewer      // nil: no live page
	OnVerdict     func(event.Object)
	Crops         *crop.Maker // nil: no pictures of objects
	// Trace is told of each frame whether the detector looked at it and which crops were classified, so that another
	// program can be made to do the same work; nil: nobody asks. crops is lent for the call.
	Trace func(seq uint64, detected bool, crops []image.Rectangle)
}

// Pipeline takes the frames of one camera through every stage.
type Pipeline struct {
	name, source, boot, detectorModel string
	rev                               int
	replay                            bool

	gate      detect.Gate
	detector  detect.Detector
	tracker   *track.Tracker
	traffic   *traffic // nil: no line and no zone
	models    *Live
	classify  classify.Options
	quality   classify.Quality
	decide    decide.Options
	sink      event.Sink
	seq       *Sequence
	clock     func() time.Time
	meter     *Meter
	viewer    *web.Viewer
	crops     *crop.Maker // nil: no pictures of objects
	onVerdict func(event.Object)
	trace     func(uint64, bool, []image.Rectangle)
	cropped   []image.Rectangle

	frameW, frameH int
	objects        []*object // by id
	spare          []*object
	travel         decide.Travel
	counts         map[string]uint64
	dets           []detect.Detection
	probs, mean    []float32
	top            []classify.Score
	mirror         capture.Image // scratch
	marks          []web.Box
	last           time.Time // of the frame before
	stats          books
}

// NewPipeline puts the parts together.
func NewPipeline(o PipelineOptions) *Pipeline {
	return &Pipeline{name: o.Name, source: o.Source, boot: o.Boot, detectorModel: o.DetectorModel, rev: o.Rev,
		replay: o.Replay, gate: o.Gate, detector: o.Detector, tracker: track.New(o.Track),
		traffic: newTraffic(o.Track), models: o.Models,
		classify: o.Classify, decide: o.Decide, sink: o.Sink, seq: o.Sequence, clock: o.Clock, meter: o.Meter,
		viewer: o.Viewer, crops: o.Crops, onVerdict: o.OnVerdict, trace: o.Trace, counts: map[string]uint64{}}
}

// now is the wall clock, or in a replay the frame's own time.
func (p *Pipeline) now(f *capture.Frame) time.Time {
	if p.replay {
		return f.Time
	}
	return p.clock()
}
