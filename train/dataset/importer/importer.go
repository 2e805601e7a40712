// Package importer cuts labelled objects out of pictures into a packed data set: one pass, all cores, bounded memory. What is
// wrong with a file or a box is listed with its reason and stops nothing; an import that was interrupted goes on.
//
// What labels say is train/dataset/labels's to read, and the file is train/dataset/pack's.
package importer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"gleaner/capture"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/train/dataset/exif"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
)

// Decoder decodes one picture file as it is stored, orientation tags ignored. It belongs to one goroutine; its result is valid
// until the next call.
type Decoder interface {
	Decode(file []byte) (capture.Image, error)
	Close() error
}

// Finder says where the objects of a picture are, in place of its label. It belongs to one goroutine.
type Finder interface {
	// Find is given the picture as it is stored, its EXIF orientation, 1 to 8, and its label. The boxes that it returns are in
	// stored pixels. The picture is valid until it returns; an error ends the import.
	Find(im capture.Image, orientation int, it labels.Item) ([]labels.Object, error)
}

// Options say how objects are cut. Size and NewDecoder must be given; the zero value of the others is a default.
type Options struct {
	Size   int     // width and height of an example, pixels
	Fit    string  // as pack.Format has it; empty: letterbox
	Margin float64 // as pack.Format has it
	Map    *labels.Map
	// MinSide leaves out boxes whose shorter side has fewer pixels; 0 keeps all.
	MinSide int
	Workers int // pictures at a time; 0: as many as there are processors
	// NewDecoder makes a worker's decoder, such as capture/cv's.
	NewDecoder func() Decoder
	// NewFinder makes a worker's finder; nil: the objects are those of the labels.
	NewFinder func() (Finder, error)
	// Progress, if not nil, is told after each picture, from one goroutine.
	Progress func(done, of int)
}

// Result is what an import did.
type Result struct {
	Pictures, Examples int // in the set
	LeftOut            int // files and objects that are not in it
	Mended             int
	First              pack.Problem // that is left out
	Identity           [32]byte
}

// Import cuts the objects of a list into the set at path. When ctx ends, what was done is kept and a second Import with the
// same list and options goes on; with others it is a *pack.FormatError. A class that the map does not name is an error before anything is cut.
func Import(ctx context.Context, path string, list *labels.List, o Options) (Result, error) {
	if o.Fit == "" {
		o.Fit = "letterbox"
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := mapped(list, o.Map); err != nil {
		return Result{}, err
	}
	w, err := pack.Create(path, pack.Format{Width: o.Size, Height: o.Size, Fit: o.Fit, Margin: o.Margin})
	if err != nil {
		return Result{}, err
	}
	if err = w.Asked(asked(list, o)); err == nil {
		err = tell(w, list.Problems)
	}
	if err == nil {
		err = cutAll(ctx, w, list, o)
	}
	if err != nil {
		return Result{}, errors.Join(err, w.Close())
	}
	sum, err := w.Finish()
	if err != nil {
		return Result{}, err
	}
	return summary(path, list.Format, sum)
}

func summary(path, format string, sum [32]byte) (Result, error) {
	s, err := pack.Open(path)
	if err != nil {
		return Result{}, err
	}
	defer s.Close()
	r := Result{Examples: len(s.Examples), Identity: sum}
	seen := map[string]bool{}
	for _, e := range s.Examples {
		seen[e.Source.Path] = true
	}
	r.Pictures = len(seen)
	for _, p := range s.Problems {
		switch {
		case marks(p): // its objects or its lines are counted
		case p.Mended:
			r.Mended++
		default:
			if r.LeftOut++; r.LeftOut == 1 {
				r.First = p
			}
		}
	}
	if r.Examples == 0 {
		return r, errors.Join(&NothingError{path, format, s.Problems}, os.Remove(path))
	}
	return r, nil
}

// mapped asks the map for every class before hours of work.
func mapped(list *labels.List, m *labels.Map) error {
	if m == nil {
		return nil
	}
	for _, it := range list.Items {
		for _, o := range it.Objects {
			if _, err := m.Class(o); err != nil {
				return fmt.Errorf("%s: %w", it.Picture, err)
			}
		}
	}
	return nil
}

// cut is what a worker made of one picture.
type cut struct {
	source   pack.Source
	crops    []pack.Crop
	problems []pack.Problem
	err      error // of the program, not of the picture
}

// job is a picture to cut, and where its crops go.
type job struct {
	item   labels.Item
	result chan cut
}

// cutAll cuts the pictures of a list that are not in the set yet, in the list's order, as many at a time as there are
// workers. One result per worker and one more wait at most, so that memory is bounded.
func cutAll(ctx context.Context, w *pack.Writer, list *labels.List, o Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hints := spellings(list, o.Map)
	var todo []labels.Item
	for _, it := range list.Items {
		if !w.Done(it.Picture) {
			it.Problems = append(slices.Clip(it.Problems), hints[it.Picture]...)
			todo = append(todo, it)
		}
	}
	jobs, order := make(chan job), make(chan chan cut, o.Workers)
	used := make(spare, 16*o.Workers)
	var wg sync.WaitGroup
	for range o.Workers {
		wg.Go(func() { work(jobs, list.Root, o, used) })
	}
	wg.Go(func() {
		defer close(order)
		defer close(jobs)
		for _, it := range todo {
			result := make(chan cut, 1)
			select {
			case order <- result:
			case <-ctx.Done():
				return
			}
			jobs <- job{it, result}
		}
	})
	done, all := len(list.Items)-len(todo), len(list.Items)
	var err error
	for result := range order {
		c := <-result
		if err != nil {
			continue // let the workers end
		}
		if err = c.err; err == nil {
			err = w.Add(c.source, c.crops, c.problems)
			used.put(c.crops)
		}
		if err != nil {
			stop()
		}
		if done++; o.Progress != nil {
			o.Progress(done, all)
		}
	}
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("the import was interrupted after %d of %d pictures; run it again, and it goes on: %w", done, all, ctx.Err())
	}
	return err
}

