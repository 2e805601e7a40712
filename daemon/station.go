package daemon

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync/atomic"
	"time"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/classify"
	"gleaner/daemon/crop"
	"gleaner/daemon/decide"
	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/web"
	"gleaner/detect"
	detectcv "gleaner/detect/cv"
)

// station is one camera with everything that works on its frames, opened together and closed together.
type station struct {
	spec     CameraSpec
	stepping atomic.Int64 // when the step under way began, Unix nanoseconds; 0 between steps
	camera   *Camera
	pipeline *Pipeline
	crops    *crop.Maker    // nil: no pictures of objects
	live     *Live          // nil without a classifier
	release  func() error   // of the classifier in live
	closers  []func() error // run in reverse
}

// stationParts is what the stations of one daemon share.
type stationParts struct {
	models   *Models
	sink     event.Sink
	sequence *Sequence
	boot     string
	rev      int
	replay   bool // nothing is dropped, the frames' clock, no live lanes
	clock    func() time.Time
	timer    func(cam string, s Stage) *metrics.Histogram // nil: no stage is timed
	viewer   func(cam string) *web.Viewer                 // nil: no live page
	verdict  func(event.Object)                           // nil: nobody else listens
	crop     func(event.Crop)                             // takes the pictures; nil: none are made
	status   func(cam string, s Status)
	trace    func(seq uint64, detected bool, crops []image.Rectangle) // nil: nobody asks
	log      *slog.Logger                                             // nil: cameras log nothing
	device   func(o capture.Options) (capture.Device, error)          // nil: cv.NewDevice
}

// SetupError is a camera that cannot work as it is configured: its source's form, its detector, its models.
type SetupError struct{ Err error }

// Error is the cause's text.
func (e *SetupError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *SetupError) Unwrap() error { return e.Err }

// openStation opens a camera's detector, gate and classifier; the camera itself is opened when its loop runs, again
// and again if need be.
func openStation(spec CameraSpec, p stationParts) (*station, error) {
	s := &station{spec: spec}
	fail := func(what string, err error) (*station, error) {
		return nil, errors.Join(&SetupError{fmt.Errorf("camera %s: %s: %w", spec.Name, what, err)}, s.close())
	}
	open := p.device
	if open == nil {
		open = cv.NewDevice
	}
	dev, err := open(spec.Options)
	if err != nil {
		return fail("source", err)
	}
	po := PipelineOptions{Name: spec.Name, Source: dev.String(), Track: spec.Track, Classify: spec.Classify,
		Decide: spec.Decide, Sink: p.sink, Sequence: p.sequence, Boot: p.boot, Rev: p.rev, Replay: p.replay,
		Clock: p.clock, OnVerdict: p.verdict, Trace: p.trace}
	po.Decide.When = when(spec)
	if po.Detector, po.DetectorModel, err = s.openDetector(spec.Detect, p.models); err != nil {
		return fail("detect", err)
	}
	s.closers = append(s.closers, po.Detector.Close)
	if needsGate(spec.Detect) {
		if po.Gate, err = detectcv.NewGate(spec.Detect); err != nil {
			return fail("detect.gate", err)
		}
		s.closers = append(s.closers, po.Gate.Close)
	}
	if len(spec.Classify.Models) > 0 {
		c, release, err := p.models.OpenClassifier(spec.Classify.Models)
		if err != nil {
			return fail("classify", err)
		}
		s.live, s.release = NewLive(c), release
		s.closers = append(s.closers, func() error { return s.release() })
		po.Models = s.live
	}
	if p.timer != nil {
		po.Meter = NewMeter(time.Now, func(st Stage) *metrics.Histogram { return p.timer(spec.Name, st) })
	}
	if p.viewer != nil {
		po.Viewer = p.viewer(spec.Name)
	}
	po.Crops = s.openCrops(p.crop)
	s.pipeline = NewPipeline(po)
	s.camera = NewCamera(dev, CameraOptions{Name: spec.Name, Latency: spec.Latency, Stall: spec.Stall,
		BackoffMin: spec.BackoffMin, BackoffMax: spec.BackoffMax, NoDrop: p.replay, Log: p.log}, func(st Status) {
		if p.status != nil {
			p.status(spec.Name, st)
		}
	})
	return s, nil
}

// when is the moment of the verdict, with "auto" made definite.
func when(spec CameraSpec) string {
	switch {
	case spec.Decide.When != decide.WhenAuto:
		return spec.Decide.When
	case spec.Detect.Kind == detect.KindMotion:
		return decide.WhenLine
	}
	return decide.WhenVotes
}

// needsGate reports whether a motion test stands before the detector: only before networks, whose cost it saves.
func needsGate(o detect.Options) bool {
	return o.Gate.On && o.Kind != detect.KindMotion && o.Kind != detect.KindFrame
}

// openDetector opens the detector that o asks for, and the model that it needs.
func (s *station) openDetector(o detect.Options, m *Models) (detect.Detector, string, error) {
	if o.Kind == detect.KindMotion {
		d, err := detectcv.NewMotion(o)
		return d, "", err
	}
	if o.Kind == detect.KindFrame {
		d, err := detect.New(o, nil, nil)
		return d, "", err
	}
	b, pool, err := m.Open(o.Model)
	if err != nil {
		return nil, "", err
	}
	s.closers = append(s.closers, func() error { return m.Release(b) })
	d, err := detect.New(o, b, pool)
	return d, b.ID(), err
}

// openCrops begins to make pictures for publish where the camera is asked for them; nil where it is not.
func (s *station) openCrops(publish func(event.Crop)) *crop.Maker {
	if publish == nil || !s.spec.Publish.Crop {
		return nil
	}
	s.crops = crop.NewMaker(s.spec.Publish, publish)
	s.closers = append(s.closers, s.crops.Close)
	return s.crops
}

// successor is a classifier that was opened for a station beside the one it has.
type successor struct {
	station *station
	next    classify.Classifier
	release func() error // of next
}

// openSuccessor opens the camera's classifier anew, as its bundles are now; nil if that is the one it has. The station
// goes on with the one it has until the successor takes over.
func (s *station) openSuccessor(m *Models) (*successor, error) {
	if s.live == nil {
		return nil, nil
	}
	c, release, err := m.OpenClassifier(s.spec.Classify.Models)
	if err != nil {
		return nil, fmt.Errorf("camera %s: %w", s.spec.Name, err)
	}
	if c.Model() == s.live.Current().Model() {
		return nil, release()
	}
	return &successor{s, c, release}, nil
}

// takeOver puts the successor in place between two frames, and closes the classifier that was there.
func (n *successor) takeOver() error {
	old := n.station.release
	n.station.live.Swap(n.next)
	n.station.release = n.release
	return old()
}

// work takes the camera's frames through the pipeline until the camera ends, then flushes what is in view.
func (s *station) work(ctx context.Context, failed func(error)) {
	for f := range s.camera.Latest().C() {
		s.stepping.Store(time.Now().UnixNano())
		err := s.pipeline.Step(ctx, f)
		s.stepping.Store(0)
		if err != nil {
			failed(fmt.Errorf("camera %s: frame %d: %w", s.spec.Name, f.Seq, err))
		}
		f.Release()
	}
	s.pipeline.Flush()
}

// close closes what was opened, in reverse. The loops must have ended.
func (s *station) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}
