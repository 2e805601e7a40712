// Package spot finds objects in single pictures as thoroughly as a detector can: in the whole, in its mirror image, undistorted,
// and in tiles of it where it is large, and it makes one box of all that shows one object. What a network sees and how its answers are read is
// detect's; what becomes of the boxes is who asks's.
package spot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/tflite"
)

// Detector is an open network that finds objects, as a bundle or a bare file gives it. It may be shared by goroutines.
type Detector struct {
	bundle *bundle.Bundle
	pool   *model.Pool
}

// Open opens the detector in a bundle's folder, or a .tflite file that the catalogue knows or that says itself how it is
// to be read; labels names the file with its classes, one a line, and is needed where neither has them. workers is how many
// pictures are looked at a time, at least 1. Errors about what was given are or wrap *bundle.Error.
func Open(ctx context.Context, path, labels string, workers int) (*Detector, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, &bundle.Error{Path: path, Problem: "no such file or folder", Err: bundle.ErrNotFound,
			Hint: "gleaner models list shows the detectors that there are"}
	}
	var b *bundle.Bundle
	file := path
	if st.IsDir() {
		if b, err = bundle.Open(path); err != nil {
			return nil, err
		}
		file = b.ModelPath()
	} else if b, err = bare(ctx, path, labels); err != nil {
		return nil, err
	}
	if b.Manifest.Task != "detect" {
		return nil, &bundle.Error{Path: path, Err: bundle.ErrInvalid, Problem: fmt.Sprintf("its task is %s: it finds no objects", b.Manifest.Task),
			Hint: "give a detector, such as ssd-oidv4"}
	}
	pool, err := model.NewPool(tflite.Opener(file, tflite.DefaultOptions()), max(workers, 1))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Detector{b, pool}, nil
}

// bare reads a .tflite file that is in no bundle.
func bare(ctx context.Context, path, labels string) (*bundle.Bundle, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, &bundle.Error{Path: path, Problem: err.Error(), Err: err}
	}
	sum := sha256.Sum256(raw)
	b := &bundle.Bundle{Dir: filepath.Dir(path), SHA256: hex.EncodeToString(sum[:])}
	all, err := catalogue.All()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Graft != nil || e.Model.SHA256 != b.SHA256 {
			continue
		}
		if labels == "" && e.Labels != nil {
			if _, err := os.Stat(filepath.Join(b.Dir, e.Labels.File)); err != nil {
				return nil, &bundle.Error{Path: path, Err: bundle.ErrInvalid, Problem: "its labels are missing", Hint: "give labels=" + e.Labels.File}
			}
		}
		m, files, err := catalogue.Build(ctx, e, path, catalogue.Options{Labels: labels}, nil)
		if err != nil {
			return nil, err
		}
		b.Manifest = m
		if text := files[bundle.LabelsFile]; text != nil {
			b.Labels, err = bundle.ParseLabels(text)
		}
		return b, err
	}
	return b, inspect(b, path, raw, labels)
}

// inspect completes a bundle by what a file says of itself.
func inspect(b *bundle.Bundle, path string, raw []byte, labels string) error {
	var text []byte
	if labels != "" {
		var err error
		if text, err = os.ReadFile(labels); err != nil {
			return &bundle.Error{Path: labels, Problem: err.Error(), Err: err}
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	m, names, open, err := bundle.Inspect(raw, text, bundle.Answers{Name: name})
	switch {
	case err != nil:
		return &bundle.Error{Path: path, Problem: err.Error(), Err: errors.Join(bundle.ErrInvalid, err)}
	case len(open) > 0:
		return &bundle.Error{Path: path, Err: bundle.ErrInvalid, Problem: "the file does not say: " + open[0].Ask,
			Hint: "wrap it once with gleaner models add, which asks, and give the bundle's name"}
	}
	b.Manifest, b.Labels = m, names
	return nil
}

// Close ends the network's interpreters.
func (d *Detector) Close() error { return d.pool.Close() }

// Name is the network's name and version.
func (d *Detector) Name() string {
	return strings.TrimSpace(d.bundle.Manifest.Name + " " + d.bundle.Manifest.Version)
}

// Labels are the classes that it knows, by number; some may be "???", numbers that no class has. The caller changes none.
func (d *Detector) Labels() []string {
	if len(d.bundle.Labels) == 0 && strings.HasPrefix(d.bundle.Manifest.Head, "blazeface") {
		return []string{"face"}
	}
	return d.bundle.Labels
}

// Usual is the score, 0 to 1, from which the bundle's maker takes an answer for right.
func (d *Detector) Usual() float64 {
	if t := d.bundle.Manifest.Threshold; t > 0 {
		return float64(t)
	}
	return 0.5
}

// ID is the sha256 of the bundle or the bare file, in lower-case hex.
func (d *Detector) ID() string { return d.bundle.SHA256 }

// SuperOf is the super-category that the bundle gives each label; nil where it gives none. The caller changes nothing.
func (d *Detector) SuperOf() map[string]string { return d.bundle.Manifest.SuperOf }
