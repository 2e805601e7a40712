package pack

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var format = Format{Width: 4, Height: 2, Fit: "letterbox", Margin: 0.1}

// pixels are an example's, told apart by n.
func pixels(n int) []byte {
	b := make([]byte, format.Bytes())
	for i := range b {
		b[i] = byte(n*31 + i)
	}
	return b
}

// write makes a set of one example per number, each from a source of its own.
func write(t *testing.T, path string, numbers ...int) [32]byte {
	t.Helper()
	w, err := Create(path, format)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range numbers {
		if err := w.Add(source(n), []Crop{crop(n)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func source(n int) Source {
	return Source{Path: fmt.Sprintf("사진/%d.jpg", n), SHA256: sha256.Sum256([]byte{byte(n)}), Width: 100, Height: 50}
}

func crop(n int) Crop {
	return Crop{Example{Box: [4]float64{1, 2, 3.5, 4}, Class: "유리", Attributes: map[string]string{"dirty": "yes"}, Group: "g"}, pixels(n)}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.gleanset")
	sum := write(t, path, 1, 2, 3)
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Identity != sum || s.Format != format || len(s.Examples) != 3 {
		t.Fatalf("read %x %+v %d", s.Identity, s.Format, len(s.Examples))
	}
	e := s.Examples[1]
	if e.Class != "유리" || e.Attributes["dirty"] != "yes" || e.Group != "g" || e.Box != [4]float64{1, 2, 3.5, 4} || e.Source != source(2) {
		t.Errorf("example %+v", e)
	}
	buf := make([]byte, format.Bytes())
	if err := s.Pixels(1, buf); err != nil || !slices.Equal(buf, pixels(2)) {
		t.Errorf("pixels %v, %v", buf, err)
	}
}

func TestIdentityDoesNotDependOnTheOrder(t *testing.T) {
	dir := t.TempDir()
	a, b := write(t, filepath.Join(dir, "a"), 1, 2, 3), write(t, filepath.Join(dir, "b"), 3, 1, 2)
	if c := write(t, filepath.Join(dir, "c"), 1, 2); a != b || a == c {
		t.Errorf("identities %x %x %x", a, b, c)
	}
}

func TestAnInterruptedImportGoesOn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	w, err := Create(path, format)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(source(1), []Crop{crop(1)}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(Source{Path: "bad.jpg"}, nil, []Problem{{Path: "bad.jpg", What: "file", Reason: "truncated"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrUnfinished) {
		t.Errorf("an unfinished set opens with %v", err)
	}
	if w, err = Create(path, format); err != nil {
		t.Fatal(err)
	}
	if !w.Done(source(1).Path) || !w.Done("bad.jpg") || w.Done(source(2).Path) {
		t.Error("it does not know what was done")
	}
	if err := w.Add(source(2), []Crop{crop(2)}, nil); err != nil {
		t.Fatal(err)
	}
	sum, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if want := write(t, filepath.Join(dir, "whole"), 1, 2); sum != want {
		t.Error("another set than the one that was never interrupted")
	}
	other := format
	other.Width++
	if _, err := Create(path, other); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a finished set, of another format: %v", err)
	}
	if _, err := Create(path, format); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a finished set is opened to write with %v", err)
	}
}

// TestOneWriterAtATime keeps a second writer off from the moment that the file is there, also between two commits, and lets it go on with
// what the first has left.
func TestOneWriterAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.set")
	w, err := Create(path, format)
	if err != nil {
		t.Fatal(err)
	}
	busy := func(when string) {
		t.Helper()
		if _, err := Create(path, format); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: %v", when, err)
		}
	}
	add := func(w *Writer, n int) {
		t.Helper()
		if err := w.Add(source(n), []Crop{crop(n)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	busy("new")
	add(w, 1)
	busy("within a commit")
	if err := w.commit(); err != nil {
		t.Fatal(err)
	}
	busy("between two")
	add(w, 2)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w, err = Create(path, format); err != nil {
		t.Fatal(err)
	}
	add(w, 3)
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Examples) != 3 {
		t.Errorf("%d examples", len(s.Examples))
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil { // what a writer leaves that was killed at once
		t.Fatal(err)
	}
	if w, err = Create(path, format); err != nil {
		t.Fatal(err)
	}
	busy("empty")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestAPictureIsWholeOrNotThere fails in the middle of a picture: nothing of it stays, and an import that goes on does it again.
func TestAPictureIsWholeOrNotThere(t *testing.T) {
	short, nameless, nowhere := crop(2), crop(2), crop(2)
	short.Pixels, nameless.Class, nowhere.Box[2] = short.Pixels[1:], "", math.NaN()
	for name, c := range map[string]struct {
		bad   Crop
		spoil func(w *Writer) error
		kept  bool // what was added before is still there
	}{
		"too few pixels": {bad: short, kept: true},
		"no class":       {bad: nameless, kept: true},
		"no box":         {bad: nowhere, kept: true},
		"a row is refused": {bad: crop(2), spoil: func(w *Writer) error {
			return w.db.Exec("CREATE TEMP TRIGGER t BEFORE INSERT ON pixels WHEN new.id=4 BEGIN SELECT RAISE(ABORT, 'refused'); END")
		}},
		"a full database file": {bad: crop(2), spoil: func(w *Writer) error { return w.db.Exec("PRAGMA max_page_count=1") }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a")
			w, err := Create(path, format)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Add(source(1), []Crop{crop(1)}, nil); err != nil {
				t.Fatal(err)
			}
			many := []Crop{crop(5), c.bad}
			if c.spoil != nil {
				if err := c.spoil(w); err != nil {
					t.Fatal(err)
				}
				for i := range 2000 { // as much as takes new pages
					many = append(many, crop(i))
				}
			}
			if err := w.Add(source(2), many, []Problem{{Path: source(2).Path, What: "object 3", Reason: "empty"}}); err == nil {
				t.Fatal("it is taken")
			}
			if err := w.Add(source(3), []Crop{crop(3)}, nil); (err == nil) != c.kept {
				t.Errorf("the next picture: %v", err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if w, err = Create(path, format); err != nil {
				t.Fatal(err)
			}
			if w.Done(source(2).Path) || w.Done(source(1).Path) != c.kept {
				t.Error("what failed counts as done, or what did not is lost")
			}
			for i := 1; i <= 3; i++ {
				if w.Done(source(i).Path) {
					continue
				}
				if err := w.Add(source(i), []Crop{crop(i)}, nil); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if want := write(t, filepath.Join(t.TempDir(), "b"), 1, 2, 3); sum != want {
				t.Error("another set than the one without a failure")
			}
			s, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if len(s.Problems) > 0 {
				t.Errorf("%+v", s.Problems)
			}
		})
	}
}

func TestDamageIsSeen(t *testing.T) {
	dir := t.TempDir()
	for name, at := range map[string]func(b []byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"pixels": func(b []byte) []byte {
			for i := range b {
				if i+24 <= len(b) && slices.Equal(b[i:i+24], pixels(2)) {
					b[i+3]++
				}
			}
			return b
		},
		"random":  func([]byte) []byte { return []byte("no database at all, but long enough to be looked at") },
		"nothing": func([]byte) []byte { return nil },
	} {
		path := filepath.Join(dir, name)
		write(t, path, 1, 2, 3)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, at(b), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err == nil {
			err = s.Verify()
			s.Close()
		}
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotASet) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCutShort reads no set that is being written, or whose writer was killed in the middle, and goes on with the latter from its
// last commit.
func TestCutShort(t *testing.T) {
	f := Format{Width: 400, Height: 400, Fit: "crop"}
	path := filepath.Join(t.TempDir(), "a")
	w, err := Create(path, f)
	if err != nil {
		t.Fatal(err)
	}
	add := func(w *Writer, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			c := Crop{Example{Class: "x", Box: [4]float64{0, 0, 1, 1}}, bytes.Repeat([]byte{byte(i)}, f.Bytes())}
			if err := w.Add(Source{Path: fmt.Sprint(i), SHA256: [32]byte{byte(i)}}, []Crop{c}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(w, 0, 140) // 67 MB: a commit after 70 pictures, another, and 14 MB that are written but not committed after 30 more
	add(w, 140, 170)
	killed := filepath.Join(t.TempDir(), "b")
	for _, end := range []string{"", "-journal"} {
		b, err := os.ReadFile(path + end)
		if err == nil {
			err = os.WriteFile(killed+end, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{path, killed} {
		if _, err := Open(p); !errors.Is(err, ErrUnfinished) {
			t.Errorf("%s: %v", p, err)
		}
	}
	// One that was killed at once has left an empty file.
	empty := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if w, err := Create(empty, f); err != nil {
		t.Error(err)
	} else if _, err := w.Finish(); err != nil {
		t.Error(err)
	}
	var sums [2][32]byte
	add(w, 170, 180)
	if sums[0], err = w.Finish(); err != nil {
		t.Fatal(err)
	}
	if w, err = Create(killed, f); err != nil {
		t.Fatal(err)
	}
	first := 0
	for w.Done(fmt.Sprint(first)) {
		first++
	}
	if first != 140 {
		t.Errorf("%d pictures were kept", first)
	}
	add(w, first, 180)
	if sums[1], err = w.Finish(); err != nil || sums[0] != sums[1] {
		t.Errorf("%x, %v; undisturbed %x", sums[1], err, sums[0])
	}
	s, err := Open(killed)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
}

// TestMarked tells a set that is cut off from what never was one.
func TestMarked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	w, err := Create(path, Format{Width: 2, Height: 2, Fit: "crop"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"cut off":  {whole[:len(whole)/2], ErrDamaged},
		"nothing":  {nil, ErrNotASet},
		"nonsense": {bytes.Repeat([]byte("nonsense"), 999), ErrNotASet},
		"version":  {append(append(bytes.Clone(whole[:63]), 9), whole[64:]...), ErrVersion},
	} {
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotASet) {
		t.Errorf("a folder: %v", err)
	}
}

// TestFormatsAreSaidInWords refuses an unfinished set of another format, and a merge of two, in words.
func TestFormatsAreSaidInWords(t *testing.T) {
	dir := t.TempDir()
	wide := Format{Width: 64, Height: 48, Fit: "crop", Margin: 0.1}
	w, err := Create(filepath.Join(dir, "a"), wide)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = Create(filepath.Join(dir, "a"), Format{Width: 32, Height: 32, Fit: "stretch"})
	if want := "64×48 pixels, crop, margin 0.1, not of 32×32 pixels, stretch, margin 0: delete it"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = Merge(filepath.Join(dir, "b"), &Set{Path: "x", Format: wide}, &Set{Path: "y", Format: Format{Width: 32, Height: 32, Fit: "stretch"}})
	if want := "x has examples of 64×48 pixels, crop, margin 0.1, y of 32×32 pixels, stretch, margin 0: they cannot be merged"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
