// Package cases is what the proofs on bad input have in common: named cases that are tried in turn, a run of the program, and what
// makes its answer one clear line.
package cases

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gleaner/prove/internal/proof"
)

// The exit codes that a case may want.
const (
	Failed   = 1 // on the way
	BadInput = 2 // because of what was given
)

// patient bounds one run of a program.
const patient = 2 * time.Minute

// Case is one case; nil is right.
type Case struct {
	Name string
	Try  func() error
}

// Main tries all cases that prepare gives, which may use the folder dir, prints what came of each, and the figure.
func Main(bar string, prepare func(dir string) ([]Case, error)) {
	proof.Main(bar, func(_ context.Context, dir string) (string, error) {
		all, err := prepare(dir)
		if err != nil {
			return "", err
		}
		right := 0
		for _, c := range all {
			what := "ok"
			if err := c.Try(); err != nil {
				what = "WRONG: " + err.Error()
			} else {
				right++
			}
			fmt.Printf("%-52s %s\n", c.Name, what)
		}
		figure := fmt.Sprintf("%d of %d cases right", right, len(all))
		if right < len(all) {
			return figure, proof.ErrShort
		}
		return figure, nil
	})
}

// Files is the folder of a proof, whose own it is: what fails in it panics.
type Files struct{ Dir string }

// Path is where a file of the folder lies; an absolute name is itself.
func (f Files) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.Dir, name)
}

// File writes a file and returns its path.
func (f Files) File(name string, data []byte) string {
	path := f.Path(name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		panic(err)
	}
	return path
}

// Read is what a file holds.
func (f Files) Read(name string) []byte {
	data, err := os.ReadFile(f.Path(name))
	if err != nil {
		panic(err)
	}
	return data
}

// Gleaner runs the program. err says that it could not be run to its end.
func Gleaner(args ...string) (code int, stderr string, err error) {
	code, _, stderr, err = Execute("bin/gleaner", args...)
	return code, stderr, err
}

// Execute runs a program.
func Execute(program string, args ...string) (code int, stdout, stderr string, err error) {
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

// Refused is a command line that must fail as bad input, with one line that holds every one of want.
func Refused(name string, want []string, args ...string) Case {
	return Case{name, func() error {
		code, errs, err := Gleaner(args...)
		return errors.Join(err, Told(code, errs, BadInput, 0, want))
	}}
}

// Told tells whether a run of the program ended with that exit code and one line of error that holds every one of want, behind at most
// so many lines of other notes.
func Told(is int, errs string, code, notes int, want []string) error {
	lines := strings.Split(strings.TrimRight(errs, "\n"), "\n")
	last := lines[len(lines)-1]
	switch {
	case strings.Contains(errs, "goroutine ") || strings.Contains(errs, "panic"):
		return fmt.Errorf("a stack trace: %s", errs)
	case is != code:
		return fmt.Errorf("exit code %d: %s", is, errs)
	case len(lines) > notes+1 || strings.Count("\n"+errs, "\ngleaner: ") != 1 || !strings.HasPrefix(last, "gleaner: "):
		return fmt.Errorf("%d lines: %s", len(lines), errs)
	}
	for _, w := range want {
		if !strings.Contains(last, w) {
			return fmt.Errorf("%q is not in %s", w, last)
		}
	}
	return nil
}
