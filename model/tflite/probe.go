//go:build cgo && !nonative

package tflite

// #include "glue.h"
import "C"

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// probeEnv marks a process as a probe child; its value is the file descriptor of the report.
const probeEnv = "GLEANER_TFLITE_PROBE"

// maxFileMemory is what a file that nobody vouches for may make TensorFlow Lite allocate, in bytes: a damaged shape asks
// for any amount, and the machine's last memory is other programs' too.
const maxFileMemory = 4 << 30

// probeable says that this program's main calls ProbeChild, so that running the program once more is a trial and not
// a second daemon. It is the one thing here that belongs to the process and not to a Runner.
var probeable atomic.Bool

func canProbe() bool { return probeable.Load() }

// ProbeChild is the first thing that a program with networks calls in main (or a test in TestMain): plug-ins, and files
// that nobody vouches for, are tried in a child process, which is the program itself. It reports true when this
// process is such a child and has done its work, and main is to return.
func ProbeChild() bool {
	if os.Getenv(probeEnv) == "" {
		probeable.Store(true)
		return false
	}
	report := os.NewFile(3, "report")
	if report == nil {
		return true
	}
	defer report.Close()
	syscall.CloseOnExec(3)
	C.gl_die_plainly()
	var q question
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		return true
	}
	if q.External == nil {
		C.gl_limit(maxFileMemory)
	}
	a := q.answer(func(stage string) { fmt.Fprintln(report, stage) })
	_ = json.NewEncoder(report).Encode(a) // a parent that is gone needs no answer
	return true
}

// question is what a child is to try: a plug-in on a model, a plug-in alone, or a model alone.
type question struct {
	Path     string    `json:"path,omitempty"`
	External *External `json:"external,omitempty"`
	Options  Options   `json:"options"`
}

// answer is what became of it.
type answer struct {
	Reason  string `json:"reason,omitempty"` // why it does not work; empty: it does
	XNNPACK bool   `json:"xnnpack"`          // behind the plug-in
	Flags   uint32 `json:"flags"`
}

// answer tries, in the child.
func (q question) answer(stage func(string)) answer {
	c := &checked{path: q.Path}
	switch {
	case q.Path == "":
		d, err := newExternal(*q.External, stage)
		if err != nil {
			return answer{Reason: err.Error()}
		}
		d.Delete()
		return answer{}
	case q.External == nil:
		return q.any(c, steps(q.Options), stage)
	}
	return q.any(c, step{external: q.External}.behind(q.Options), stage)
}

// any tries steps until one works; the reason is the first one's, unless a plug-in was not to blame.
func (q question) any(c *checked, steps []step, stage func(string)) answer {
	var a answer
	for _, s := range steps {
		r, err := build(c, s, q.Options.Threads, stage)
		if err == nil {
			defer r.Close()
			if n := len(r.delegates); n > 0 && r.delegates[n-1].claimed().n == 0 {
				return answer{} // XNNPACK stands behind the plug-in in vain
			}
			return answer{XNNPACK: s.xnnpack, Flags: s.flags}
		}
		a.Reason = err.Error()
		if s.external != nil && errors.Is(err, errNoClaim) {
			return a
		}
	}
	return a
}

// tryPlugin asks a child whether a plug-in works with a network, and gives the step with what may stand behind it.
func tryPlugin(c *checked, s step, o Options) (step, error) {
	if !canProbe() {
		return s, errUnsafe
	}
	a, err := ask(question{Path: c.path, External: s.external, Options: o})
	if err != nil {
		return s, err
	}
	if a.Reason != "" {
		return s, errors.New(a.Reason)
	}
	s.xnnpack, s.flags = a.XNNPACK, a.Flags
	return s, nil
}

// probePlugin asks a child whether a plug-in makes a delegate.
func probePlugin(e External, o Options) error {
	if !canProbe() {
		return errUnsafe
	}
	a, err := ask(question{External: &e, Options: Options{ProbeTimeout: o.ProbeTimeout}})
	if err == nil && a.Reason != "" {
		err = errors.New(a.Reason)
	}
	return err
}

// tryFile lets a child take the first fall with a file. That no rung works is not for it to say: the parent will find the
// same, and words for it.
func tryFile(c *checked, o Options) error {
	o.Delegates = nil
	if _, err := ask(question{Path: c.path, Options: o}); err != nil {
		hint := "the file is probably damaged"
		if busy := (*busyError)(nil); errors.As(err, &busy) {
			hint = "the machine is too busy: once it has less to do, try again"
		}
		return &Error{Path: c.path, What: "cannot be run: it " + err.Error(), Hint: hint, Err: err}
	}
	return nil
}

// ask runs a child. The error says how it ended if it gave no answer.
func ask(q question) (answer, error) {
	in, err := json.Marshal(q)
	if err != nil {
		return answer{}, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return answer{}, fmt.Errorf("could not be tried: %w", err)
	}
	defer read.Close()
	// The image that runs, even if an upgrade has replaced the file meanwhile: see proc(5).
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{os.Args[0], "tflite-probe"}
	cmd.Env = append(os.Environ(), probeEnv+"=3")
	cmd.Stdin = bytes.NewReader(in)
	cmd.ExtraFiles = []*os.File{write}
	cmd.WaitDelay = time.Second
	// The child dies with this process. The kernel counts the thread as the parent, so it must stay: see prctl(2).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return answer{}, fmt.Errorf("could not be tried: %w", err)
	}
	p := patience{limit: q.Options.ProbeTimeout, threads: q.Options.Threads, plugin: q.External != nil}
	done := make(chan struct{})
	gone := p.watch(cmd.Process.Pid, done, func() {
		_ = cmd.Process.Kill()
		_ = read.SetReadDeadline(time.Now()) // what the child started may hold the pipe open after it
	})
	a, stage, answered := listen(read)
	close(done)
	late := <-gone
	if answered {
		_ = cmd.Process.Kill() // what it needed to close is closed, and exit handlers of plug-ins may hang
	}
	err = cmd.Wait()
	switch {
	case answered:
		return a, nil
	case late != nil:
		return a, fmt.Errorf("%w while %s", late, stage)
	case err != nil:
		return a, fmt.Errorf("%s while %s: %s", ending(err), stage, strings.TrimSuffix(err.Error(), " (core dumped)"))
	}
	return a, fmt.Errorf("ended the process while %s", stage)
}

// listen reads the stages that a child reports, one a line, up to its answer, or up to the end of it.
func listen(r io.Reader) (a answer, stage string, answered bool) {
	stage = stageStarting
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line := lines.Bytes(); len(line) == 0 || line[0] != '{' {
			stage = string(line)
			continue
		}
		return a, stage, json.Unmarshal(lines.Bytes(), &a) == nil
	}
	return a, stage, false
}

// ending tells a crash from a plug-in that calls exit.
func ending(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return "crashed"
		}
	}
	return "ended the process"
}
