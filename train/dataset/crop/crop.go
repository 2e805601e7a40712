// Package crop cuts objects out of pictures where a detector finds them: a packed data set of crops, whose classes are the
// detector's or the pictures' own, a line for each picture with all boxes, and a page of what a person should look at: pictures
// in which nothing was found, and boxes that are doubtful. Where labels with boxes come along, it says what share was found.
//
// Cutting is train/dataset/importer's, with all that it does about damaged files, orientation and interruptions; what a network
// sees is train/dataset/spot's.
package crop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/spot"
)

// Result is what was done.
type Result struct {
	Detector   string   `json:"detector"`
	Classes    []string `json:"classes"`    // labels of the detector that were looked for
	Pictures   int      `json:"pictures"`   // that could be looked at
	Tiled      int      `json:"tiled"`      // of which in tiles as well
	Cropped    int      `json:"cropped"`    // of which with a crop in the set
	Misses     int      `json:"misses"`     // of which without one
	Unreadable int      `json:"unreadable"` // files that could not be looked at
	Examples   int      `json:"examples"`   // crops in the set
	Doubtful   int      `json:"doubtful"`   // boxes to look at, kept or not
	Min        float64  `json:"min"`        // score from which a box was kept
	Doubt      float64  `json:"doubt"`      // score from which one was shown
	Truth      *Truth   `json:"truth,omitempty"`
	Identity   [32]byte `json:"-"` // of the set

	Records  []Record       `json:"-"`        // of each picture looked at, by path
	Problems []pack.Problem `json:"problems"` // files and names, not boxes
	root     string
	o        Options
}

// Truth holds the boxes against labels, of the wanted classes; crowds are left out of the marks, and count against the boxes.
type Truth struct {
	Marked   int `json:"marked"`   // labelled objects
	Kept     int `json:"kept"`     // of which cut out: same class, IoU at least 0.5
	Shown    int `json:"shown"`    // of which not cut out, and shown as doubtful
	Large    int `json:"large"`    // labelled objects of at least 5 % of their picture
	LargeIn  int `json:"large_in"` // of which cut out
	Right    int `json:"right"`    // crops of at least 5 % of their picture that are a labelled object
	Wrong    int `json:"wrong"`    // such crops that are none
	TiledOf  int `json:"tiled_of"` // labelled objects in pictures looked at in tiles
	TiledIn  int `json:"tiled_in"` // of which cut out
	Pictures int `json:"pictures"` // with labels
}

// large is the share of a picture from which an object counts as large.
const large = 0.05

// ErrNothing says that not one box was cut out; the Result is complete, and there is no set.
var ErrNothing = errors.New("nothing to cut out was found")

// BoxesFile is the file beside a set that has a line with all boxes of each picture (Record).
func BoxesFile(set string) string { return set + ".boxes.jsonl" }

// Crop cuts what d finds in the pictures of a list (from Pictures) into the set at path, and writes BoxesFile(path) beside it.
// When ctx ends, what was done is kept, and a second Crop with the same detector and options goes on. A class that d does not know
// is a *WantedError; finding nothing at all is ErrNothing.
func Crop(ctx context.Context, path string, list *labels.List, d *spot.Detector, o Options) (*Result, error) {
	if err := o.complete(d); err != nil {
		return nil, err
	}
	said := stated(list)
	labelled, err := wanted(d.Labels(), d.SuperOf(), said, o.Classes, o.Supers)
	if err != nil {
		return nil, &WantedError{err}
	}
	if err := oneClassEach(list, o.Label); err != nil {
		return nil, &WantedError{err}
	}
	fresh, err := begun(path)
	if err != nil {
		return nil, err
	}
	j, err := openJournal(BoxesFile(path), head{d.ID(), labelled, o.words()}, fresh)
	if err != nil {
		return nil, &WantedError{err}
	}
	defer j.close() //nolint:errcheck // each record is written whole, or its write has failed
	r := &Result{Detector: d.Name(), Classes: labelled, Min: o.Min, Doubt: o.Doubt, root: list.Root, o: o}
	if labelled == nil {
		r.Classes = slices.DeleteFunc(slices.Clone(d.Labels()), func(l string) bool { return l == "" || l == unnamed })
	}
	super := superOfAll(r.Classes, d.SuperOf(), said)
	done, err := importer.Import(ctx, path, grouped(list), importer.Options{Size: o.Size, Fit: o.Fit, Margin: o.Margin, Workers: o.Workers,
		NewDecoder: o.NewDecoder, Progress: o.Progress, NewFinder: func() (importer.Finder, error) {
			eye, err := d.Eye(o.Look, labelled, o.Doubt)
			return &finder{ctx: context.WithoutCancel(ctx), o: &o, eye: eye, names: d.Labels(), sure: d.Usual(), journal: j, wanted: r.Classes,
				super: super}, err
		}})
	var none *importer.NothingError
	if errors.As(err, &none) { // and has left no set
		if err := r.collect(path, none.Problems); err != nil {
			return nil, err
		}
		return r, ErrNothing
	}
	if err != nil {
		return nil, err
	}
	r.Identity, r.Examples = done.Identity, done.Examples
	s, err := pack.Open(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return r, r.collect(path, s.Problems)
}

// begun tells whether there is no set at path yet: nothing at all, or the empty file that an interruption at once leaves. A set that is
// finished is an error, fs.ErrExist, and so is a file of another kind.
func begun(path string) (fresh bool, err error) {
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Size() == 0 {
		return true, nil
	}
	s, err := pack.Open(path)
	switch {
	case err == nil:
		return false, errors.Join(fmt.Errorf("%s is finished already, and nothing is added to it: name another, or delete it: %w", path, fs.ErrExist), s.Close())
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, pack.ErrUnfinished):
		return false, nil
	}
	return false, err
}