// work is one worker: it cuts what comes until there is no more.
func work(jobs <-chan job, root string, o Options, used spare) {
	c, err := newCutter(root, o, used)
	if err == nil {
		defer c.decoder.Close()
	}
	for j := range jobs {
		if err != nil {
			j.result <- cut{err: err}
			continue
		}
		j.result <- c.cut(j.item)
	}
}

// cutter is one worker.
type cutter struct {
	root    string
	o       Options
	decoder Decoder
	finder  Finder // nil: the labels say
	prep    *prep.Prep
	file    bytes.Buffer // of the picture at hand
	used    spare
}

// spare is the pixels of crops that are in the set, for the next ones: the collector has less to do.
type spare chan []byte

func (s spare) get(size int) []byte {
	select {
	case b := <-s:
		return b
	default:
		return make([]byte, size)
	}
}

func (s spare) put(crops []pack.Crop) {
	for _, c := range crops {
		select {
		case s <- c.Pixels:
		default:
		}
	}
}

func newCutter(root string, o Options, used spare) (*cutter, error) {
	in := bundle.Input{Prep: prep.Linear, Width: o.Size, Height: o.Size, Colour: "bgr", Mean: []float32{0}, Std: []float32{1}, Fit: o.Fit}
	p, err := prep.New(in, model.Tensor{Type: model.UInt8, Shape: []int{1, o.Size, o.Size, 3}})
	if err != nil {
		return nil, err
	}
	c := &cutter{root: root, o: o, prep: p}
	if o.NewFinder != nil {
		if c.finder, err = o.NewFinder(); err != nil {
			return nil, err
		}
	}
	c.decoder = o.NewDecoder()
	return c, nil
}

