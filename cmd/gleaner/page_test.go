package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture/cv"
)

// TestMayWrite names the file and the option, and leaves nothing behind.
func TestMayWrite(t *testing.T) {
	dir, file := t.TempDir(), write(t, "file", "x")
	nosuch, below := filepath.Join(dir, "nosuch", "page.html"), filepath.Join(file, "page.html")
	for path, want := range map[string]string{
		filepath.Join(dir, "page.html"): "",
		file:                            "",
		nosuch:                          "out=" + nosuch + ": cannot be written: no such file or directory",
		below:                           "out=" + below + ": cannot be written: not a directory",
		dir:                             "out=" + dir + ": is a folder, and a file is to be written",
	} {
		err := mayWrite("out=", path)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "x" {
		t.Errorf("the file that is there holds %q, %v", b, err)
	}
	err := writeFile("-o ", nosuch, func(io.Writer) error { return nil })
	if err == nil || !strings.HasSuffix(err.Error(), "page.html: cannot be written: no such file or directory") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestUnwritable: a page that cannot be written is said before anything else is looked at.
func TestUnwritable(t *testing.T) {
	page, data := filepath.Join(t.TempDir(), "nosuch", "p.html"), patterns(t, 12)
	for _, args := range [][]string{
		{"eval", "bundle=" + data, "data=" + data, "out=" + page},
		{"data", "look", data, "-o", page},
		{"data", "split", data, "-o", page},
		{"data", "augment", data, "-o", page},
	} {
		code, out, errs := gleaner(t, args...)
		if code != exitBadInput || out != "" || !strings.Contains(errs, page+": cannot be written: no such file or directory") {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, errs)
		}
	}
}

// TestSplitOfTooMany: more folds than there are pictures are refused, however many.
func TestSplitOfTooMany(t *testing.T) {
	if !cv.Real {
		t.Skip("this build has no OpenCV")
	}
	dir := t.TempDir()
	for _, class := range []string{"a", "b"} {
		b, err := os.ReadFile(picture(t, "x.png"))
		if err := errors.Join(err, os.Mkdir(filepath.Join(dir, class), 0o755), os.WriteFile(filepath.Join(dir, class, class+".png"), b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	set := filepath.Join(t.TempDir(), "x.set")
	works(t, "data", "import", dir, "-o", set)
	code, _, errs := gleaner(t, "data", "split", set, "--folds=100000000000000")
	if code != exitBadInput || !strings.Contains(errs, "independent pictures, and 100000000000000 folds need at least") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// TestPassesOn writes through a link to a pipe, as /dev/stdout is one, and leaves it a pipe.
func TestPassesOn(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	path := fmt.Sprintf("/proc/self/fd/%d", w.Fd())
	if err := mayWrite("out=", path); err != nil {
		t.Fatal(err)
	}
	if err := writeFile("out=", path, func(w io.Writer) error { _, err := io.WriteString(w, "page"); return err }); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if b, err := io.ReadAll(r); err != nil || string(b) != "page" {
		t.Errorf("%q, %v", b, err)
	}
}
