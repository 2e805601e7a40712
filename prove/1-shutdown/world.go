package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gleaner/capture/capturetest"
	"gleaner/daemon/mqtt"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
)

// world is what the daemon meets: a store with two versions of a classifier, cameras and brokers behind gates, and an
// address that swallows every packet.
type world struct {
	store *bundle.Store
	ids   [2]string     // the two versions
	birth time.Duration // how long the system takes to load the program

	silent           *capturetest.Gate // takes connections and never says a word
	full             string            // host:port whose queue of connections is full: the next ones hang
	rtsp, http       *capturetest.Gate // cameras that work
	refusing, frozen *capturetest.Gate // brokers that work

	closers []func() error
	stop    chan struct{} // of the switching; nil: none goes on
	wg      sync.WaitGroup
}

// Long because it is one server after the other, opened in a row.
func newWorld() (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	dir, err := os.MkdirTemp("", "shutdown")
	if err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() error { return os.RemoveAll(dir) })
	if err := w.install(filepath.Join(dir, "models")); err != nil {
		return w, err
	}
	began := time.Now()
	if err := exec.Command("bin/gleaner", "version").Run(); err != nil {
		return w, fmt.Errorf("gleaner version: %w", err)
	}
	w.birth = time.Since(began)
	gate := func(backend string) (*capturetest.Gate, error) {
		g, err := capturetest.NewGate(backend)
		if err == nil {
			w.closers = append(w.closers, g.Close)
		}
		return g, err
	}
	if w.silent, err = gate("127.0.0.1:1"); err != nil {
		return w, err
	}
	w.silent.Hole()
	if err := w.fill(); err != nil {
		return w, err
	}
	o := capturetest.StreamOptions{W: 640, H: 480, FPS: 25}
	rtsp, err := capturetest.NewRTSPServer(o)
	if err != nil {
		return w, err
	}
	w.closers = append(w.closers, rtsp.Close)
	if w.rtsp, err = gate(rtsp.Addr()); err != nil {
		return w, err
	}
	http, err := capturetest.NewHTTPServer(o)
	if err != nil {
		return w, err
	}
	w.closers = append(w.closers, http.Close)
	if w.http, err = gate(http.Addr()); err != nil {
		return w, err
	}
	broker, err := mqtt.StartBroker("127.0.0.1:0", "", "", slog.New(slog.DiscardHandler))
	if err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() error { return broker.Close() })
	if w.refusing, err = gate(broker.Addr()); err != nil {
		return w, err
	}
	w.frozen, err = gate(broker.Addr())
	return w, err
}

// install puts the detector and two versions of the classifier into a store.
func (w *world) install(dir string) error {
	if out, err := exec.Command("bin/gleaner", "models", "pull", "garments", "ssd-oidv4", "--set", "models.dir="+dir).CombinedOutput(); err != nil {
		return fmt.Errorf("pull models: %w: %s", err, out)
	}
	s, err := bundle.OpenStore(dir)
	if err != nil {
		return err
	}
	w.store = s
	e, err := catalogue.Find("garments")
	if err != nil {
		return err
	}
	m, files, err := catalogue.Build(context.Background(), e, "", catalogue.DefaultOptions(), nil)
	if err != nil {
		return err
	}
	for i := range w.ids {
		m.Name, m.Version = "switched", fmt.Sprint(i+1)
		if w.ids[i], err = s.Put(m, files); err != nil {
			return err
		}
	}
	_, err = s.Use(w.ids[0])
	return err
}

// fill makes an address whose packets are swallowed: Linux drops what asks for a connection when nobody accepts and the
// queue is full.
func (w *world) fill() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() error { return syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return err
	}
	w.full = fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 8 {
		c, err := net.DialTimeout("tcp", w.full, 300*time.Millisecond)
		if err != nil {
			return nil // full
		}
		w.closers = append(w.closers, c.Close)
	}
	return errors.New("the black hole lets everybody in")
}

// switchOn makes the other version the current one, again and again until switchOff, so that the daemon is always
// about to switch.
func (w *world) switchOn() {
	w.stop = make(chan struct{})
	w.wg.Go(func() {
		for i := 1; ; i++ {
			if _, err := w.store.Use(w.ids[i%2]); err != nil {
				fmt.Fprintln(os.Stderr, "switch:", err)
				return
			}
			select {
			case <-w.stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// switchOff ends what switchOn began, if it did.
func (w *world) switchOff() {
	if w.stop != nil {
		close(w.stop)
		w.wg.Wait()
		w.stop = nil
	}
}

func (w *world) close() error {
	w.switchOff()
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	return errors.Join(errs...)
}
