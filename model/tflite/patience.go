//go:build cgo && !nonative

package tflite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A child's limit is on what it spends, not on the clock: on a machine whose processors are taken, a sound file's child
// waits for its turn as long as others compute.
const (
	glance = 50 * time.Millisecond // between two looks at a child
	// patienceTimes is how many times its limit a child may take on the clock, all waiting included.
	patienceTimes = 12
	// clockTick is the unit of the times in /proc/PID/stat, USER_HZ, which is 100 per second on all that Go runs on: proc(5).
	clockTick = 10 * time.Millisecond
)

// busyError says that a child was given up although it spent less than its limit, because others had the processors.
type busyError struct{ got, within time.Duration }

func (e *busyError) Error() string {
	return fmt.Sprintf("gave no answer within %v, of which it got the processor for %v", e.within, e.got)
}

// state is what a look at a child tells.
type state struct {
	cpu time.Duration // processor time of all its threads so far
	// waits: a thread waits for a processor or a disk, or has one. A child none of whose threads does hangs, or waits for a device.
	waits bool
	ended bool // it is a zombie, and who still holds its pipe is no child of this process
}

// patience counts what a child spends of its limit.
type patience struct {
	limit   time.Duration
	threads int  // that compute at once, so that the limit is one on each
	plugin  bool // which may hang without computing; what a file may do is compute
	clock   time.Duration
	idle    time.Duration // on the clock, neither computing nor waiting for its turn
	cpu     time.Duration
}

// spend adds a look at a child, elapsed after the one before. The error ends the sentence "it".
func (p *patience) spend(elapsed time.Duration, s state) error {
	p.clock += elapsed
	// A look that comes late says that this process waits for its turn too: how the child spent the time between is not known.
	if computed := s.cpu - p.cpu; !s.waits && computed < elapsed/8 && (p.plugin || s.ended) {
		p.idle += min(elapsed, 2*glance)
	}
	p.cpu = max(p.cpu, s.cpu)
	cpu := p.cpu / time.Duration(max(p.threads, 1))
	switch {
	case p.idle+cpu >= p.limit && p.idle > cpu:
		return fmt.Errorf("gave no answer within %v", p.limit)
	case p.idle+cpu >= p.limit:
		return fmt.Errorf("gave no answer within %v of processor time", p.limit)
	case p.clock >= patienceTimes*p.limit:
		return &busyError{p.cpu, patienceTimes * p.limit}
	}
	return nil
}

// watch looks at a child until done is closed, and gives up on it when its limit is spent: the error is sent, or nil.
func (p patience) watch(pid int, done <-chan struct{}, giveUp func()) <-chan error {
	gone := make(chan error, 1)
	go func() {
		t := time.NewTicker(glance)
		defer t.Stop()
		last := time.Now()
		for {
			select {
			case <-done:
				gone <- nil
				return
			case <-t.C:
				now := time.Now() // a tick may have lain there for long
				if err := p.spend(now.Sub(last), look(pid)); err != nil {
					gone <- err
					giveUp()
					return
				}
				last = now
			}
		}
	}()
	return gone
}

// look reads a process's state. One that cannot be looked at counts by the clock.
func look(pid int) state {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/stat")
	letter, cpu, ok := parseStat(b)
	if err != nil || !ok {
		return state{ended: true}
	}
	s := state{cpu: cpu, waits: strings.Contains("RD", letter), ended: letter == "Z" || letter == "X"}
	threads, _ := filepath.Glob(dir + "/task/*/stat") // the pattern is sound
	for _, path := range threads {
		b, _ := os.ReadFile(path) // a thread that is gone waits for nothing
		if letter, _, ok := parseStat(b); ok && strings.Contains("RD", letter) {
			s.waits, s.ended = true, false
		}
	}
	return s
}

// parseStat takes the state's letter and the processor time, user and system, out of the text of /proc/PID/stat: proc(5). The
// program's name, in parentheses, may hold any byte.
func parseStat(b []byte) (letter string, cpu time.Duration, ok bool) {
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return "", 0, false
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return f[0], time.Duration(user+system) * clockTick, err == nil && err2 == nil
}
