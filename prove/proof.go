package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// proof is one program or script.
type proof struct {
	name string
	argv []string
}

// result is a proof's row of the table.
type result struct {
	figure, bar  string
	pass         bool
	date, commit string
}

func (r result) word() string {
	if r.pass {
		return "PASS"
	}
	return "FAIL"
}

// find lists the proofs below dir in the order of their names, those that a prefix selects, or all when there is none.
// A prefix that selects nothing is an error.
func find(dir string, prefixes []string) ([]proof, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("find proofs: %w", err)
	}
	var all []proof
	for _, e := range entries {
		if p, ok := asProof(dir, e); ok {
			all = append(all, p)
		}
	}
	if len(prefixes) == 0 {
		return all, nil
	}
	for _, prefix := range prefixes {
		if !slices.ContainsFunc(all, func(p proof) bool { return strings.HasPrefix(p.name, prefix) }) {
			return nil, fmt.Errorf("no proof in %s has a name that begins with %q", dir, prefix)
		}
	}
	return slices.DeleteFunc(all, func(p proof) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(p.name, prefix) })
	}), nil
}

// asProof tells whether a directory entry is a proof: its name begins with a digit, and it is a script or a folder with Go
// files.
func asProof(dir string, e os.DirEntry) (proof, bool) {
	name := e.Name()
	if name[0] < '0' || name[0] > '9' {
		return proof{}, false
	}
	if script, ok := strings.CutSuffix(name, ".sh"); ok && !e.IsDir() {
		return proof{script, []string{"bash", filepath.Join(dir, name)}}, true
	}
	if files, _ := filepath.Glob(filepath.Join(dir, name, "*.go")); e.IsDir() && len(files) > 0 {
		return proof{name, []string{"go", "run", "./" + filepath.ToSlash(filepath.Join(dir, name))}}, true
	}
	return proof{}, false
}

// run runs a proof to its end and shows what it prints on w. When ctx ends, the proof gets SIGTERM with all that it
// started, and five seconds to tidy up.
func (p proof) run(ctx context.Context, w io.Writer) result {
	var last lastLine
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Stdout = io.MultiWriter(w, &last)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	r, ok := parseFigure(last.String())
	switch {
	case !ok:
		r.figure = "none: it ended without a FIGURE line"
		if err != nil {
			r.figure += ", " + err.Error()
		}
	case r.pass && err != nil:
		r.pass = false
		r.figure += fmt.Sprintf(" (said PASS, but: %v)", err)
	case !r.pass && err == nil:
		err = errors.New("said FAIL and exited with 0")
		r.figure += " (" + err.Error() + ")"
	}
	return r
}

// parseFigure reads the line that a proof prints last: FIGURE … BAR … PASS or FAIL.
func parseFigure(line string) (r result, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "FIGURE ")
	if !ok {
		return result{}, false
	}
	i, j := strings.LastIndex(rest, " BAR "), strings.LastIndexByte(rest, ' ')
	if i < 0 || j < i+len(" BAR ") {
		return result{}, false
	}
	word := rest[j+1:]
	if word != "PASS" && word != "FAIL" {
		return result{}, false
	}
	return result{
		figure: strings.TrimSpace(rest[:i]),
		bar:    strings.TrimSpace(rest[i+len(" BAR ") : j]),
		pass:   word == "PASS",
	}, true
}

// lastLine keeps the last line that was written to it and is not blank.
type lastLine struct {
	done, open []byte
}

func (l *lastLine) Write(b []byte) (int, error) {
	l.open = append(l.open, b...)
	for {
		i := bytes.IndexByte(l.open, '\n')
		if i < 0 {
			return len(b), nil
		}
		l.keep(l.open[:i])
		l.open = append(l.open[:0], l.open[i+1:]...)
	}
}

func (l *lastLine) keep(line []byte) {
	if len(bytes.TrimSpace(line)) > 0 {
		l.done = append(l.done[:0], line...)
	}
}

func (l *lastLine) String() string {
	l.keep(l.open)
	return string(l.done)
}
