//go:build cgo && !nonative

package cv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/gif"
	"io"
	"os"
	"time"

	"gleaner/capture"
)

// images serves the pictures of a file, folder or glob as frames, upright as their EXIF orientation says.
type images struct {
	device
	arg string
}

// maxWarnings bounds the lines that a Source remembers; what comes after is only counted.
const maxWarnings = 20

// Open lists the pictures anew, so that a folder that grew is seen when it is opened again.
func (d *images) Open(ctx context.Context) (capture.Source, error) {
	files, err := List(d.arg)
	if err != nil {
		return nil, err
	}
	rate := d.o.FPS
	if rate == 0 {
		rate = 1 // pictures have no rate of their own
	}
	return &imageSource{dev: d, files: files, dec: newDecoder(), step: time.Duration(float64(time.Second) / rate),
		pace: newPacer(d.live())}, nil
}

type imageSource struct {
	dev   *images
	files []string
	next  int // into files
	good  int // decoded since the last beginning
	n     int // frames delivered
	step  time.Duration
	dec   *decoder
	pace  *pacer
	name  string
	said  map[string]bool // files that were warned of, once each though the folder loops
	warns []string
	more  int // warnings beyond maxWarnings
}

// Read decodes the next picture. In a folder or glob what is no picture is skipped and said in Warnings; alone it is
// an error.
func (s *imageSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	if s.dec == nil {
		return time.Time{}, errClosed
	}
	m, err := buffer(b)
	if err != nil {
		return time.Time{}, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return time.Time{}, err
		}
		if s.next == len(s.files) {
			if s.good == 0 {
				return time.Time{}, fmt.Errorf("read pictures %s: none of %d files is a picture: %s", s.dev.arg, len(s.files), s.warns[0])
			}
			if !s.dev.o.Loop {
				return time.Time{}, io.EOF
			}
			s.next, s.good = 0, 0
		}
		file := s.files[s.next]
		err := s.decode(file, m)
		if err != nil && len(s.files) == 1 {
			return time.Time{}, fmt.Errorf("read picture %s: %w", file, err)
		}
		s.next++
		if err != nil {
			s.warn(file, err)
			continue
		}
		s.good++
		s.name = file
		break
	}
	at := time.Duration(s.n) * s.step
	s.n++
	return s.pace.wait(ctx, at)
}

func (s *imageSource) decode(file string, m *Buffer) error {
	data, err := os.ReadFile(file)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err // the caller names the file
		}
		return err
	}
	format, _, _, err := sniff(data)
	if err != nil {
		return err
	}
	if err := whole(format, data); err != nil {
		return err
	}
	if format != "gif" {
		return s.dec.decode(data, m)
	}
	// OpenCV 4.6 reads no GIF; of an animated one the first picture counts.
	pic, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("damaged picture: %w", err)
	}
	return m.fill(capture.FromGo(pic))
}

func (s *imageSource) warn(file string, err error) {
	if s.said[file] {
		return
	}
	if s.said == nil {
		s.said = map[string]bool{}
	}
	s.said[file] = true
	if len(s.warns) == maxWarnings {
		s.more++
		return
	}
	s.warns = append(s.warns, fmt.Sprintf("skipped %s: %v", file, err))
}

// Warnings names the files that were skipped, each with the reason.
func (s *imageSource) Warnings() []string {
	if s.more == 0 {
		return s.warns
	}
	return append(s.warns[:len(s.warns):len(s.warns)], fmt.Sprintf("skipped %d more files", s.more))
}

// Name is the path of the picture read last.
func (s *imageSource) Name() string { return s.name }

// Close frees the decoder.
func (s *imageSource) Close() error {
	if s.dec != nil {
		s.dec.close()
		s.dec = nil
	}
	return nil
}
