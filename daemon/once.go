package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/classify"
	"gleaner/detect"
)

// Picture is what was seen in one picture by Once.
type Picture struct {
	File    string  `json:"file"`
	Width   int     `json:"width,omitempty"`  // pixels
	Height  int     `json:"height,omitempty"` // pixels
	Objects []Found `json:"objects"`
	Error   string  `json:"error,omitempty"` // why the picture could not be used
}

// Found is one object in a picture.
type Found struct {
	Box [4]int `json:"box"` // x0, y0, x1, y1 in pixels
	// Detected is the detector's class, empty where it knows none, and Score its confidence, 0 to 1.
	Detected string  `json:"detected,omitempty"`
	Score    float32 `json:"score,omitempty"`
	// Class is the classifier's best answer and P its probability; both empty without a classifier or a usable crop.
	Class  string       `json:"class,omitempty"`
	P      float32      `json:"p,omitempty"`
	Top    []FoundClass `json:"top,omitempty"`
	Reason string       `json:"reason,omitempty"` // why the crop was not classified
	// Unknown says that the crop looks like nothing that the classifier was taught, so that Class means little.
	Unknown bool `json:"unknown,omitempty"`
}

// FoundClass is a class and its probability, 0 to 1.
type FoundClass struct {
	Class string  `json:"class"`
	P     float32 `json:"p"`
}

// Once detects and classifies the objects in each picture by itself, with no tracking: pictures in, answers out. Of a folder
// each file is one, in natural order. each gets one Picture per file, in order, those that cannot be read among them, with
// their Error. It returns an error when the models cannot be opened or fail, or ctx ends.
func Once(ctx context.Context, spec CameraSpec, models ModelOptions, files []string, each func(Picture) error) error {
	m, err := openModels(models)
	if err != nil {
		return err
	}
	defer m.Close()
	s := &station{spec: spec}
	defer s.close()
	det, _, err := s.openDetector(spec.Detect, m)
	if err != nil {
		return &SetupError{fmt.Errorf("detect: %w", err)}
	}
	s.closers = append(s.closers, det.Close)
	var cls classify.Classifier
	if len(spec.Classify.Models) > 0 {
		c, release, err := m.OpenClassifier(spec.Classify.Models)
		if err != nil {
			return &SetupError{fmt.Errorf("classify: %w", err)}
		}
		cls = c
		s.closers = append(s.closers, release)
	}
	for _, file := range listed(files) {
		p := Picture{File: file, Objects: []Found{}}
		err := readPicture(ctx, file, func(im capture.Image) error {
			p.Width, p.Height = im.W, im.H
			var err error
			p.Objects, err = lookOnce(ctx, im, det, cls, spec.Classify)
			return err
		})
		var bad *pictureError
		switch {
		case errors.As(err, &bad):
			p.Error = bad.Error()
		case err != nil:
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return s.close()
}

// listed are the files that paths mean. A path that means none stays, for the error that reading it gives.
func listed(paths []string) (files []string) {
	for _, path := range paths {
		found, err := cv.List(path)
		if err != nil {
			found = []string{path}
		}
		files = append(files, found...)
	}
	return files
}

// pictureError is a picture that cannot be read.
type pictureError struct{ err error }

func (e *pictureError) Error() string { return e.err.Error() }
func (e *pictureError) Unwrap() error { return e.err }

// readPicture decodes one file with the same code as the image source, and lends it to look.
func readPicture(ctx context.Context, file string, look func(capture.Image) error) error {
	o := capture.DefaultOptions()
	o.Source, o.Pace = "images:"+file, "fast"
	dev, err := cv.NewDevice(o)
	if err != nil {
		return &pictureError{err}
	}
	src, err := dev.Open(ctx)
	if err != nil {
		return &pictureError{err}
	}
	defer src.Close()
	buf := dev.NewBuffer()
	defer buf.Close()
	if _, err := src.Read(ctx, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%s: is not a picture", file)
		}
		return &pictureError{err}
	}
	return look(buf.Image())
}

func lookOnce(ctx context.Context, im capture.Image, det detect.Detector, cls classify.Classifier, o classify.Options) ([]Found, error) {
	dets, err := det.Detect(ctx, im, time.Time{}, nil)
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	out := []Found{}
	var quality classify.Quality
	var probs []float32
	for _, d := range dets {
		r := d.Box.Rect()
		f := Found{Box: [4]int{r.Min.X, r.Min.Y, r.Max.X, r.Max.Y}}
		if labels := det.Labels(); d.Class >= 0 && d.Class < len(labels) {
			f.Detected, f.Score = labels[d.Class], d.Score
		}
		if cls != nil {
			crop := classify.Crop(im, d.Box, o)
			if ok, reason := quality.Check(im, d.Box, crop, o); !ok {
				f.Reason = string(reason)
			} else {
				var familiar float32
				if probs, familiar, err = classify.Look(ctx, cls, im.Sub(crop), probs); err != nil {
					return nil, fmt.Errorf("classify: %w", err)
				}
				f.Unknown = familiar < 0
				for _, s := range classify.TopK(probs, o.Top, nil) {
					f.Top = append(f.Top, FoundClass{cls.Labels()[s.Class], s.P})
				}
				f.Class, f.P = f.Top[0].Class, f.Top[0].P
			}
		}
		out = append(out, f)
	}
	return out, nil
}
