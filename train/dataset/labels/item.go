package labels

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Object is one labelled thing in a picture.
type Object struct {
	// Box is x0, y0, x1, y1 in pixels of the picture as it is stored, orientation tags ignored; nil: the whole picture.
	Box        *[4]float64
	Class      string
	Attributes map[string]string // what else the label says, such as DIRTINESS; nil for nothing
	Group      string            // what a split must not tear apart, such as the session; empty: the picture's
	What       string            // which one it is to whoever wrote the label, as Problem.What has it; empty for what no label says
}

// Item is one picture with its labels.
type Item struct {
	Picture string // path below the root, slash-separated
	Objects []Object
	Group   string // of objects without one of their own, and the first of its objects'; empty for none
	// Width and Height are what the label says of the picture, pixels; 0 where it says nothing.
	Width, Height int
	Problems      []Problem // of this picture's labels
}

// Problem is a label that was left out, or mended.
type Problem struct {
	Path   string // of the label or the picture, below the root
	What   string // "file", or which object: "object 3" of its file, counted from 1, "line 3" of a list, COCO's "annotation 3" (its id)
	Reason string
	Mended bool // it is used all the same
}

// List is all that was found below a root.
type List struct {
	Root     string
	File     string // the list or COCO file that was given, below Root; empty: a folder
	Format   string // one of Formats
	Pattern  string // Options.Pattern
	Items    []Item // sorted by Picture
	Problems []Problem

	told map[string]told // by picture, or box
}

// ErrNone says that no label was found.
type ErrNone struct{ Root, Format string }

func (e *ErrNone) Error() string {
	if e.Format == "" {
		return fmt.Sprintf("%s: no labelled pictures: give a folder with one sub-folder per class, a COCO or AI-Hub folder, or a "+
			"CSV list with the columns path and class", e.Root)
	}
	return fmt.Sprintf("%s: no labelled pictures as format %s has them: --format names another", e.Root, e.Format)
}

// tree is all files below a root, for finding the pictures that labels name.
type tree struct {
	root     string
	files    []string            // slash-separated, sorted
	links    []string            // those to folders, which are not followed
	odd      []string            // pipes, devices and the like, which might never end
	shut     []string            // folders that this user may not read, such as lost+found
	pictures map[string][]string // by base name in lower case, Unicode form NFC
}

func readTree(root string) (*tree, error) {
	t := &tree{root: root, pictures: map[string][]string{}}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if p != root && d != nil && d.IsDir() && errors.Is(err, fs.ErrPermission) {
			t.shut = append(t.shut, filepath.ToSlash(strings.TrimPrefix(p, root+string(filepath.Separator))))
			return filepath.SkipDir
		}
		if err != nil {
			return err
		}
		if name := d.Name(); p != root && strings.HasPrefix(name, ".") || name == "__MACOSX" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		mode := d.Type()
		if st, err := os.Stat(p); mode&fs.ModeSymlink != 0 {
			if mode = 0; err == nil { // one that leads nowhere fails where it is read
				mode = st.Mode().Type()
			}
		}
		switch {
		case mode.IsDir():
			t.links = append(t.links, rel)
		case !mode.IsRegular():
			t.odd = append(t.odd, rel)
		default:
			t.files = append(t.files, rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", root, err)
	}
	slices.Sort(t.files)
	for _, f := range t.files {
		if isPicture(f) {
			t.pictures[key(f)] = append(t.pictures[key(f)], f)
		}
	}
	return t, nil
}

func isPicture(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp":
		return true
	}
	return false
}

// isForeign tells that a file is a picture of a kind that is not read.
func isForeign(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".heic", ".heif", ".avif", ".tif", ".tiff", ".jp2", ".jxl", ".dng", ".cr2", ".nef", ".arw":
		return true
	}
	return false
}

// left lists what is in the tree and not read.
func (t *tree) left() (all []Problem) {
	for _, f := range t.links {
		all = append(all, Problem{f, "file", "a link to a folder, which is not followed: name the folder itself", false})
	}
	for _, f := range t.shut {
		all = append(all, Problem{f, "file", "a folder that may not be read: nothing of it is", false})
	}
	for _, f := range t.odd {
		all = append(all, Problem{f, "file", "neither a file nor a folder: it is not read", false})
	}
	for _, f := range t.files {
		if isForeign(f) {
			all = append(all, Problem{f, "file", "a picture of a kind that is not read: make JPEG, PNG, GIF, BMP or WebP of it", false})
		}
	}
	return all
}

func (t *tree) read(p string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.root, filepath.FromSlash(p)))
}

// mend puts a box in order: corners the right way round and inside a picture of w×h, where that is known (not 0). It returns
// what it did, empty for nothing; ok is false when nothing of the box is left.
func mend(b [4]float64, w, h int) (box [4]float64, did string, ok bool) {
	for _, v := range b {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return b, "a corner is no number", false
		}
	}
	var words []string
	if b[0] > b[2] || b[1] > b[3] {
		words = append(words, "corners swapped")
	}
	b = [4]float64{min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])}
	if b[2]-b[0] <= 0 || b[3]-b[1] <= 0 {
		return b, "the box is empty", false
	}
	c := b
	c[0], c[1] = max(c[0], 0), max(c[1], 0)
	if w > 0 && h > 0 {
		c[2], c[3] = min(c[2], float64(w)), min(c[3], float64(h))
	}
	if c[2]-c[0] <= 0 || c[3]-c[1] <= 0 {
		return b, "the box lies outside the picture", false
	}
	if c != b {
		words = append(words, "the box went past the edge and was cut there")
	}
	return c, strings.Join(words, "; "), true
}

// single takes an object that is labelled several times alike, as in two lists or COCO files of one folder, once: a split would take it for
// two, and training would count it twice.
func (it *Item) single() {
	if len(it.Objects) < 2 {
		return
	}
	first, kept := map[string]string{}, it.Objects[:0]
	for _, o := range it.Objects {
		like := fmt.Sprintf("%q %q %q", o.Class, o.Group, o.Attributes) // keys sorted
		if o.Box != nil {
			like += fmt.Sprint(*o.Box)
		}
		if was, twice := first[like]; twice {
			it.Problems = append(it.Problems, Problem{it.Picture, o.What, "labelled alike as " + was + ": taken once", true})
			continue
		}
		first[like] = o.What
		kept = append(kept, o)
	}
	it.Objects = kept
}

// Clip is what mend does once the picture's true size is known; see Problem.
func Clip(b [4]float64, w, h int) (box [4]float64, did string, ok bool) { return mend(b, w, h) }

// add puts an object into an item, mended, or its problem. what is Object.What.
func (it *Item) add(label, what string, o Object) {
	o.What = what
	if o.Class = norm.NFC.String(strings.TrimSpace(o.Class)); o.Class == "" {
		it.Problems = append(it.Problems, Problem{label, what, "it has no class", false})
		return
	}
	if o.Box != nil {
		b, did, ok := mend(*o.Box, it.Width, it.Height)
		if did != "" {
			it.Problems = append(it.Problems, Problem{label, what, did, ok})
		}
		if !ok {
			return
		}
		o.Box = &b
	}
	o.Group = cmp.Or(o.Group, it.Group) // the picture may have labels of other groups besides
	it.Objects = append(it.Objects, o)
}
