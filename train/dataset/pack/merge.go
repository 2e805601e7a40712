package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// merging is the end of the name under which a merged set is written until it is whole.
const merging = ".merging"

// Merge writes a new set of the examples of several, which must have one format. An example that is in two of them is taken once,
// if all of it is the same: the picture that it was cut from, box, class, attributes, group and pixels; where one of these
// differs, both are taken. Paths that several sets use are told apart by the set's name in front. A file at path, also that of an
// unfinished import, is an error, fs.ErrExist, and stays as it is. The set has its name only once it is whole; what a merge that
// was killed has left beside it is replaced.
func Merge(path string, sets ...*Set) (sum [32]byte, err error) {
	if len(sets) == 0 {
		return sum, errors.New("nothing to merge")
	}
	for _, s := range sets[1:] {
		if s.Format != sets[0].Format {
			return sum, &FormatError{fmt.Sprintf("%s has examples of %s, %s of %s: they cannot be merged; import one of them again with the options of the other",
				sets[0].Path, sets[0].Format, s.Path, s.Format)}
		}
	}
	if err := vacant(path); err != nil {
		return sum, err
	}
	part := path + merging
	if err := discard(part); err != nil {
		return sum, err
	}
	w, err := Create(part, sets[0].Format)
	if err != nil {
		return sum, err
	}
	seen := map[string]bool{}
	for _, s := range sets {
		if err := w.merge(s, seen); err != nil {
			return sum, errors.Join(err, w.Close(), remove(part))
		}
	}
	if sum, err = w.Finish(); err == nil {
		err = vacant(path) // a merge takes minutes
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return sum, errors.Join(err, remove(part))
	}
	return sum, nil
}

// vacant is an error, fs.ErrExist, where there is something of the name, or what an import has left of it: its journal, with which
// another file of that name would be spoilt.
func vacant(path string) error {
	for _, p := range []string{path, path + "-journal"} {
		if _, err := os.Lstat(p); err == nil {
			return fmt.Errorf("%s is there already, and a merge writes a new file: name another, or delete it: %w", p, fs.ErrExist)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// discard removes what a merge that was killed has left. A merge that still runs is an error, ErrBusy, and so is a file of another
// kind, ErrNotASet.
func discard(part string) error {
	lock, err := lock(part)
	if err != nil {
		return err
	}
	defer lock.Close()
	db, _, err := open(part, sqlite3.OPEN_READONLY)
	if err == nil {
		db.Close()
	}
	if st, e := os.Stat(part); e == nil && st.Size() > 0 && errors.Is(err, ErrNotASet) {
		return err
	}
	return remove(part)
}

// remove removes a set's files; those that are not there are no error.
func remove(path string) (err error) {
	for _, p := range []string{path + "-journal", path} {
		if e := os.Remove(p); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// merge adds the sources of one set, each with its examples that are not there yet.
func (w *Writer) merge(s *Set, seen map[string]bool) error {
	name := filepath.Base(s.Path)
	for i := 0; i < len(s.Examples); {
		src := s.Examples[i].Source
		var crops []Crop
		for ; i < len(s.Examples) && s.Examples[i].Source == src; i++ {
			e := s.Examples[i]
			if key := e.line(); !seen[key] {
				seen[key] = true
				c := Crop{e, make([]byte, s.Format.Bytes())}
				if err := s.Pixels(i, c.Pixels); err != nil {
					return err
				}
				crops = append(crops, c)
			}
		}
		if len(crops) == 0 {
			continue
		}
		for w.Done(src.Path) {
			src.Path = name + "/" + src.Path
		}
		if err := w.Add(src, crops, nil); err != nil {
			return err
		}
	}
	w.begin()
	for _, p := range s.Problems {
		if err := run(w.issue, name+"/"+p.Path, p.What, p.Reason, p.Mended); err != nil {
			w.fail(err)
			return w.failed
		}
	}
	return nil
}