// read is the bytes of a picture, valid until the next call.
func (c *cutter) read(picture string) ([]byte, error) {
	f, err := os.Open(filepath.Join(c.root, filepath.FromSlash(picture)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c.file.Reset()
	_, err = c.file.ReadFrom(f)
	return c.file.Bytes(), err
}

// cut reads one picture and cuts its objects out.
func (c *cutter) cut(it labels.Item) (r cut) {
	r.source.Path = it.Picture
	for _, p := range it.Problems {
		r.problems = append(r.problems, pack.Problem(p))
	}
	left := func(what, reason string, mended bool) {
		r.problems = append(r.problems, pack.Problem{Path: it.Picture, What: what, Reason: reason, Mended: mended})
	}
	file, err := c.read(it.Picture)
	if err != nil {
		left("file", err.Error(), false)
		return r
	}
	im, err := c.decoder.Decode(file)
	if err != nil {
		left("file", err.Error(), false)
		return r
	}
	r.source.SHA256, r.source.Width, r.source.Height = sha256.Sum256(file), im.W, im.H
	if it.Width > 0 && (it.Width != im.W || it.Height != im.H) {
		left("size", fmt.Sprintf("the label speaks of %d×%d pixels, and the picture has %d×%d: the boxes are taken as they are", it.Width, it.Height, im.W, im.H), true)
	}
	turn := exif.Orientation(bytes.NewReader(file))
	if turn != 1 {
		left("orientation", fmt.Sprintf("stored turned (EXIF %d): cut as stored, then put upright", turn), true)
	}
	objects := it.Objects
	if c.finder != nil {
		if objects, err = c.finder.Find(im, turn, it); err != nil {
			return cut{err: fmt.Errorf("%s: %w", it.Picture, err)}
		}
	}
	for i, o := range objects {
		what := cmp.Or(o.What, fmt.Sprintf("object %d", i+1))
		crop, reason, err := c.object(im, turn, o)
		switch {
		case err != nil:
			return cut{err: fmt.Errorf("%s: %w", it.Picture, err)}
		case crop == nil:
			left(what, reason, false)
		default:
			if reason != "" {
				left(what, reason, true)
			}
			crop.Source, crop.Group = r.source, cmp.Or(o.Group, it.Group)
			r.crops = append(r.crops, *crop)
		}
	}
	if len(r.crops) == 0 {
		why := "nothing of it is used"
		if slices.ContainsFunc(r.problems, func(p pack.Problem) bool { return !p.Mended }) {
			why = noneUsed
		}
		left("file", why, false)
	}
	return r
}

// object cuts one object out; nil with the reason if it is left out, a reason beside it if it was mended.
func (c *cutter) object(im capture.Image, turn int, o labels.Object) (crop *pack.Crop, reason string, err error) {
	class := o.Class
	if c.o.Map != nil {
		if class, err = c.o.Map.Class(o); err != nil {
			return nil, "", err
		}
		if class == "" {
			return nil, "the label map drops it", nil
		}
	}
	box := [4]float64{0, 0, float64(im.W), float64(im.H)}
	if o.Box != nil {
		var ok bool
		if box, reason, ok = labels.Clip(*o.Box, im.W, im.H); !ok {
			return nil, reason, nil
		}
	}
	if side := min(box[2]-box[0], box[3]-box[1]); side < float64(c.o.MinSide) {
		return nil, fmt.Sprintf("its shorter side has %.0f pixels, and %d are wanted", side, c.o.MinSide), nil
	}
	part := exif.Upright(im.Sub(Region(box, c.o.Margin, o.Box == nil)), turn)
	if part.Empty() {
		return nil, "the box holds no whole pixel", nil
	}
	crop = &pack.Crop{Example: pack.Example{Box: box, Class: class, Attributes: o.Attributes}, Pixels: c.used.get(c.prep.Size())}
	c.prep.Fill(crop.Pixels, part)
	return crop, reason, nil
}

// Region is the pixels that are cut for a box: those that it touches, and a margin of a share of its longer side all around;
// none around a whole picture.
func Region(box [4]float64, margin float64, whole bool) image.Rectangle {
	m := margin * max(box[2]-box[0], box[3]-box[1])
	if whole {
		m = 0
	}
	return image.Rect(int(math.Floor(box[0]-m)), int(math.Floor(box[1]-m)), int(math.Ceil(box[2]+m)), int(math.Ceil(box[3]+m)))
}
