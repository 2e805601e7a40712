package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// trained is what a limited run did.
type trained struct {
	by            string // what limited it
	anon          int64  // the most anonymous memory that it was seen to have, bytes
	steps, wanted int
	seconds       float64
}

func (t trained) String() string {
	return fmt.Sprintf("%d steps over %d pictures in %.0f s, limited by %s: %d MB of anonymous memory at most", t.steps, pictures, t.seconds, t.by, t.anon/1e6)
}

const batch = 128

// trainWithin trains an epoch in a process that may have the limit, with the options that a user has who gives none for memory.
func trainWithin(set, dir string) (t trained, err error) {
	out := filepath.Join(dir, "run")
	args := []string{"train", "data=" + set, "out=" + out, "net=cnn-small", "epochs=1", fmt.Sprintf("batch=%d", batch), "scan=off", "overfit=off"}
	t.wanted = pictures * 9 / 10 / batch // a tenth validates
	group, by := limitGroup()
	t.by = by
	if group != "" {
		defer os.Remove(group)
	}
	c := exec.Command("bash", append([]string{"-c", `[ -z "$GROUP" ] || echo $$ >"$GROUP/cgroup.procs" || exit 9; exec bin/gleaner "$@"`, "bash"}, args...)...)
	c.Env = append(os.Environ(), "GROUP="+group)
	if group == "" {
		c.Env = append(c.Env, fmt.Sprintf("GOMEMLIMIT=%d", limit*8/10))
	}
	var errs bytes.Buffer
	c.Stdout, c.Stderr = os.Stdout, &errs
	began := time.Now()
	if err := c.Start(); err != nil {
		return t, err
	}
	over := make(chan error, 1)
	go func() { over <- c.Wait() }()
	for done := false; !done; {
		select {
		case err = <-over:
			done = true
		case <-time.After(100 * time.Millisecond):
			t.anon = max(t.anon, anonymous(c.Process.Pid))
			if t.anon > limit {
				return t, errors.Join(fmt.Errorf("%d MB of anonymous memory", t.anon/1e6), c.Process.Kill(), <-over)
			}
		}
	}
	t.seconds = time.Since(began).Seconds()
	if err != nil {
		return t, fmt.Errorf("limited by %s, %d MB of anonymous memory at last: %w: %s", by, t.anon/1e6, err, errs.String())
	}
	t.steps, err = steps(filepath.Join(out, "log.csv"))
	return t, err
}

// limitGroup makes a control group with the limit and says what it is. Where that may not be done the process is only watched.
func limitGroup() (path, by string) {
	name := fmt.Sprintf("gleaner-prove-%d", os.Getpid())
	for _, g := range []struct{ dir, file, by string }{
		{"/sys/fs/cgroup", "memory.max", "a control group (memory.max)"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "a control group (memory.limit_in_bytes)"},
	} {
		path := filepath.Join(g.dir, name)
		if os.Mkdir(path, 0o755) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(path, g.file)); err == nil {
			if err := os.WriteFile(filepath.Join(path, g.file), []byte(strconv.Itoa(limit)), 0o644); err == nil {
				return path, g.by
			}
		}
		os.Remove(path)
	}
	return "", "GOMEMLIMIT and a look every 100 ms, since no control group can be made here"
}

// anonymous is a process's anonymous memory in bytes, 0 if it is gone.
func anonymous(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb * 1024
		}
	}
	return 0
}

// steps reads how many steps a run's log tells of.
func steps(log string) (n int, err error) {
	b, err := os.ReadFile(log)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i, name := range strings.Split(lines[0], ",") {
		if name == "step" || name == "steps" {
			return strconv.Atoi(strings.Split(lines[len(lines)-1], ",")[i])
		}
	}
	return 0, fmt.Errorf("%s has no column of steps: %s", log, lines[0])
}
