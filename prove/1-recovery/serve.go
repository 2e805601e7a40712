package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"gleaner/capture/capturetest"
)

// kinds are the streams that are lost, each behind a gate of its own.
var kinds = []string{"rtsp", "http"}

// sizes are what a camera comes back at, in turn.
var sizes = []capturetest.StreamOptions{{W: 640, H: 480, FPS: 25}, {W: 480, H: 352, FPS: 25}}

// serve runs the servers and gates. It writes each gate's address, then obeys lines such as "fault rtsp 3" and "pass http
// 1", and answers each with "ok" or the error. It ends with its input.
func serve(in io.Reader, out io.Writer) error {
	gates, backends := map[string]*capturetest.Gate{}, map[string][]string{}
	for _, kind := range kinds {
		for _, o := range sizes {
			addr, stop, err := startStream(kind, o)
			if err != nil {
				return err
			}
			defer stop()
			backends[kind] = append(backends[kind], addr)
		}
		gate, err := capturetest.NewGate(backends[kind][0])
		if err != nil {
			return err
		}
		defer gate.Close()
		gates[kind] = gate
		fmt.Fprintln(out, gate.Addr())
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var verb, kind string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &verb, &kind, &n); err != nil {
			return fmt.Errorf("order %q: %w", lines.Text(), err)
		}
		var err error
		if verb == "fault" {
			capturetest.Faults()[n].Begin(gates[kind])
		} else {
			err = gates[kind].Pass(backends[kind][n])
		}
		if err != nil {
			fmt.Fprintln(out, err)
			continue
		}
		fmt.Fprintln(out, "ok")
	}
	return nil
}

// startStream starts one server: H.264 over RTSP if the ffmpeg program is there to make it, else MJPEG.
func startStream(kind string, o capturetest.StreamOptions) (addr string, stop func() error, err error) {
	if kind == "http" {
		s, err := capturetest.NewHTTPServer(o)
		if err != nil {
			return "", nil, err
		}
		return s.Addr(), s.Close, nil
	}
	stream, ok, err := capturetest.Encode(o.W, o.H, o.FPS, 100)
	if err != nil {
		return "", nil, err
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "ffmpeg is not installed: RTSP carries MJPEG, not H.264")
	}
	o.H264 = stream
	s, err := capturetest.NewRTSPServer(o)
	if err != nil {
		return "", nil, err
	}
	return s.Addr(), s.Close, nil
}

// server is the process that serves.
type server struct {
	addr map[string]string // by kind
	mu   sync.Mutex        // one order at a time
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func startServer() (*server, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(exe, "-serve"), addr: map[string]string{}}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the servers: %w", err)
	}
	for _, kind := range kinds {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start the servers: %w", err), s.close())
		}
		s.addr[kind] = strings.TrimSpace(line)
	}
	return s, nil
}

// ask sends an order and waits until it is done.
func (s *server) ask(verb, kind string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.in, verb, kind, n); err != nil {
		return fmt.Errorf("tell the servers: %w", err)
	}
	line, err := s.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("hear the servers: %w", err)
	}
	if line = strings.TrimSpace(line); line != "ok" {
		return errors.New("the servers say: " + line)
	}
	return nil
}

func (s *server) close() error {
	_ = s.in.Close() // its end is the order to stop
	return s.cmd.Wait()
}
