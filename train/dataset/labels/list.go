package labels

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// known are the columns of a list that are no attributes.
var known = []string{"path", "class", "x0", "y0", "x1", "y1", "group"}

// others are names of these columns in the lists that TensorFlow's tools, labelImg and Roboflow write. Without them a list with such
// boxes would be one of whole pictures.
var others = map[string]string{"filename": "path", "xmin": "x0", "ymin": "y0", "xmax": "x1", "ymax": "y1"}

// list reads a CSV list, parted by commas, tabs or semicolons. With a header it has the columns path and class, and x0, y0, x1, y1
// (pixels), group and any attribute; without one, path and class. Paths are below the list's folder, or the folder above.
func (l *List) list(t *tree, label string, b []byte) error {
	b, _, err := decode(b)
	if err != nil {
		return err
	}
	comma := separator(b)
	r, at := reader(b, comma), 1 // at: the line that r begins with
	columns, open := []string{"path", "class"}, 0
	for first := true; ; first = false {
		from := r.InputOffset()
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, _ := r.FieldPos(0) // blank lines, and those in quotes, count
		line := at + n - 1
		what := fmt.Sprintf("line %d", line)
		if h := header(row); first && h != nil {
			columns = h
			continue
		}
		if unclosed(b[from:r.InputOffset()], columns, row) {
			if open++; open > 100 { // each is read to its end, which may be the file's
				return errors.New("more than 100 lines have a quote that is not closed")
			}
			l.Problems = append(l.Problems, Problem{label, what, "a quote is not closed", false})
			b, at = after(b, n), line+1
			r = reader(b, comma)
			continue
		}
		for len(row) > len(columns) && strings.TrimSpace(row[len(row)-1]) == "" {
			row = row[:len(row)-1]
		}
		if err = wide(row, columns); err == nil {
			err = l.row(t, label, what, columns, row)
		}
		if err != nil {
			l.Problems = append(l.Problems, Problem{label, what, err.Error(), false})
		}
	}
}

func wide(row, columns []string) error {
	if len(row) == len(columns) {
		return nil
	}
	return fmt.Errorf("%d columns, and %d are wanted: %s", len(row), len(columns), strings.Join(columns, ", "))
}

func reader(b []byte, comma rune) *csv.Reader {
	r := csv.NewReader(bytes.NewReader(b))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma, -1, true
	return r
}

// separator is what parts the columns, by the first line.
func separator(b []byte) rune {
	first, _, _ := bytes.Cut(bytes.TrimLeft(b, "\r\n"), []byte("\n"))
	switch {
	case bytes.ContainsRune(first, '\t'):
		return '\t'
	case bytes.ContainsRune(first, ';') && (!bytes.ContainsRune(first, ',') || header(strings.Split(string(first), ";")) != nil):
		return ';'
	}
	return ','
}

// header is a row as the names of columns, those known in lower case; nil if it names no path or no class.
func header(row []string) []string {
	h := make([]string, len(row))
	for i, c := range row {
		h[i] = strings.Trim(c, " \t\r\"")
		if low := strings.ToLower(h[i]); slices.Contains(known, low) {
			h[i] = low
		}
	}
	for i, c := range h {
		if own := others[strings.ToLower(c)]; own != "" && !slices.Contains(h, own) {
			h[i] = own
		}
	}
	if !slices.Contains(h, "path") || !slices.Contains(h, "class") {
		return nil
	}
	return h
}

// unclosed tells that a quote has swallowed the lines after it: raw is the text of a row.
func unclosed(raw []byte, columns, row []string) bool {
	raw = bytes.TrimSpace(raw)
	if !bytes.ContainsRune(raw, '\n') {
		return false
	}
	for i, c := range columns {
		if i < len(row) && slices.Contains(known, c) && strings.ContainsRune(row[i], '\n') {
			return true
		}
	}
	return bytes.Count(raw, []byte(`"`))%2 == 1
}

