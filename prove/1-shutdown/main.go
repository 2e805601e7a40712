// Command 1-shutdown proves that the daemon stops within 10 seconds of SIGTERM, with exit code 0, in each state it can be
// in: sorting, before sources that are absent, black-holed or fell silent, one by one and all together, with a broker
// that is down or went away, while bundles are switched one after the other, and at several moments of its start; and
// that a second signal ends it at once. A signal that arrives while the system still loads the program's libraries ends
// the process by itself: that counts if not a word was said before.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	limit = 10 * time.Second
	bar   = "every state at most 10.0 s, exit code 0"
	// readyTime is how long the daemon may take until it is at work, and settled how long it works before it is stopped,
	// unless a state says otherwise.
	readyTime = 30 * time.Second
	settled   = 3 * time.Second
)

// state is a way to start the daemon and what to do before it is stopped.
type state struct {
	name  string
	args  []string
	wait  time.Duration  // with early: from the start to the signal
	while func(w *world) // begun once the wait is over; nil: nothing
	after time.Duration  // from while to the signal
	again bool           // a second signal after half a second, which may kill
	early bool           // the program may not have begun yet
}

func main() {
	pass, err := run()
	if err != nil {
		fmt.Printf("FIGURE %v BAR %s FAIL\n", err, bar)
	}
	if !pass {
		os.Exit(1)
	}
}

// cameras are the arguments of `gleaner run` with one camera for each source.
func cameras(sources []string, more ...string) []string {
	args := []string{"run"}
	for i, s := range sources {
		args = append(args, "--set", fmt.Sprintf("cameras[%d].name=c%d", i, i), "--set", fmt.Sprintf("cameras[%d].source='%s'", i, s))
	}
	for _, m := range more {
		args = append(args, "--set", m)
	}
	return args
}

func camera(source string, more ...string) []string { return cameras([]string{source}, more...) }

// states are all that is tried, on w's servers.
func states(w *world) []state {
	classify, current := "cameras[0].classify.models=[garments]", "cameras[0].classify.models=[current]"
	silent, full := w.silent.Addr(), w.full
	list := []state{
		{name: "sorting the belt", args: camera("belt:", classify)},
		{name: "heavy load", args: camera("belt:", "cameras[0].detect.kind=ssd", "cameras[0].detect.model=ssd-oidv4",
			"cameras[0].detect.tiles.size=200", "cameras[0].detect.gate.on=false", classify)},
		{name: "no camera", args: camera("v4l2:/dev/video99")},
		{name: "no clip", args: camera("/nowhere/clip.mp4")},
		{name: "RTSP source that is silent", args: camera("rtsp://" + silent + "/x")},
		{name: "HTTP source that is silent", args: camera("http://" + silent + "/x")},
		{name: "RTSP source, black-holed", args: camera("rtsp://" + full + "/x")},
		{name: "HTTP source, black-holed", args: camera("http://" + full + "/x")},
		{name: "RTSP stream that fell silent", args: camera("rtsp://" + w.rtsp.Addr() + "/x"), while: func(w *world) { w.rtsp.Hole() }, after: time.Second},
		{name: "HTTP stream that fell silent", args: camera("http://" + w.http.Addr() + "/x"), while: func(w *world) { w.http.Hole() }, after: time.Second},
		{name: "all sources together", args: cameras([]string{"belt:", "v4l2:/dev/video99", "/nowhere/clip.mp4", "rtsp://" + silent + "/x",
			"http://" + silent + "/x", "rtsp://" + full + "/x", "http://" + full + "/x"}, classify)},
		{name: "no broker", args: camera("belt:", classify, "mqtt.broker=mqtt://127.0.0.1:1")},
		{name: "silent broker", args: camera("belt:", classify, "mqtt.broker=mqtt://"+silent)},
		{name: "broker, black-holed", args: camera("belt:", classify, "mqtt.broker=mqtt://"+full)},
		{name: "broker that went down", args: camera("belt:", classify, "mqtt.broker=mqtt://"+w.refusing.Addr()),
			while: func(w *world) { w.refusing.Refuse() }, after: time.Second},
		{name: "broker that fell silent", args: camera("belt:", classify, "mqtt.broker=mqtt://"+w.frozen.Addr()),
			while: func(w *world) { w.frozen.Hole() }, after: time.Second},
		{name: "second signal", args: camera("rtsp://" + silent + "/x"), again: true},
	}
	// The daemon asks the store twice a second; a switch takes some tenths of one.
	for _, after := range []time.Duration{100, 400, 700, 1000} {
		after *= time.Millisecond
		list = append(list, state{name: fmt.Sprintf("switching bundles, %v", after), args: camera("belt:", current),
			while: func(w *world) { w.switchOn() }, after: after})
	}
	// Before and after the moment when the program takes over from the system's loader.
	for _, percent := range []time.Duration{0, 50, 80, 90, 100, 110, 120, 140, 170, 200, 300} {
		wait := w.birth * percent / 100
		list = append(list, state{name: fmt.Sprintf("starting, %v", wait.Round(time.Millisecond)), args: camera("belt:", classify), wait: wait, early: true})
	}
	return list
}

