package dataset

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/train/dataset/pack"
)

// source is labelled pictures as they are kept.
type source interface {
	Len() int
	Labels() []string
	Label(i int) int
	Image(i int) (capture.Image, error)
	Path(i int) string
	Skipped() []pictures.Skipped
	// Cutout tells that the pictures are as they should be: of one size, and upright.
	Cutout() bool
}

// Packed tells whether a path is a data set file (train/dataset/pack), finished or not.
func Packed(path string) bool {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	s, err := pack.Open(path)
	if err == nil {
		s.Close()
	}
	return !errors.Is(err, pack.ErrNotASet) && !errors.Is(err, fs.ErrNotExist)
}

// openSource opens what Open names.
func openSource(path string) (source, error) {
	if !Packed(path) {
		return pictures.Open(idxFile(path, "train"))
	}
	s, err := pack.Open(path)
	if err != nil {
		return nil, err
	}
	p := packed{set: s}
	p.labels, _ = pack.Classes(s.Examples)
	slices.Sort(p.labels)
	return p, nil
}

// packed is a data set file as a source. The file stays open to the end of the process: examples are read when they are wanted.
type packed struct {
	set    *pack.Set
	labels []string
}

// exampleOf is example i as its data set file has it; empty where the source is none.
func exampleOf(s source, i int) (e pack.Example) {
	if p, ok := s.(packed); ok {
		e = p.set.Examples[i]
	}
	return e
}

// misfit is that of a data set file; empty where the source is none.
func misfit(s source, fit string) string {
	if p, ok := s.(packed); ok {
		return p.set.Misfit(fit)
	}
	return ""
}

func (p packed) Len() int         { return len(p.set.Examples) }
func (p packed) Labels() []string { return p.labels }
func (p packed) Label(i int) int  { return slices.Index(p.labels, p.set.Examples[i].Class) }
func (p packed) Cutout() bool     { return true }

// Path is the picture that the example was cut from.
func (p packed) Path(i int) string { return p.set.Examples[i].Source.Path }

// Skipped is empty: the set lists what its import left out, and the user has seen it.
func (p packed) Skipped() []pictures.Skipped { return nil }

func (p packed) Image(i int) (capture.Image, error) {
	f := p.set.Format
	im := capture.NewImage(f.Width, f.Height)
	return im, p.set.Pixels(i, im.Pix)
}