// after is what comes after line n, counted from 1.
func after(b []byte, n int) []byte {
	for range n {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	return b
}

func (l *List) row(t *tree, label, what string, columns, row []string) error {
	it, o := Item{}, Object{}
	var box [4]float64
	boxed := 0
	for i, c := range columns {
		v := strings.TrimSpace(row[i])
		switch k := slices.Index([]string{"x0", "y0", "x1", "y1"}, c); {
		case c == "path":
			p, err := t.listed(label, v)
			if err != nil {
				return err
			}
			it.Picture = p
		case c == "class":
			o.Class = v
		case c == "group":
			it.Group = v
		case k >= 0 && v != "":
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return fmt.Errorf("%s is %q, no number", c, v)
			}
			box[k] = f
			boxed++
		case k < 0:
			o.set(c, v)
		}
	}
	switch boxed {
	case 0:
	case 4:
		o.Box = &box
	default:
		return errors.New("a box has four numbers: x0, y0, x1, y1")
	}
	if err := l.once(label, what, it.Picture, o); err != nil {
		return err
	}
	it.add(label, what, o)
	if len(it.Objects)+len(it.Problems) > 0 {
		l.Items = append(l.Items, it)
	}
	return nil
}

// told is where a list gave a picture, or a box in it, its class.
type told struct{ label, what, class string }

// once is an error where a list gave the same thing another class before: one of the two is wrong.
func (l *List) once(label, what, picture string, o Object) error {
	key, class := picture, strings.TrimSpace(o.Class)
	if o.Box != nil {
		key = fmt.Sprintf("%s %g", picture, *o.Box)
	}
	was, ok := l.told[key]
	if ok && class != "" && was.class != class {
		return fmt.Errorf("its class is %q, and %q in %s of %s", class, was.class, was.what, was.label)
	}
	if !ok && class != "" {
		if l.told == nil {
			l.told = map[string]told{}
		}
		l.told[key] = told{label, what, class}
	}
	return nil
}

// listed is a list's path as a path below the root: as it stands below the list's folder, or the folder above. That may lead
// out of the root, as ../pictures does. An absolute path lies below the root, or below the folder above the list's.
func (t *tree) listed(label, p string) (string, error) {
	p = filepath.ToSlash(p)
	if path.IsAbs(p) {
		return t.absolute(label, p)
	}
	for _, from := range []string{path.Dir(label), path.Dir(label) + "/.."} {
		rel := path.Join(from, p)
		if st, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(rel))); err == nil {
			return rel, ordinary(p, st)
		}
	}
	for _, from := range []string{path.Dir(label), path.Dir(label) + "/.."} {
		if rel, ok := t.spelt(path.Join(from, strings.ReplaceAll(p, `\`, "/"))); ok {
			return rel, nil
		}
	}
	return "", fmt.Errorf("%q is neither below the list's folder nor below the one above", p)
}

func (t *tree) absolute(label, p string) (string, error) {
	st, err := os.Stat(filepath.FromSlash(p))
	if err != nil {
		return "", fmt.Errorf("%q is not there", p)
	}
	root, err := filepath.Abs(t.root)
	if err != nil {
		return "", err
	}
	above := path.Join(path.Dir(label), "..")
	if !strings.HasPrefix(above, "..") {
		above = "."
	}
	for _, as := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		from, e := as(root)
		to, err := as(filepath.FromSlash(p))
		if e != nil || err != nil {
			continue
		}
		rel, err := filepath.Rel(from, to)
		if in, e := filepath.Rel(filepath.Join(from, above), to); err == nil && e == nil && filepath.IsLocal(in) {
			return filepath.ToSlash(rel), ordinary(p, st)
		}
	}
	return "", fmt.Errorf("%q lies neither below %s nor below the folder above the list's", p, root)
}

// ordinary is an error for what is no picture file, and may never end.
func ordinary(p string, st os.FileInfo) error {
	switch {
	case st.IsDir():
		return fmt.Errorf("%q is a folder", p)
	case !st.Mode().IsRegular():
		return fmt.Errorf("%q is neither a file nor a folder", p)
	}
	return nil
}
