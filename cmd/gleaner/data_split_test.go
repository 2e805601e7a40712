package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture/cv"
)

// TestDataSplit says which column is which part, and its help how shares are written; a set that is finished says what to do.
func TestDataSplit(t *testing.T) {
	if !cv.Real {
		t.Skip("this build has no OpenCV")
	}
	from := t.TempDir()
	for _, name := range []string{"bag/1.png", "bag/2.png", "can/1.png", "can/2.png"} {
		to := filepath.Join(from, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(picture(t, "a.png"), to)); err != nil {
			t.Fatal(err)
		}
	}
	set := filepath.Join(t.TempDir(), "a.set")
	works(t, "data", "import", from, "-o", set, "--size=8")
	said := strings.Fields(works(t, "data", "split", set))
	if got := strings.Join(said[:7], " "); got != "class part 0 part 1 part 2" {
		t.Errorf("the columns are %q", got)
	}
	if help := works(t, "data", "split", "--help"); !strings.Contains(help, "--shares SHARES") || !strings.Contains(help, "(default 0.7,0.15,0.15)") {
		t.Errorf("the help says %s", help)
	}
	if code, _, errs := gleaner(t, "data", "import", from, "-o", set, "--size=8"); code != exitBadInput || !strings.Contains(errs, "name another, or delete it") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}
