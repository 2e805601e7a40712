package labels

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"gleaner/capture/pictures"
)

// Formats are the names that Options.Format takes.
var Formats = []string{"folders", "names", "coco", "aihub", "list"}

// Options say how labels are to be read. The zero value finds out.
type Options struct {
	Format string // one of Formats; empty: what the files look like
	// Pattern is a regular expression on the path of a picture below the root whose named groups "class" and, where there are
	// such, "group" and any attribute are taken; for format names. Empty: the letters that the file's name begins with.
	Pattern string
}

// Open reads all labels below root, which is a folder, or a list or COCO file. Nothing that is wrong with one label stops it.
func Open(root string, o Options) (*List, error) {
	if o.Format != "" && !slices.Contains(Formats, o.Format) {
		return nil, fmt.Errorf("format %q is not known: %s are", o.Format, strings.Join(Formats, ", "))
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	file := ""
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: neither a file nor a folder", root)
		}
		file, root = filepath.Base(root), filepath.Dir(root)
	}
	// A link is not walked, and a list's ../ leads out of what it stands for.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	l := &List{Root: root, File: file, Format: o.Format, Pattern: o.Pattern}
	if l.Format == "" {
		l.Format, l.Problems = t.guess(file)
	}
	if err := l.read(t, file, o); err != nil {
		return nil, err
	}
	slices.SortStableFunc(l.Items, func(a, b Item) int { return cmp.Compare(a.Picture, b.Picture) })
	l.Items = joined(l.Items)
	for i := range l.Items {
		l.Items[i].single()
	}
	if file == "" { // a list names its pictures, wherever they are
		l.Problems = append(l.Problems, t.left()...)
	}
	if len(l.Items) == 0 && len(l.Problems) == 0 {
		return nil, &ErrNone{filepath.Join(root, file), l.Format}
	}
	return l, nil
}

func (l *List) read(t *tree, file string, o Options) error {
	switch l.Format {
	case "folders":
		l.folders(t)
	case "names":
		return l.names(t, o.Pattern)
	case "coco":
		return l.each(t, file, ".json", l.coco)
	case "aihub":
		return l.each(t, file, ".json", l.aihub)
	case "list":
		return l.each(t, file, ".csv .tsv .txt", l.list)
	default:
		return &ErrNone{filepath.Join(t.root, file), ""}
	}
	return nil
}

// each reads one label file, or all of a kind below the root.
func (l *List) each(t *tree, file, extensions string, read func(t *tree, label string, b []byte) error) error {
	for _, f := range t.files {
		if file != "" && f != file || file == "" && !slices.Contains(strings.Fields(extensions), strings.ToLower(path.Ext(f))) {
			continue
		}
		b, err := t.read(f)
		if err == nil {
			err = read(t, f, b)
		}
		if err != nil {
			if file != "" {
				return fmt.Errorf("%s: %w", filepath.Join(t.root, f), err)
			}
			l.Problems = append(l.Problems, Problem{f, "file", err.Error(), false})
		}
	}
	return nil
}

// guess finds out the format by what the files look like. Of a folder with class folders, lists that say nothing of most of its
// pictures are passed over; over is those.
func (t *tree) guess(file string) (format string, over []Problem) {
	if file != "" {
		if f := t.json(file); f != "" {
			return f, nil
		}
		if strings.EqualFold(path.Ext(file), ".json") {
			return "coco", nil // which says what is wrong with it
		}
		return "list", nil
	}
	top, below, loose := map[string]bool{}, 0, 0
	lists := false
	for _, f := range t.files {
		if dir, _, ok := strings.Cut(f, "/"); ok && isPicture(f) {
			top[dir] = true
			below++
		} else if isPicture(f) {
			loose++
		}
	}
	classes := len(top) > 1 && below > loose
	for _, f := range t.files {
		switch strings.ToLower(path.Ext(f)) {
		case ".json":
			if format := t.json(f); format != "" && (!classes || t.speaks(f, format)) {
				return format, nil
			}
		case ".csv", ".tsv":
			lists = true
		}
	}
	if lists {
		if over = t.few(); !classes || over == nil {
			return "list", nil
		}
	}
	switch {
	case below > loose:
		return "folders", over
	case loose > 0:
		return "names", nil
	}
	return "", nil
}

// json is the format of a .json file; empty for one that is no label, and for other files.
func (t *tree) json(f string) string {
	if !strings.EqualFold(path.Ext(f), ".json") {
		return ""
	}
	b, err := t.read(f)
	if err != nil {
		return ""
	}
	head := b[:min(len(b), 1<<16)]
	switch {
	case bytes.Contains(head, []byte(`"Bounding"`)), bytes.Contains(head, []byte(`"ANNOTATION_INFO"`)):
		return "aihub"
	case bytes.Contains(b, []byte(`"annotations"`)) && bytes.Contains(b, []byte(`"categories"`)):
		return "coco"
	}
	return ""
}

