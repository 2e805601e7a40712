package pack

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// opened writes sets and opens them.
func opened(t *testing.T, sets map[string][]int, names ...string) (all []*Set) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		write(t, path, sets[name]...)
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all = append(all, s)
	}
	return all
}

// left are the names of the files in a folder.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

func TestMerge(t *testing.T) {
	sets := opened(t, map[string][]int{"a": {1, 2}, "b": {2, 3}}, "a", "b")
	path := filepath.Join(t.TempDir(), "c")
	sum, err := Merge(path, sets...)
	if err != nil {
		t.Fatal(err)
	}
	if want := write(t, filepath.Join(t.TempDir(), "d"), 1, 2, 3); sum != want {
		t.Error("the merged set is not the set of all")
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(); err != nil || s.Identity != sum || len(left(t, filepath.Dir(path))) != 1 {
		t.Errorf("%v, %x, and %q is left", err, s.Identity, left(t, filepath.Dir(path)))
	}
}

// TestMergeTakesOnceWhatIsTheSame takes both of two examples that differ in no more than their group or an attribute.
func TestMergeTakesOnceWhatIsTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *Crop)
		want   int
	}{
		"the same":      {func(*Crop) {}, 1},
		"its group":     {func(c *Crop) { c.Group = "h" }, 2},
		"an attribute":  {func(c *Crop) { c.Attributes = nil }, 2},
		"its class":     {func(c *Crop) { c.Class = "x" }, 2},
		"only the path": {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var sets []*Set
			for k := range 2 {
				path := filepath.Join(t.TempDir(), "s")
				w, err := Create(path, format)
				if err != nil {
					t.Fatal(err)
				}
				src, cr := source(1), crop(1)
				switch {
				case k == 1 && c.change != nil:
					c.change(&cr)
				case k == 1:
					src.Path = "elsewhere.jpg"
				}
				if err := w.Add(src, []Crop{cr}, nil); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Finish(); err != nil {
					t.Fatal(err)
				}
				s, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				sets = append(sets, s)
			}
			path := filepath.Join(t.TempDir(), "m")
			if _, err := Merge(path, sets...); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if len(s.Examples) != c.want {
				t.Errorf("%d examples, want %d", len(s.Examples), c.want)
			}
		})
	}
}

// TestMergeLeavesWhatIsThere refuses a name that is taken, byte for byte as it is.
func TestMergeLeavesWhatIsThere(t *testing.T) {
	sets := opened(t, map[string][]int{"a": {1, 2}, "b": {2, 3}}, "a", "b")
	for name, make := range map[string]func(path string){
		"a finished set": func(path string) { write(t, path, 7) },
		"an unfinished import": func(path string) {
			w, err := Create(path, format)
			if err == nil {
				err = errors.Join(w.Add(source(7), []Crop{crop(7)}, nil), w.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"an empty file": func(path string) {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		path := filepath.Join(t.TempDir(), "m")
		make(path)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Merge(path, sets...)
		after, e := os.ReadFile(path)
		if !errors.Is(err, fs.ErrExist) || e != nil || !bytes.Equal(before, after) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, then %v", name, err, e)
		}
		if n := left(t, filepath.Dir(path)); len(n) != 1 {
			t.Errorf("%s: %q is left", name, n)
		}
	}
}

// TestAKilledMergeIsDoneAgain merges where a merge was killed after its first commit, and where one is still at work.
func TestAKilledMergeIsDoneAgain(t *testing.T) {
	sets := opened(t, map[string][]int{"a": {1, 2}, "b": {2, 3}}, "a", "b")
	path := filepath.Join(t.TempDir(), "m")
	w, err := Create(path+merging, format)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.merge(sets[0], map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(path, sets...); !errors.Is(err, ErrBusy) {
		t.Errorf("beside another merge: %v", err)
	}
	if err := w.Close(); err != nil { // as a commit and a kill leave it
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a set has the name of the whole: %v", err)
	}
	sum, err := Merge(path, sets...)
	if err != nil {
		t.Fatal(err)
	}
	if want := write(t, filepath.Join(t.TempDir(), "d"), 1, 2, 3); sum != want {
		t.Error("another set than the one of a merge that was never killed")
	}
	if n := left(t, filepath.Dir(path)); len(n) != 1 {
		t.Errorf("%q is left", n)
	}
	// What is no set is nobody's leftover.
	path = filepath.Join(t.TempDir(), "m")
	for want, data := range map[error][]byte{nil: nil, ErrNotASet: []byte("notes")} {
		if err := os.WriteFile(path+merging, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Merge(path, sets...); !errors.Is(err, want) {
			t.Errorf("%q is in its way: %v", data, err)
		}
		os.Remove(path)
	}
}

// TestMergeWithoutRoom: what a merge that has no room says is true of a merge.
func TestMergeWithoutRoom(t *testing.T) {
	err := &FullError{"a.set" + merging, syscall.ENOSPC}
	if want := "write a.set: the disk is full: make room, and merge again"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}
