// Command 1-shutdown proves that the daemon stops within 10 seconds of SIGTERM, with exit code 0, in each state it can be
// in: sorting, before sources that fell silent, without its camera, without its broker, while its bundle is switched; and
// that a second signal ends it at once.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	limit = 10 * time.Second
	bar   = "every state at most 10.0 s, exit code 0"
)

// state is a way to start the daemon and what to do before it is stopped.
type state struct {
	name  string
	args  []string
	while func(store string) error // nil: nothing
	again bool                     // a second signal after half a second, which may kill
}

func main() {
	if err := run(); err != nil {
		fmt.Printf("FIGURE %v BAR %s FAIL\n", err, bar)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "shutdown")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store := filepath.Join(dir, "models")
	if out, err := exec.Command("bin/gleaner", "models", "pull", "garments", "ssd-oidv4", "--set", "models.dir="+store).CombinedOutput(); err != nil {
		return fmt.Errorf("pull models: %w: %s", err, out)
	}
	hole, stop, err := blackHole()
	if err != nil {
		return err
	}
	defer stop()
	camera := func(source string, more ...string) []string {
		args := []string{"run", "--set", "cameras[0].name=a", "--set", "cameras[0].source='" + source + "'"}
		for _, m := range more {
			args = append(args, "--set", m)
		}
		return args
	}
	classify := "cameras[0].classify.models=[garments]"
	states := []state{
		{name: "sorting the belt", args: camera("belt:", classify)},
		{name: "heavy load", args: camera("belt:", "cameras[0].detect.kind=ssd", "cameras[0].detect.model=ssd-oidv4",
			"cameras[0].detect.tiles.size=200", "cameras[0].detect.gate.on=false", classify)},
		{name: "RTSP source that is silent", args: camera("rtsp://" + hole + "/x")},
		{name: "HTTP source that is silent", args: camera("http://" + hole + "/x")},
		{name: "no camera", args: camera("v4l2:/dev/video99")},
		{name: "no broker", args: camera("belt:", classify, "mqtt.broker=mqtt://127.0.0.1:1")},
		{name: "silent broker", args: camera("belt:", classify, "mqtt.broker=mqtt://"+hole)},
		{name: "bundle being switched", args: camera("belt:", "cameras[0].classify.models=[current]"), while: switcher},
		{name: "second signal", args: camera("rtsp://" + hole + "/x"), again: true},
	}
	if out, err := exec.Command("bin/gleaner", "models", "use", "garments", "--set", "models.dir="+store).CombinedOutput(); err != nil {
		return fmt.Errorf("use: %w: %s", err, out)
	}
	worst, bad := time.Duration(0), 0
	for _, s := range states {
		took, err := s.try(store)
		fmt.Printf("%-28s %5.2f s  %v\n", s.name, took.Seconds(), said(err))
		worst = max(worst, took)
		if err != nil || took > limit {
			bad++
		}
	}
	fmt.Printf("FIGURE %d of %d states stop well, worst %.1f s BAR %s %s\n", len(states)-bad, len(states), worst.Seconds(), bar,
		map[bool]string{true: "PASS", false: "FAIL"}[bad == 0])
	if bad > 0 {
		os.Exit(1)
	}
	return nil
}

func said(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

// try starts the daemon, waits until it is in the state, and stops it.
func (s state) try(store string) (time.Duration, error) {
	args := append(s.args, "--set", "models.dir="+store, "--set", "web.listen=127.0.0.1:0", "--set", "mqtt.embedded.listen=127.0.0.1:0")
	c := exec.Command("bin/gleaner", args...)
	var log strings.Builder
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		return 0, err
	}
	time.Sleep(4 * time.Second)
	if s.while != nil {
		if err := s.while(store); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	_ = c.Process.Signal(syscall.SIGTERM)
	if s.again {
		time.Sleep(500 * time.Millisecond)
		began = time.Now()
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	kill := time.AfterFunc(3*limit, func() { _ = c.Process.Kill() })
	defer kill.Stop()
	err := c.Wait()
	took := time.Since(began)
	var exit *exec.ExitError
	switch {
	case s.again && took < time.Second: // by the signal, or because it was done by then
		return took, nil
	case errors.As(err, &exit):
		return took, fmt.Errorf("%w; it said: %s", err, lastLine(log.String()))
	}
	return took, err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// switcher has the bundle switched at the moment of the stop.
func switcher(store string) error {
	return exec.Command("bin/gleaner", "models", "use", "garments", "--set", "models.dir="+store).Run()
}

// blackHole takes connections and never says a word.
func blackHole() (addr string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	var held []net.Conn
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
		}
	}()
	return ln.Addr().String(), func() {
		ln.Close()
		<-done
		for _, c := range held {
			c.Close()
		}
	}, nil
}
