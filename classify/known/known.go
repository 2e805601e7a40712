// Package known is a bundle's known answers: a few pictures in golden/ and what the bundle answered to them where it was made, by
// which a device tells whether it computes the model as it was meant. It opens no model; who asks does that.
package known

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/model/bundle"
)

// File is where the known answers stand in a bundle.
const File = "golden/golden.json"

// Tolerance is how far a score may be off, of 0 to 1: 8-bit kernels of other processors round otherwise, and a real fault shows more.
const Tolerance = 0.02

// Bounds on what is read.
const (
	maxPictures = 100
	maxFile     = 32 << 20
)

// Answers is golden.json.
type Answers struct {
	Tolerance   float64   `json:"tolerance"`             // of each score, above 0 to 1
	Temperature float64   `json:"temperature,omitempty"` // that the scores are at, as the manifest states it
	Labels      []string  `json:"labels"`                // of the scores
	Pictures    []Picture `json:"pictures"`
}

// Picture is one picture and what the bundle answers to it.
type Picture struct {
	File   string    `json:"file"`   // of the bundle, a PNG of the size of the network's input
	Class  string    `json:"class"`  // what it shows
	Scores []float64 `json:"scores"` // in the order of Labels, 0 to 1
}

// Make asks c about pictures, PNGs, and gives the files for its bundle. classes are what they show.
func Make(ctx context.Context, c classify.Classifier, temperature float64, pictures [][]byte, classes []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	a := Answers{Tolerance: Tolerance, Temperature: temperature, Labels: c.Labels()}
	for i, text := range pictures {
		p := Picture{File: fmt.Sprintf("golden/%d.png", i+1), Class: classes[i]}
		scores, err := ask(ctx, c, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.File, err)
		}
		for _, v := range scores {
			p.Scores = append(p.Scores, math.Round(1e6*float64(v))/1e6)
		}
		a.Pictures = append(a.Pictures, p)
		files[p.File] = text
	}
	text, err := json.MarshalIndent(a, "", "  ")
	files[File] = append(text, '\n')
	return files, err
}

func ask(ctx context.Context, c classify.Classifier, text []byte) ([]float32, error) {
	im, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return c.Classify(ctx, capture.FromGo(im), nil)
}

// Has tells whether a bundle has known answers.
func Has(b *bundle.Bundle) bool {
	_, ok := b.Manifest.Files[File]
	return ok
}

// Check asks c, which is b's, about b's pictures. n is how many there are; 0 and no error for a bundle without. A score that is off by
// more than the tolerance, and files that are not as they should be, are a *bundle.Error.
func Check(ctx context.Context, b *bundle.Bundle, c classify.Classifier) (n int, worst float64, err error) {
	if !Has(b) {
		return 0, 0, nil
	}
	a, err := read(b)
	if err != nil {
		return 0, 0, err
	}
	if !slices.Equal(a.Labels, c.Labels()) {
		return 0, 0, bad(b, File, "its labels are not those of the bundle")
	}
	for _, p := range a.Pictures {
		if _, ok := b.Manifest.Files[p.File]; !ok || len(p.Scores) != len(a.Labels) {
			return 0, 0, bad(b, File, fmt.Sprintf("%q is no file of the bundle, or has not a score for each label", p.File))
		}
		text, err := os.ReadFile(filepath.Join(b.Dir, filepath.FromSlash(p.File)))
		if err != nil {
			return 0, 0, fmt.Errorf("read a known picture: %w", err)
		}
		scores, err := ask(ctx, c, text)
		if err != nil {
			return 0, 0, bad(b, p.File, err.Error())
		}
		for k, want := range p.Scores {
			off := math.Abs(float64(scores[k]) - want)
			if worst = max(worst, off); !(off <= a.Tolerance) {
				return n, worst, &bundle.Error{Path: filepath.Join(b.Dir, filepath.FromSlash(p.File)), Err: bundle.ErrInvalid,
					Problem: fmt.Sprintf("the model answers %s with %.3f here and %.3f where it was made, off by more than %g", a.Labels[k], scores[k], want, a.Tolerance),
					Hint:    "try it without models.delegates; if that does not help, export it anew, as float32"}
			}
		}
		n++
	}
	return n, worst, nil
}

func read(b *bundle.Bundle) (*Answers, error) {
	path := filepath.Join(b.Dir, filepath.FromSlash(File))
	if st, err := os.Stat(path); err == nil && st.Size() > maxFile {
		return nil, bad(b, File, fmt.Sprintf("larger than %d bytes", maxFile))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read known answers: %w", err)
	}
	a := &Answers{}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, bad(b, File, err.Error())
	}
	if !(a.Tolerance > 0 && a.Tolerance <= 1) || len(a.Pictures) == 0 || len(a.Pictures) > maxPictures {
		return nil, bad(b, File, fmt.Sprintf("a tolerance of %g, and %d pictures", a.Tolerance, len(a.Pictures)))
	}
	return a, nil
}

// bad is what is wrong with a file of the bundle.
func bad(b *bundle.Bundle, file, problem string) error {
	return &bundle.Error{Path: filepath.Join(b.Dir, filepath.FromSlash(file)), Problem: problem, Err: bundle.ErrInvalid, Hint: "make the bundle anew"}
}
