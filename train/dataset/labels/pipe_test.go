package labels

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPipesAreNotRead lists pipes among pictures and labels, and waits for none of them.
func TestPipesAreNotRead(t *testing.T) {
	root := files(t, map[string]string{"can/1.jpg": "", "all.csv": "path,class\ncan/1.jpg,can\ncan/2.jpg,can\n"})
	for _, name := range []string{"can/2.jpg", "x.json", "a.csv"} {
		if err := syscall.Mkfifo(filepath.Join(root, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Symlink("2.jpg", filepath.Join(root, "can", "3.jpg")); err != nil {
		t.Fatal(err)
	}
	type read struct {
		l   *List
		err error
	}
	within := func(path string, o Options) read {
		t.Helper()
		done := make(chan read, 1)
		go func() {
			l, err := Open(path, o)
			done <- read{l, err}
		}()
		select {
		case r := <-done:
			return r
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for a pipe")
			panic("")
		}
	}
	said := "neither a file nor a folder"
	for _, format := range []string{"folders", "coco", "aihub", "list"} {
		r := within(root, Options{Format: format})
		if r.err != nil {
			t.Fatal(r.err)
		}
		for _, name := range []string{"can/2.jpg", "can/3.jpg", "x.json", "a.csv"} {
			if want := name + " file: " + said + ": it is not read (left out)"; !slices.Contains(problems(r.l), want) {
				t.Errorf("%s: nothing says %s: %q", format, want, problems(r.l))
			}
		}
	}
	if r := within(filepath.Join(root, "a.csv"), Options{}); r.err == nil || !strings.Contains(r.err.Error(), said) {
		t.Errorf("a pipe by itself: %v", r.err)
	}
	want := []string{`all.csv line 3: "can/2.jpg" is neither a file nor a folder (left out)`}
	if r := within(filepath.Join(root, "all.csv"), Options{}); r.err != nil || !slices.Equal(problems(r.l), want) {
		t.Errorf("a list that names a pipe: %v, %q", r.err, problems(r.l))
	}
}
