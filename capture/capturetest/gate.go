package capturetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Gate is a TCP proxy on a fixed address, which does to a server's connections what networks and cameras do: cut them,
// refuse them, or let them go silent. Its methods may be called from any goroutine.
type Gate struct {
	addr string

	mu      sync.Mutex
	cond    *sync.Cond
	ln      net.Listener
	backend string
	mode    mode
	conns   map[*gated]struct{}
	closed  bool
	wg      sync.WaitGroup
}

type mode int

const (
	pass    mode = iota // forward
	hole                // accept, read nothing, answer nothing
	swallow             // accept, read all, answer nothing
)

// gated is one client's connection. Once dead it never forwards again, whatever the gate does.
type gated struct {
	client, server net.Conn // server is nil for one that was born dead
	dead           bool     // guarded by Gate.mu
}

// NewGate listens on a free port of 127.0.0.1 and forwards to backend.
func NewGate(backend string) (*Gate, error) {
	g := &Gate{backend: backend, conns: map[*gated]struct{}{}, addr: "127.0.0.1:0"}
	g.cond = sync.NewCond(&g.mu)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g, g.listen()
}

// Addr is host:port, the same for the gate's whole life.
func (g *Gate) Addr() string { return g.addr }

func (g *Gate) listen() error {
	ln, err := net.Listen("tcp", g.addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	g.ln, g.addr = ln, ln.Addr().String()
	g.wg.Go(func() { g.accept(ln) })
	return nil
}

func (g *Gate) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		if g.closed || g.ln != ln {
			g.mu.Unlock()
			_ = c.Close()
			continue
		}
		k := &gated{client: c, dead: g.mode != pass}
		g.conns[k] = struct{}{}
		backend := g.backend
		g.wg.Go(func() { g.serve(k, backend) })
		g.mu.Unlock()
	}
}

func (g *Gate) serve(k *gated, backend string) {
	defer g.drop(k)
	if !g.isDead(k) {
		s, err := net.DialTimeout("tcp", backend, 5*time.Second)
		if err != nil {
			return
		}
		g.mu.Lock()
		k.server = s
		gone := g.closed
		if _, there := g.conns[k]; !there {
			gone = true
		}
		g.mu.Unlock()
		if gone {
			_ = s.Close()
			return
		}
		g.wg.Go(func() { g.answer(k) })
	}
	buf := make([]byte, 32<<10)
	for {
		g.mu.Lock()
		for g.mode == hole && !g.closed {
			if _, there := g.conns[k]; !there {
				break
			}
			g.cond.Wait()
		}
		g.mu.Unlock()
		n, err := k.client.Read(buf)
		if err != nil {
			return
		}
		if g.isDead(k) {
			continue
		}
		if _, err := k.server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answer forwards from the server, until the connection is dead.
func (g *Gate) answer(k *gated) {
	buf := make([]byte, 32<<10)
	for {
		n, err := k.server.Read(buf)
		if g.isDead(k) {
			_ = k.server.Close()
			return
		}
		if n > 0 {
			if _, werr := k.client.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			_ = k.server.Close()
			_ = k.client.Close()
			return
		}
	}
}

func (g *Gate) isDead(k *gated) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return k.dead
}

func (g *Gate) drop(k *gated) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, k)
	_ = k.client.Close()
	if k.server != nil {
		_ = k.server.Close()
	}
}

// silence makes every connection dead and lets new ones be so from the start.
func (g *Gate) silence(m mode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = m
	for k := range g.conns {
		k.dead = true
	}
	g.cond.Broadcast()
}

// Hole makes a black hole: connections are accepted, but nothing is read and nothing answered.
func (g *Gate) Hole() { g.silence(hole) }

// Swallow reads all that clients send and answers nothing.
func (g *Gate) Swallow() { g.silence(swallow) }

// Refuse cuts all connections and refuses new ones.
func (g *Gate) Refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ln != nil {
		_ = g.ln.Close()
		g.ln = nil
	}
	g.cut()
}

func (g *Gate) cut() {
	for k := range g.conns {
		delete(g.conns, k)
		_ = k.client.Close()
		if k.server != nil {
			_ = k.server.Close()
		}
	}
	g.cond.Broadcast()
}

// Cut closes all connections; new ones are served.
func (g *Gate) Cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cut()
}

// Pass forwards new connections to backend. Those that went silent stay silent: their peer must notice by itself.
func (g *Gate) Pass(backend string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New("gate is closed")
	}
	g.mode, g.backend = pass, backend
	g.cond.Broadcast()
	if g.ln == nil {
		return g.listen()
	}
	return nil
}

// Conns is how many clients are connected.
func (g *Gate) Conns() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// Close ends everything and waits for it.
func (g *Gate) Close() error {
	g.mu.Lock()
	g.closed = true
	if g.ln != nil {
		_ = g.ln.Close()
		g.ln = nil
	}
	g.cut()
	g.mu.Unlock()
	g.wg.Wait()
	return nil
}

var _ io.Closer = (*Gate)(nil)
