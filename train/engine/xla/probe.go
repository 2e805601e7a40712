package xla

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// probeEnv makes a process a child that opens the plug-in, says which devices there are, and ends. Its value is the plug-in's path.
const probeEnv = "GLEANER_XLA_PROBE"

// probeable says that this program's main calls ProbeChild, so that running the program once more is a trial and not a second run.
var probeable atomic.Bool

// ProbeChild is called at the beginning of main by programs that probe: in a child of Probe it does not return.
func ProbeChild() {
	path, child := os.LookupEnv(probeEnv)
	if !child {
		probeable.Store(true)
		return
	}
	list, err := Devices(Options{Plugin: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, oneLine(err))
		os.Exit(1)
	}
	for _, d := range list {
		fmt.Println(d.Name)
	}
	os.Exit(0)
}

// Probe opens the plug-in in a child process, since a plug-in may crash the process that loads it, and gives the devices. The
// error is one line that says what is missing and how to get it. What a crashed child printed last is in it.
func Probe(ctx context.Context, path string) ([]Device, error) {
	p, err := Find(path)
	if err != nil {
		return nil, err
	}
	if !probeable.Load() {
		return nil, errors.New("this program cannot try a plug-in: its main does not call xla.ProbeChild")
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("try the plug-in: %w", err)
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, exe)
	c.Args = []string{os.Args[0], "xla-probe"}
	c.Env = append(os.Environ(), probeEnv+"="+p.Path, "TF_CPP_MIN_LOG_LEVEL=2")
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		said := strings.TrimSpace(errs.String())
		if said == "" {
			said = err.Error()
		}
		return nil, fmt.Errorf("%s", said[strings.LastIndexByte(said, '\n')+1:])
	}
	var list []Device
	for line := range strings.Lines(out.String()) {
		list = append(list, Device{strings.TrimSpace(line)})
	}
	if len(list) == 0 {
		return nil, errors.New("the plug-in names no device")
	}
	return list, nil
}

// oneLine is an error without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