// WantedError is an error about what was asked for.
type WantedError struct{ Err error }

// Error is the cause's text.
func (e *WantedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *WantedError) Unwrap() error { return e.Err }

// words are the options that an interrupted crop must go on with.
func (o Options) words() string {
	return fmt.Sprintf("label=%s min=%g doubt=%g most=%d size=%d fit=%s margin=%g min-side=%d tile-from=%d tile=%d overlap=%g looks=%d", o.Label,
		o.Min, o.Doubt, o.Most, o.Size, o.Fit, o.Margin, o.MinSide, o.Look.TileFrom, o.Look.Tile, o.Look.Overlap, o.Look.Looks)
}

// stated are the super-categories that the labels themselves state, by class in lower case.
func stated(list *labels.List) map[string]string {
	said := map[string]string{}
	for _, it := range list.Items {
		for _, o := range it.Objects {
			if s := o.Attributes["supercategory"]; s != "" {
				said[strings.ToLower(o.Class)] = s
			}
		}
	}
	return said
}

// superOfAll is the super-category of each label that has one.
func superOfAll(names []string, bundle, said map[string]string) map[string]string {
	all := map[string]string{}
	for _, l := range names {
		for _, s := range []string{said[strings.ToLower(l)], bundle[l], superOf(l)} {
			if s != "" {
				all[l] = s
				break
			}
		}
	}
	return all
}

// oneClassEach refuses, before hours of work, pictures whose label does not name one class, where it is to be the crops'.
func oneClassEach(list *labels.List, label string) error {
	if label != LabelPicture {
		return nil
	}
	for _, it := range list.Items {
		if _, class := pictureClass(it); class == "" {
			return fmt.Errorf("label=picture: %s: its label does not name one class: use label=detector", it.Picture)
		}
	}
	return nil
}

// grouped is the list with each picture as a group, so that its crops stay together, unless its label names a larger one. Nobody
// knows of which labelled object a crop is, so that groups that share a picture are one, under the name that comes first.
func grouped(list *labels.List) *labels.List {
	same := map[string]string{} // of a group, one that it is one with and that comes before it
	root := func(g string) string {
		for same[g] != "" {
			g = same[g]
		}
		return g
	}
	for _, it := range list.Items {
		for _, o := range it.Objects {
			if a, b := root(it.Group), root(o.Group); a != b && a != "" && b != "" {
				same[max(a, b)] = min(a, b)
			}
		}
	}
	out := *list
	out.Items = slices.Clone(list.Items)
	for i := range out.Items {
		out.Items[i].Group = cmp.Or(root(out.Items[i].Group), out.Items[i].Picture)
	}
	return &out
}

// collect counts what is in the file beside the set, and what was wrong with pictures.
func (r *Result) collect(path string, problems []pack.Problem) error {
	records, err := readJournal(BoxesFile(path))
	if err != nil {
		return err
	}
	for _, p := range problems {
		if _, looked := records[p.Path]; looked && (p.What == "file" || strings.HasPrefix(p.What, "object ")) {
			continue // the record says it better
		}
		if p.What == "file" {
			r.Unreadable++
		}
		r.Problems = append(r.Problems, p)
	}
	for _, rec := range records {
		r.Records = append(r.Records, rec)
	}
	slices.SortFunc(r.Records, func(a, b Record) int { return strings.Compare(a.Picture, b.Picture) })
	for i := range r.Records {
		r.count(&r.Records[i])
	}
	return nil
}

func (r *Result) count(rec *Record) {
	r.Pictures++
	r.Doubtful += rec.doubted()
	if rec.Tiles > 0 {
		r.Tiled++
	}
	if rec.kept() > 0 {
		r.Cropped++
	} else {
		r.Misses++
	}
	if len(rec.Marks) > 0 {
		if r.Truth == nil {
			r.Truth = &Truth{}
		}
		r.Truth.add(rec)
	}
}

func (t *Truth) add(rec *Record) {
	t.Pictures++
	least := large * float32(rec.Width) * float32(rec.Height)
	right := map[int]bool{}
	for _, m := range rec.Marks {
		kept := m.By >= 0 && rec.Boxes[m.By].Kept
		right[m.By] = true
		t.Marked++
		switch {
		case kept:
			t.Kept++
		case m.By >= 0:
			t.Shown++
		}
		if box(m.Box).Area() >= least {
			t.Large++
			if kept {
				t.LargeIn++
			}
		}
		if rec.Tiles > 0 {
			t.TiledOf++
			if kept {
				t.TiledIn++
			}
		}
	}
	for i, b := range rec.Boxes {
		switch {
		case !b.Kept || box(b.Box).Area() < least:
		case right[i]:
			t.Right++
		default:
			t.Wrong++
		}
	}
}