func run() (pass bool, err error) {
	w, err := newWorld()
	if err != nil {
		return false, err
	}
	defer w.close() //nolint:errcheck // what it leaves is in the temporary folder
	worst, bad, unborn := time.Duration(0), 0, 0
	list := states(w)
	for _, s := range list {
		took, born, err := s.try(w)
		verdict := "ok"
		switch {
		case err != nil:
			verdict = err.Error()
		case !born:
			verdict = "ok, by the signal itself: the program had not begun"
			unborn++
		}
		fmt.Printf("%-30s %5.2f s  %s\n", s.name, took.Seconds(), verdict)
		worst = max(worst, took)
		if err != nil || took > limit {
			bad++
		}
	}
	fmt.Printf("FIGURE %d of %d states stop well, worst %.1f s, %d before the program began BAR %s %s\n", len(list)-bad, len(list),
		worst.Seconds(), unborn, bar, map[bool]string{true: "PASS", false: "FAIL"}[bad == 0])
	return bad == 0, nil
}

// try starts the daemon, waits until it is in the state, and stops it. born is false when the signal came before the
// program could take it.
func (s state) try(w *world) (took time.Duration, born bool, err error) {
	args := append(s.args, "--set", "models.dir="+w.store.Dir(), "--set", "web.listen=127.0.0.1:0", "--set", "mqtt.embedded.listen=127.0.0.1:0")
	c := exec.Command("bin/gleaner", args...)
	log := &said{ready: make(chan struct{})}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return 0, false, err
	}
	kill := time.AfterFunc(readyTime+3*limit, func() { _ = c.Process.Kill() })
	defer kill.Stop()
	if s.early {
		time.Sleep(s.wait)
	} else {
		select {
		case <-log.ready:
			time.Sleep(settled)
		case <-time.After(readyTime):
			_ = c.Process.Kill()
			return 0, true, fmt.Errorf("not at work after %v: %w; it said: %s", readyTime, c.Wait(), log.last())
		}
	}
	if s.while != nil {
		s.while(w)
		defer w.switchOff()
		time.Sleep(s.after)
	}
	began := time.Now()
	_ = c.Process.Signal(syscall.SIGTERM)
	if s.again {
		time.Sleep(500 * time.Millisecond)
		began = time.Now()
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	err = c.Wait()
	took = time.Since(began)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return took, true, err
	}
	bySignal := exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM
	switch {
	case s.again && bySignal && took < time.Second: // the second signal; or it was done by then
		return took, true, nil
	case s.early && bySignal && log.last() == "":
		return took, false, nil
	}
	return took, true, fmt.Errorf("%w; it said: %s", err, log.last())
}

// said is what the daemon prints. ready is closed when it says that it is at work.
type said struct {
	mu    sync.Mutex
	text  []byte
	once  sync.Once
	ready chan struct{}
}

// Write implements io.Writer.
func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b...)
	if bytes.Contains(s.text, []byte("msg=ready")) {
		s.once.Do(func() { close(s.ready) })
	}
	return len(b), nil
}

// last is the last line.
func (s *said) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(s.text)), "\n")
	return lines[len(lines)-1]
}
