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

// list reads a CSV or TSV list. With a header it has the columns path and class, and x0, y0, x1, y1 (pixels), group and any
// attribute; without one, path and class. Paths are below the list's folder, or the folder above.
func (l *List) list(t *tree, label string, b []byte) error {
	b, _, err := decode(b)
	if err != nil {
		return err
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, false
	if first, _, _ := bytes.Cut(b, []byte("\n")); bytes.ContainsRune(first, '\t') {
		r.Comma = '\t'
	}
	columns := []string{"path", "class"}
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first && slices.Contains(row, "path") && slices.Contains(row, "class") {
			columns = row
			continue
		}
		n, _ := r.FieldPos(0) // blank lines, and those in quotes, count
		what := fmt.Sprintf("line %d", n)
		if len(row) < len(columns) {
			l.Problems = append(l.Problems, Problem{label, what, fmt.Sprintf("%d columns, and %d are wanted", len(row), len(columns)), false})
			continue
		}
		if err := l.row(t, label, what, columns, row); err != nil {
			l.Problems = append(l.Problems, Problem{label, what, err.Error(), false})
		}
	}
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
	it.add(label, what, o)
	if len(it.Objects)+len(it.Problems) > 0 {
		l.Items = append(l.Items, it)
	}
	return nil
}

// listed is a list's path as a path below the root: as it stands below the list's folder, or the folder above. That may lead
// out of the root, as ../pictures does.
func (t *tree) listed(label, p string) (string, error) {
	for _, from := range []string{path.Dir(label), path.Dir(label) + "/.."} {
		rel := path.Join(from, filepath.ToSlash(p))
		if _, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(rel))); err == nil {
			return rel, nil
		}
	}
	return "", fmt.Errorf("%q is neither below the list's folder nor below the one above", p)
}
