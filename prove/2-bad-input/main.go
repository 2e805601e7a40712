// Command 2-bad-input shows the line on bad input of the training issue: shapes that do not fit, a loss that becomes NaN, a full
// disk, a checkpoint of another network, an unknown operator in an imported file, a missing plug-in, wrong options and wrong
// pictures give one clear line each, with exit code 2 for what was given and 1 for what failed on the way, and nothing is lost.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	bar     = "all: one line that names the culprit, exit code 2 or 1, no stack trace, nothing lost"
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
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

func prove() (right, all int, err error) {
	dir, err := os.MkdirTemp("", "prove-bad-input")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir}
	if err := b.prepare(); err != nil {
		return 0, 0, err
	}
	var tests []test
	for _, group := range [][]test{b.options(), b.pictures(), b.networks(), b.checkpoints(), b.onTheWay()} {
		tests = append(tests, group...)
	}
	for _, t := range tests {
		what := "ok"
		if err := t.try(); err != nil {
			what = "WRONG: " + err.Error()
		} else {
			right++
		}
		fmt.Printf("%-46s %s\n", t.name, what)
	}
	return right, len(tests), nil
}

// bench is where the cases find their files.
type bench struct {
	dir      string
	data     string // an idx folder of pictures that are easily learnt
	finished string // the folder of a run that is over
	runs     int    // folders that were made
}

// prepare makes the pictures and a finished run.
func (b *bench) prepare() error {
	b.data = filepath.Join(b.dir, "그림")
	b.idx(b.data, 120)
	b.finished = b.out()
	if code, errs, err := gleaner(b.train(b.data, b.finished)...); err != nil || code != 0 {
		return fmt.Errorf("a run that should work: exit code %d, %v: %s", code, err, errs)
	}
	return nil
}

// idx makes an idx folder of n pictures of 12×12 with three classes.
func (b *bench) idx(dir string, n int) {
	pix, labels := []byte{0, 0, 8, 3}, binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
	for _, d := range []int{n, 12, 12} {
		pix = binary.BigEndian.AppendUint32(pix, uint32(d))
	}
	for i := range n {
		for p := range 144 {
			pix = append(pix, byte([]int{20, 230, 230 * (p % 12 / 6)}[i%3]+(i*7+p*13)%20))
		}
		labels = append(labels, byte(i%3))
	}
	b.file(filepath.Join(dir, "train-images-idx3-ubyte"), pix)
	b.file(filepath.Join(dir, "train-labels-idx1-ubyte"), labels)
}

// file writes a file and returns its path; a relative one lies in the bench's folder.
func (b *bench) file(name string, data []byte) string {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.dir, name)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		panic(err) // the folder is this program's own
	}
	return path
}

func (b *bench) read(path string) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return data
}

// picture is a small PNG of one grey.
func picture(grey uint8) []byte {
	im := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		im.Set(i%16, i/16, color.Gray{grey})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, im); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// out is a new run's folder, which is not there yet.
func (b *bench) out() string {
	b.runs++
	return filepath.Join(b.dir, fmt.Sprintf("run %d", b.runs))
}

// train is the command line of a small run.
func (b *bench) train(data, out string, more ...string) []string {
	return append([]string{"train", "data=" + data, "out=" + out, "net=cnn-small", "width=0.25", "units=8", "device=ref", "epochs=3", "batch=8",
		"val=0.2", "lr=0.01"}, more...)
}

// gleaner runs the program.
func gleaner(args ...string) (code int, stderr string, err error) {
	return execute("bin/gleaner", args...)
}

func execute(program string, args ...string) (code int, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	return cmd.ProcessState.ExitCode(), errs.String(), cmp.Or(ctx.Err(), err)
}

// refused is a command line that must fail as bad input, with one line that holds every one of want.
func refused(name string, want []string, args ...string) test {
	return test{name, func() error { return ends(badInput, 0, want, args...) }}
}

// ends runs a command line that must end with that exit code and one line of error with every one of want, behind at most so
// many lines of other notes.
func ends(code, notes int, want []string, args ...string) error {
	is, errs, err := gleaner(args...)
	if err != nil {
		return err
	}
	return told(is, errs, code, notes, want)
}

func told(is int, errs string, code, notes int, want []string) error {
	lines := strings.Split(strings.TrimRight(errs, "\n"), "\n")
	last := lines[len(lines)-1]
	switch {
	case is != code:
		return fmt.Errorf("exit code %d: %s", is, errs)
	case len(lines) > notes+1 || strings.Count(errs, "gleaner: ") != 1 || !strings.HasPrefix(last, "gleaner: "):
		return fmt.Errorf("%d lines: %s", len(lines), errs)
	case strings.Contains(errs, "goroutine ") || strings.Contains(errs, "panic"):
		return fmt.Errorf("a stack trace: %s", errs)
	}
	for _, w := range want {
		if !strings.Contains(last, w) {
			return fmt.Errorf("%q is not in %s", w, last)
		}
	}
	return nil
}
