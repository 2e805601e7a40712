package dataset

import (
	"fmt"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/train/dataset/exif"
	"gleaner/train/dataset/pack"
)

// Stored is labelled pictures as they lie in their files, for who looks at each of them once: nothing is decoded before it is
// asked for, and nothing is resized or kept. Its methods may be called from several goroutines; Close after the last of them.
type Stored struct {
	source source
	set    *pack.Set // nil: not a data set file
	path   string
}

// OpenStored opens what Open opens. Of a folder with the idx files of a training and a test set it takes the test set: a model
// is not judged on what it was trained on.
func OpenStored(path string) (*Stored, error) {
	if f := TestSource(path); f != "" {
		path = f
	}
	from, err := openSource(path)
	if err != nil {
		return nil, err
	}
	s := &Stored{source: from, path: path}
	if p, ok := from.(packed); ok {
		s.set = p.set
	}
	if from.Len() == 0 {
		s.Close()
		return nil, fmt.Errorf("open pictures %s: %w", path, pictures.ErrEmpty)
	}
	return s, nil
}

// Close closes a data set file.
func (s *Stored) Close() error {
	if s.set == nil {
		return nil
	}
	return s.set.Close()
}

// Source is the path that was opened.
func (s *Stored) Source() string { return s.path }

// Len is the number of pictures, at least 1. Some may turn out not to be readable.
func (s *Stored) Len() int { return s.source.Len() }

// Labels are the class names, by class number. The caller does not change them.
func (s *Stored) Labels() []string { return s.source.Labels() }

// Label is the class number of picture i.
func (s *Stored) Label(i int) int { return s.source.Label(i) }

// Name is the picture's file, or the idx file with its number.
func (s *Stored) Name(i int) string { return s.source.Path(i) }

// Picture decodes picture i into new memory, upright.
func (s *Stored) Picture(i int) (capture.Image, error) {
	im, err := s.source.Image(i)
	if err == nil && !s.source.Cutout() {
		im = exif.Upright(im, exif.OrientationOf(s.source.Path(i)))
	}
	return im, err
}

// Skipped are the files that were left out when the pictures were opened, and why.
func (s *Stored) Skipped() []pictures.Skipped { return s.source.Skipped() }

// Misfit warns where the pictures were made to fit in another way than fit; empty where not.
func (s *Stored) Misfit(fit string) string { return misfit(s.source, fit) }

// Group names what picture i belongs together with, such as a session or an object; empty where nothing is known, and always
// for what is not a data set file.
func (s *Stored) Group(i int) string { return exampleOf(s.source, i).Group }

// Attributes are what else the label of picture i says, such as the camera; nil where that is nothing, and always for what is
// not a data set file. The caller does not change them.
func (s *Stored) Attributes(i int) map[string]string { return exampleOf(s.source, i).Attributes }
