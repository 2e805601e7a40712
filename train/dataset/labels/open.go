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
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	l := &List{Root: root, File: file, Format: o.Format, Pattern: o.Pattern}
	if l.Format == "" {
		l.Format = t.guess(file)
	}
	if err := l.read(t, file, o); err != nil {
		return nil, err
	}
	slices.SortStableFunc(l.Items, func(a, b Item) int { return cmp.Compare(a.Picture, b.Picture) })
	l.Items = joined(l.Items)
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

// guess finds out the format by what the files look like.
func (t *tree) guess(file string) string {
	for _, f := range t.files {
		if file != "" && f != file {
			continue
		}
		switch strings.ToLower(path.Ext(f)) {
		case ".json":
			b, err := t.read(f)
			if err != nil {
				continue
			}
			head := b[:min(len(b), 1<<16)]
			switch {
			case bytes.Contains(head, []byte(`"Bounding"`)), bytes.Contains(head, []byte(`"ANNOTATION_INFO"`)):
				return "aihub"
			case bytes.Contains(b, []byte(`"annotations"`)) && bytes.Contains(b, []byte(`"categories"`)):
				return "coco"
			}
		case ".csv", ".tsv":
			return "list"
		}
	}
	if file != "" {
		return "list"
	}
	for _, f := range t.files {
		if isPicture(f) && !strings.Contains(f, "/") {
			return "names"
		}
	}
	for _, f := range t.files {
		if isPicture(f) {
			return "folders"
		}
	}
	return ""
}

// folders takes the class from the first folder below the root. Folders below that one are sessions: the group.
func (l *List) folders(t *tree) {
	for _, f := range t.files {
		class, rest, ok := strings.Cut(f, "/")
		if !ok || !isPicture(f) {
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