// speaks tells whether a label file says anything of a picture below the root.
func (t *tree) speaks(f, format string) bool {
	b, err := t.read(f)
	if err != nil {
		return false
	}
	l := &List{Root: t.root}
	if format == "aihub" {
		err = l.aihub(t, f, b)
	} else {
		err = l.coco(t, f, b)
	}
	return err == nil && len(l.Items) > 0
}

// few is the tree's lists as problems, where they have no boxes, and all of them together name less than half of its pictures; else
// nil.
func (t *tree) few() (over []Problem) {
	l, named := &List{Root: t.root, Format: "list"}, map[string]bool{}
	if l.each(t, "", ".csv .tsv .txt", l.list) != nil {
		return nil
	}
	for _, it := range l.Items {
		if slices.ContainsFunc(it.Objects, func(o Object) bool { return o.Box != nil }) {
			return nil // which no folder can say
		}
		named[it.Picture] = true
	}
	all := 0
	for _, f := range t.pictures {
		all += len(f)
	}
	if 2*len(named) >= all {
		return nil
	}
	for _, f := range t.files {
		if ext := strings.ToLower(path.Ext(f)); ext == ".csv" || ext == ".tsv" {
			over = append(over, Problem{f, "file", fmt.Sprintf("not read: the lists name %d of %d pictures, so the folders are taken for the classes "+
				"(--format list reads it)", len(named), all), false})
		}
	}
	return over
}

// folders takes the class from the first folder below the root, or below train, val and test where all lies in those. Folders below
// that one are sessions: the group.
func (l *List) folders(t *tree) {
	parted := t.parted()
	for _, f := range t.files {
		if !isPicture(f) {
			continue
		}
		class, rest, ok := strings.Cut(f, "/")
		if ok && parted {
			class, rest, ok = strings.Cut(rest, "/")
		}
		if !ok {
			l.Problems = append(l.Problems, Problem{f, "file", "it lies in no class's folder (--format names takes classes from names)", false})
			continue
		}
		it := Item{Picture: f}
		if dir := path.Dir(rest); dir != "." {
			it.Group = path.Join(class, dir)
		}
		it.add(f, "object 1", Object{Class: class})
		l.Items = append(l.Items, it)
	}
}

// parted tells whether the folders below the root are the parts of a split, with class folders in them, as others keep them for training.
func (t *tree) parted() bool {
	classes := false
	for _, f := range t.files {
		part, rest, ok := strings.Cut(f, "/")
		if !ok || !isPicture(f) {
			continue
		}
		if !pictures.IsPart(part) {
			return false
		}
		classes = classes || strings.Contains(rest, "/")
	}
	return classes
}

var letters = regexp.MustCompile(`^(?:.*/)?(?P<class>[\p{L}_-]*\p{L})[^/]*$`)

// names takes the class from the picture's name.
func (l *List) names(t *tree, pattern string) error {
	re := letters
	if pattern != "" {
		var err error
		if re, err = regexp.Compile(pattern); err != nil {
			return fmt.Errorf("pattern: %w", err)
		}
		if re.SubexpIndex("class") < 0 {
			return fmt.Errorf(`pattern %q has no group named class: write (?P<class>…)`, pattern)
		}
	}
	for _, f := range t.files {
		if !isPicture(f) {
			continue
		}
		m := re.FindStringSubmatch(norm.NFC.String(f))
		if m == nil {
			l.Problems = append(l.Problems, Problem{f, "file", "its name does not say the class", false})
			continue
		}
		it, o := Item{Picture: f}, Object{}
		for i, name := range re.SubexpNames() {
			switch {
			case i == 0 || name == "" || m[i] == "":
			case name == "class":
				o.Class = m[i]
			case name == "group":
				it.Group = m[i]
			default:
				o.set(name, m[i])
			}
		}
		it.add(f, "object 1", o)
		l.Items = append(l.Items, it)
	}
	return nil
}

func (o *Object) set(name, value string) {
	if value == "" {
		return
	}
	if o.Attributes == nil {
		o.Attributes = map[string]string{}
	}
	o.Attributes[name] = norm.NFC.String(value)
}

// joined puts items of one picture together, such as lines of a list. Their objects keep their groups. Items are sorted by picture.
func joined(items []Item) []Item {
	var out []Item
	for _, it := range items {
		if n := len(out); n > 0 && out[n-1].Picture == it.Picture {
			last := &out[n-1]
			last.Objects = append(last.Objects, it.Objects...)
			last.Problems = append(last.Problems, it.Problems...)
			last.Group = cmp.Or(last.Group, it.Group)
			continue
		}
		out = append(out, it)
	}
	return out
}
