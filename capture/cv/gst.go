//go:build cgo && !nonative

package cv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gleaner/capture"
)

// gst is a GStreamer pipeline.
//
// OpenCV 4.6 waits for a pipeline without any bound, in open and in read, and has no way to end the wait (measured:
// udpsrc without packets blocks for ever). So each pipeline has one goroutine that makes the native calls, into a Mat of
// its own; Open and Read wait for it within the time-out. A pipeline that stays silent keeps its goroutine, and Open
// takes the same pipeline up again instead of starting a second one: there is never more than one per device, and when
// its frames come back, so does the camera. This goroutine is the one that nothing can wait for.
type gst struct {
	device
	pipeline string

	mu    sync.Mutex
	stuck *gstWorker // a worker whose native call did not return in time
}

// withSink appends the appsink that hands out BGR frames, the newest only, unless the pipeline has its own.
func withSink(pipeline string) string {
	stages := strings.Split(pipeline, "!")
	if strings.HasPrefix(strings.TrimSpace(stages[len(stages)-1]), "appsink") {
		return pipeline
	}
	return pipeline + " ! videoconvert ! video/x-raw,format=BGR ! appsink max-buffers=1 drop=true sync=false"
}

// gstWorker makes the native calls of one pipeline. A request is a send on want, its answer one on done.
type gstWorker struct {
	want chan struct{}
	done chan error // buffered, so that a late answer does not block
	v    *video     // the worker's until it answered
	own  *Buffer    // where it decodes into
}

func (w *gstWorker) run(pipeline string) {
	var err error
	if w.v, err = openVideo(pipeline, apiGStreamer); w.v == nil {
		w.done <- orElse(err, "GStreamer does not start it: try it with gst-launch-1.0, which says why")
		return
	}
	w.done <- nil
	for range w.want {
		w.done <- w.v.read(w.own)
	}
	w.v.close()
	_ = w.own.Close() // cannot fail: it frees memory
	close(w.done)
}

// Open starts the pipeline, or takes up the one that was stuck.
func (d *gst) Open(ctx context.Context) (capture.Source, error) {
	d.mu.Lock()
	w := d.stuck
	d.stuck = nil
	d.mu.Unlock()
	if w == nil {
		w = &gstWorker{want: make(chan struct{}), done: make(chan error, 1), own: newBuffer()}
		go w.run(withSink(d.pipeline))
	}
	s := &gstSource{dev: d, w: w}
	err := s.await(ctx)
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, errSilent):
		s.leave()
		return nil, fmt.Errorf("open %s: %w", d.name, err)
	case !s.silent && w.v == nil:
		_ = w.own.Close() // the worker has ended
		return nil, fmt.Errorf("open %s: %w", d.name, err)
	}
	_ = s.Close()
	return nil, fmt.Errorf("open %s: %w", d.name, err)
}

// errSilent says that a native call has not returned in time.
var errSilent = errors.New("no frame comes, and OpenCV cannot be interrupted; it goes on waiting")

type gstSource struct {
	dev    *gst
	w      *gstWorker // nil: closed
	silent bool       // the worker owes an answer
	timer  *time.Timer
}

// await waits for the worker's answer, within the time-out and until ctx ends.
func (s *gstSource) await(ctx context.Context) error {
	s.silent = true
	if s.timer == nil {
		s.timer = time.NewTimer(ioTimeout(s.dev.o))
	} else {
		s.timer.Reset(ioTimeout(s.dev.o))
	}
	defer s.timer.Stop()
	select {
	case err := <-s.w.done:
		s.silent = false
		return err
	case <-s.timer.C:
		return fmt.Errorf("%w (waited %v)", errSilent, ioTimeout(s.dev.o))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives a worker that is stuck back to the device, for the next Open; the source is closed with that.
func (s *gstSource) leave() {
	s.dev.mu.Lock()
	s.dev.stuck = s.w
	s.dev.mu.Unlock()
	s.w = nil
}

// Read takes the next frame, or gives up waiting for it.
func (s *gstSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	if s.w == nil {
		return time.Time{}, errClosed
	}
	m, err := buffer(b)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return time.Time{}, err
	}
	if !s.silent {
		s.w.want <- struct{}{}
	}
	if err := s.await(ctx); err != nil {
		if errors.Is(err, errSilent) {
			s.leave()
		}
		if errors.Is(err, errNoFrame) {
			err = errors.New("the pipeline has ended")
		}
		return time.Time{}, fmt.Errorf("read %s: %w", s.dev.name, err)
	}
	// The Mats change places: the frame is not copied, and the worker decodes the next into the buffer's old memory.
	m.mat, s.w.own.mat = s.w.own.mat, m.mat
	s.w.own.img = capture.Image{}
	return time.Time{}, m.view()
}

// Close ends the pipeline, or leaves it to the next Open if it is stuck.
func (s *gstSource) Close() error {
	if s.w == nil {
		return nil
	}
	w := s.w
	s.w = nil
	if s.silent {
		// Once more the time-out: a pipeline that is only asked to end in the middle of a frame gets that frame done.
		s.timer.Reset(ioTimeout(s.dev.o))
		defer s.timer.Stop()
		select {
		case <-w.done:
			if w.v == nil { // it never opened, and the worker has ended
				return w.own.Close()
			}
		case <-s.timer.C:
			s.w = w
			s.leave()
			return nil
		}
	}
	close(w.want)
	<-w.done // closed when the pipeline is down
	return nil
}
