// Command 4-bad-input shows the line on bad input of the data issue: no pictures, one class, a class with one picture, an empty
// label, a label map that misses a class, a full disk, a missing backbone, and whatever else a user may bring by mistake, give one
// clear line each that names the culprit, with exit code 2 for what was given and 1 for what failed on the way; what is wrong with
// one picture is listed and stops nothing; and nothing is lost.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	bar     = "all: one line that names the culprit and what to do, or a line in the report; exit code 2 or 1, no stack trace, nothing lost"
	patient = 2 * time.Minute
)

// The exit codes that a case may want.
const (
	failed   = 1
	badInput = 2
)

// test is one case; nil is right.
type test struct {
	name string
	try  func() error
}

func main() {
	right, all, err := prove()
	word := "PASS"
	figure := fmt.Sprintf("%d of %d cases right", right, all)
	if err != nil {
		figure = fmt.Sprintf("%s; %v", figure, err)
	}
	if err != nil || right < all {
		word = "FAIL"
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", strings.Join(strings.Fields(figure), " "), bar, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

func prove() (right, all int, err error) {
	dir, err := os.MkdirTemp("", "prove-bad-data")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")); err != nil {
		return 0, 0, err
	}
	b := &bench{dir: dir}
	if err := b.prepare(); err != nil {
		return 0, 0, err
	}
	var tests []test
	for _, group := range [][]test{b.folders(), b.labels(), b.maps(), b.options(), b.sets(), b.odd(), b.disks(), b.models()} {
		tests = append(tests, group...)
	}
	for _, t := range tests {
		what := "ok"
		if err := t.try(); err != nil {
			what = "WRONG: " + err.Error()
		} else {
			right++
		}
		fmt.Printf("%-52s %s\n", t.name, what)
	}
	return right, len(tests), nil
}

// bench is where the cases find their files.
type bench struct {
	dir    string
	good   string // a folder with two classes of pictures that are fine
	set    string // the set of it
	bundle string // of a network that was trained on it
	n      int    // files and folders that were made
}

// prepare makes the good folder and what comes of it.
func (b *bench) prepare() error {
	if err := os.Chmod(b.dir, 0o755); err != nil { // another user looks into it
		return err
	}
	files := map[string][]byte{}
	for i := range 12 {
		for _, class := range []string{"bag", "캔"} {
			files[fmt.Sprintf("%s/%d.png", class, i)] = stripes(24, 24, 3+i, class == "bag")
		}
	}
	b.good = b.folder(files)
	b.set = b.path("good.set")
	for _, args := range [][]string{
		{"data", "import", b.good, "-o", b.set, "--size=24"},
		{"train", "data=" + b.set, "out=" + b.path("run"), "net=cnn-small", "width=0.25", "units=8", "device=ref", "epochs=1", "batch=4", "scan=off", "overfit=off"},
	} {
		if code, errs, err := gleaner(args...); err != nil || code != 0 {
			return fmt.Errorf("what should work: exit code %d, %v: %s", code, err, errs)
		}
	}
	b.bundle = b.path("run/bundle")
	return nil
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// fresh is a path that nothing has.
func (b *bench) fresh(end string) string {
	b.n++
	return b.path(fmt.Sprintf("%d%s", b.n, end))
}

// file writes a file and returns its path; a relative one lies in the bench's folder.
func (b *bench) file(name string, data []byte) string {
	path := name
	if !filepath.IsAbs(path) {
		path = b.path(name)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		panic(err) // the folder is this program's own
	}
	return path
}

// folder makes a folder with files.
func (b *bench) folder(files map[string][]byte) string {
	dir := b.fresh("")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(err)
	}
	for name, data := range files {
		b.file(filepath.Join(dir, name), data)
	}
	return dir
}

func (b *bench) read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
}

// gleaner runs the program.
func gleaner(args ...string) (code int, stderr string, err error) {
	code, _, stderr, err = execute("bin/gleaner", args...)
	return code, stderr, err
}

func execute(program string, args ...string) (code int, stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), cmp.Or(ctx.Err(), err)
}

// refused is a command line that must fail as bad input, with one line that holds every one of want.
func refused(name string, want []string, args ...string) test {
	return test{name, func() error {
		code, errs, err := gleaner(args...)
		if err != nil {
			return err
		}
		return told(code, errs, badInput, want)
	}}
}

// told checks an exit code and its one line of error.
func told(is int, errs string, code int, want []string) error {
	lines := strings.Split(strings.TrimRight(errs, "\n"), "\n")
	last := lines[len(lines)-1]
	switch {
	case strings.Contains(errs, "goroutine ") || strings.Contains(errs, "panic"):
		return fmt.Errorf("a stack trace: %s", errs)
	case is != code:
		return fmt.Errorf("exit code %d: %s", is, errs)
	case len(lines) != 1 || !strings.HasPrefix(last, "gleaner: "):
		return fmt.Errorf("%d lines: %s", len(lines), errs)
	}
	for _, w := range want {
		if !strings.Contains(last, w) {
			return fmt.Errorf("%q is not in %s", w, last)
		}
	}
	return nil
}

// line is one line of the import report.
type line struct {
	Path, What, Reason string
	Mended             bool
}

// taken is an import that must work, with so many examples, and with lines in the report that data look lists: each of want is
// "path: reason", or the beginning of the reason.
func (b *bench) taken(name, pictures string, examples int, want []string, more ...string) test {
	return test{name, func() error {
		set := b.fresh(".set")
		code, errs, err := gleaner(append([]string{"data", "import", pictures, "-o", set, "--size=24"}, more...)...)
		if err != nil || code != 0 || errs != "" {
			return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
		}
		code, out, errs, err := execute("bin/gleaner", "data", "look", set, "--plain", "--json")
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
