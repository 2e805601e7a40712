package importer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/spelling"
)

// tell stores what is wrong with label files, and with pictures that no label speaks of: all that is wrong with one at a time.
func tell(w *pack.Writer, problems []labels.Problem) error {
	of := map[string][]pack.Problem{}
	var paths []string
	for _, p := range problems {
		if of[p.Path] == nil {
			paths = append(paths, p.Path)
		}
		of[p.Path] = append(of[p.Path], pack.Problem(p))
	}
	for _, path := range paths {
		if w.Done(path) {
			continue
		}
		// The one that is wrong with the file as a whole marks it as done, for an import that goes on.
		if !slices.ContainsFunc(of[path], func(p pack.Problem) bool { return p.What == "file" }) {
			n := 0
			for _, p := range of[path] {
				if !p.Mended {
					n++
				}
			}
			of[path] = append(of[path], pack.Problem{Path: path, What: "file", Reason: fmt.Sprintf("%d%s", n, labelsLeft), Mended: true})
		}
		if err := w.Add(pack.Source{Path: path}, nil, of[path]); err != nil {
			return err
		}
	}
	return nil
}

// The reasons of problems that mark a file as done, for an import that goes on: what they speak of is listed object by object.
const (
	noneUsed   = "none of its objects is used"
	labelsLeft = " of its labels are left out"
)

// marks tells of a problem that it is such a mark, and nothing that was left out or mended besides.
func marks(p pack.Problem) bool {
	return p.What == "file" && (p.Reason == noneUsed || p.Mended && strings.HasSuffix(p.Reason, labelsLeft))
}

// NothingError says that not one example came of an import. No set is left.
type NothingError struct {
	Path     string // of the set
	Format   string // that the labels were read as
	Problems []pack.Problem
}

func (e *NothingError) Error() string {
	if len(e.Problems) == 0 {
		return fmt.Sprintf("%s: not one example could be cut out (format %s: --format names another)", e.Path, e.Format)
	}
	p := e.Problems[0]
	return fmt.Sprintf("%s: not one example could be cut out: %d problems, such as %s, %s: %s (format %s: --format names another)", e.Path,
		len(e.Problems), p.Path, p.What, p.Reason, e.Format)
}

// spellings tells of classes that look like one class spelt in two ways: a line for the first picture with a rarer spelling.
func spellings(list *labels.List, m *labels.Map) map[string][]labels.Problem {
	count, first := map[string]int{}, map[string]string{}
	for _, it := range list.Items {
		for _, o := range it.Objects {
			class := o.Class
			if m != nil {
				class, _ = m.Class(o) // mapped has asked already
			}
			if class == "" {
				continue
			}
			if count[class]++; count[class] == 1 {
				first[class] = it.Picture
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	alike, hints := spelling.Alike(names), map[string][]labels.Problem{}
	for _, c := range names {
		if f, ok := alike[c]; ok {
			hints[first[c]] = append(hints[first[c]], labels.Problem{Path: first[c], What: "class " + c,
				Reason: fmt.Sprintf("perhaps %q spelt otherwise: a label map joins them (--map)", f), Mended: true})
		}
	}
	return hints
}
