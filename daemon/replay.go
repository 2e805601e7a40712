package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gleaner/capture"
	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/model/bundle"
)

// ReplayOptions is what a replay differs in from the daemon.
type ReplayOptions struct {
	// Sink takes the events, in order.
	Sink event.Sink
	// Timer hands out the histogram of a stage; nil: no stage is timed.
	Timer func(Stage) *metrics.Histogram
	// Device opens the source; nil: by the camera's own options.
	Device func(capture.Options) (capture.Device, error)
	// Progress is called from the pipeline's goroutine now and then with the number of frames done; nil: never.
	Progress func(frames uint64)
}

// ReplayResult is what a replay did.
type ReplayResult struct {
	Pipeline PipelineStats
	Camera   CameraStats
	Wall     time.Duration // from the first frame asked to the last one done
}

// Replay takes a finite source through the pipeline, dropping nothing, on the frames' own clock: the same input, models
// and options give the same events, byte for byte. It returns an error when the source cannot be opened, a stage
// fails, or ctx ends first.
func Replay(ctx context.Context, spec CameraSpec, models ModelOptions, o ReplayOptions) (ReplayResult, error) {
	var res ReplayResult
	spec.Pace, spec.Loop = "fast", false
	m, err := openModels(models)
	if err != nil {
		return res, err
	}
	defer m.Close()
	parts := stationParts{models: m, sink: o.Sink, sequence: &Sequence{}, replay: true, device: o.Device}
	if o.Timer != nil {
		parts.timer = func(_ string, s Stage) *metrics.Histogram { return o.Timer(s) }
	}
	s, err := openStation(spec, parts)
	if err != nil {
		return res, err
	}
	defer s.close()
	if !s.camera.dev.Finite() {
		return res, endless(spec)
	}
	start := time.Now()
	err = s.replay(ctx, o.Progress)
	res.Wall = time.Since(start)
	res.Pipeline, res.Camera = s.pipeline.Stats(), s.camera.Stats()
	switch {
	case res.Pipeline.Frames > 0 && err != nil, ctx.Err() != nil:
		return res, err
	case err != nil:
		return res, &SetupError{err}
	case res.Pipeline.Frames == 0:
		return res, &SetupError{fmt.Errorf("%s gave no frame", s.pipeline.source)}
	}
	return res, s.close()
}

// endless says that a source cannot be replayed, because it has no end.
func endless(spec CameraSpec) error {
	return &SetupError{fmt.Errorf("%s has no end: give a clip, pictures, or a belt with a count", spec.Source)}
}

// replay runs the camera's loop beside the pipeline until the source ends. The first failing stage stops it.
func (s *station) replay(ctx context.Context, progress func(uint64)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	var readErr error
	wg.Go(func() { readErr = s.camera.Run(ctx) })
	for f := range s.camera.Latest().C() {
		if context.Cause(ctx) == nil {
			if err := s.pipeline.Step(ctx, f); err != nil {
				stop(fmt.Errorf("frame %d: %w", f.Seq, err))
			} else if n := s.pipeline.Stats().Frames; progress != nil && n%50 == 0 {
				progress(n)
			}
		}
		f.Release()
	}
	wg.Wait()
	cause := context.Cause(ctx)
	if cause == nil {
		s.pipeline.Flush()
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return errors.Join(cause, readErr, s.camera.Close(closing))
}

// closeTime bounds the wait for a native read that still blocks when a camera is closed.
const closeTime = 5 * time.Second

// openModels opens the store that the options name.
func openModels(o ModelOptions) (*Models, error) {
	dir, err := o.StoreDir()
	if err != nil {
		return nil, err
	}
	store, err := bundle.OpenStore(dir)
	if err != nil {
		return nil, err
	}
	return NewModels(store, o.native(), o.workers()), nil
}
