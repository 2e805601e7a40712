// Command 4-bad-input shows the line on bad input of the data issue: no pictures, one class, a class with one picture, an empty
// label, a label map that misses a class, a full disk, a missing backbone, and whatever else a user may bring by mistake, give one
// clear line each that names the culprit, with exit code 2 for what was given and 1 for what failed on the way; what is wrong with
// one picture is listed and stops nothing; and nothing is lost.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/prove/internal/cases"
)

const bar = "all: one line that names the culprit and what to do, or a line in the report; exit code 2 or 1, no stack trace, nothing lost"

func main() { cases.Main(bar, all) }

func all(dir string) ([]cases.Case, error) {
	if err := os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")); err != nil {
		return nil, err
	}
	b := &bench{Files: cases.Files{Dir: dir}}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	return slices.Concat(b.folders(), b.labels(), b.maps(), b.options(), b.sets(), b.odd(), b.disks(), b.models()), nil
}

// bench is where the cases find their files.
type bench struct {
	cases.Files
	good   string // a folder with two classes of pictures that are fine
	set    string // the set of it
	bundle string // of a network that was trained on it
	n      int    // files and folders that were made
}

// prepare makes the good folder and what comes of it.
func (b *bench) prepare() error {
	if err := os.Chmod(b.Dir, 0o755); err != nil { // another user looks into it
		return err
	}
	files := map[string][]byte{}
	for i := range 12 {
		for _, class := range []string{"bag", "캔"} {
			files[fmt.Sprintf("%s/%d.png", class, i)] = stripes(24, 24, 3+i, class == "bag")
		}
	}
	b.good = b.folder(files)
	b.set = b.Path("good.set")
	for _, args := range [][]string{
		{"data", "import", b.good, "-o", b.set, "--size=24"},
		{"train", "data=" + b.set, "out=" + b.Path("run"), "net=cnn-small", "width=0.25", "units=8", "device=ref", "epochs=1", "batch=4", "scan=off", "overfit=off"},
	} {
		if code, errs, err := cases.Gleaner(args...); err != nil || code != 0 {
			return fmt.Errorf("what should work: exit code %d, %v: %s", code, err, errs)
		}
	}
	b.bundle = b.Path("run/bundle")
	return nil
}

// fresh is a path that nothing has.
func (b *bench) fresh(end string) string {
	b.n++
	return b.Path(fmt.Sprintf("%d%s", b.n, end))
}

// folder makes a folder with files.
func (b *bench) folder(files map[string][]byte) string {
	dir := b.fresh("")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(err)
	}
	for name, data := range files {
		b.File(filepath.Join(dir, name), data)
	}
	return dir
}

// line is one line of the import report.
type line struct {
	Path, What, Reason string
	Mended             bool
}

// taken is an import that must work, with so many examples, and with lines in the report that data look lists: each of want is
// "path: reason", or the beginning of the reason.
func (b *bench) taken(name, pictures string, examples int, want []string, more ...string) cases.Case {
	return cases.Case{Name: name, Try: func() error {
		set := b.fresh(".set")
		code, errs, err := cases.Gleaner(append([]string{"data", "import", pictures, "-o", set, "--size=24"}, more...)...)
		if err != nil || code != 0 || errs != "" {
			return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
		}
		code, out, errs, err := cases.Execute("bin/gleaner", "data", "look", set, "--plain", "--json")
		if err != nil || code != 0 {
			return fmt.Errorf("data look: exit code %d, %v: %s", code, err, errs)
		}
		var r struct {
			Examples int
			Problems []line
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			return err
		}
		if r.Examples != examples {
			return fmt.Errorf("%d examples instead of %d: %+v", r.Examples, examples, r.Problems)
		}
		var all []string
		for _, p := range r.Problems {
			all = append(all, p.Path+": "+p.What+": "+p.Reason)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(all, "\n"), w) {
				return fmt.Errorf("%q is not in the report: %q", w, all)
			}
		}
		if len(want) == 0 && len(all) > 0 {
			return fmt.Errorf("the report: %q", all)
		}
		return nil
	}}
}
