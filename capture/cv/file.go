//go:build cgo && !nonative

package cv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"gleaner/capture"
)

// file is a video clip.
type file struct {
	device
	path string
}

// Open opens the clip with FFmpeg.
func (d *file) Open(ctx context.Context) (capture.Source, error) {
	st, err := os.Stat(d.path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open clip: %w", err)
	case st.IsDir():
		return nil, fmt.Errorf("open clip %s: it is a folder: for its pictures write images:%s", d.path, d.path)
	}
	f, err := os.Open(d.path)
	if err != nil {
		return nil, fmt.Errorf("open clip: %w", err)
	}
	_ = f.Close() // only tried, for its error text is better than OpenCV's
	v, err := openVideo(d.path, apiFFmpeg)
	if v == nil {
		return nil, fmt.Errorf("open clip %s: %w", d.path, orElse(err, "not a video that FFmpeg reads, or damaged"))
	}
	s := &fileSource{dev: d, v: v, pace: newPacer(d.live())}
	s.step = time.Duration(float64(time.Second) / v.number(propFPS, 25))
	return s, nil
}

type fileSource struct {
	dev  *file
	v    *video
	step time.Duration // between frames, by the clip's own rate
	base time.Duration // where the present round of a looped clip begins
	last time.Duration // the frame before, from the first round's begin
	n    int           // frames of this round
	end  bool
	pace *pacer
}

// Read decodes the next frame. At the end it returns io.EOF, again and again, or begins anew.
func (s *fileSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	if s.v == nil && !s.end {
		return time.Time{}, errClosed
	}
	m, err := buffer(b)
	if err != nil {
		return time.Time{}, err
	}
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	if s.end {
		return time.Time{}, io.EOF
	}
	err = s.v.read(m)
	if errors.Is(err, errNoFrame) {
		if s.n == 0 {
			return time.Time{}, fmt.Errorf("read clip %s: it holds no frame that FFmpeg can decode", s.dev.path)
		}
		if !s.dev.o.Loop {
			s.end = true
			return time.Time{}, io.EOF
		}
		if err = s.rewind(); err == nil {
			err = s.v.read(m)
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read clip %s: %w", s.dev.path, err)
	}
	return s.pace.wait(ctx, s.stamp())
}

// rewind opens the clip anew: seeking is not exact in every container.
func (s *fileSource) rewind() error {
	s.v.close()
	v, err := openVideo(s.dev.path, apiFFmpeg)
	if v == nil {
		s.v = nil
		s.end = true
		return orElse(err, "it can no longer be opened")
	}
	s.v, s.n, s.base = v, 0, s.last+s.step
	return nil
}

// stamp is the time of the frame just read: the container's presentation time where it is sane, which is when it grows
// from frame to frame and is not far off the frame rate, else the frame before plus one step.
func (s *fileSource) stamp() time.Duration {
	at := s.base + time.Duration(s.v.Get(propPosMsec)*float64(time.Millisecond))
	switch {
	case s.n == 0:
		at = s.base // some containers begin late; frames count from the first
	case at <= s.last, at > s.last+time.Hour:
		at = s.last + s.step
	}
	s.n++
	s.last = at
	return at
}

// Close frees the decoder.
func (s *fileSource) Close() error {
	if s.v != nil {
		s.v.close()
		s.v = nil
	}
	return nil
}
