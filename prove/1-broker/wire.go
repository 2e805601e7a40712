package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// answers waits until somebody listens.
func answers(addr string) error {
	var err error
	for range 1000 {
		var c net.Conn
		if c, err = net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("mosquitto does not listen: %w", err)
}

// gate passes connections on to the broker while it is open; while it is shut, it hangs up at once.
type gate struct {
	ln net.Listener
	to string
	wg sync.WaitGroup

	mu     sync.Mutex
	opened bool
	conns  map[net.Conn]bool
}

func newGate(to string) (*gate, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{ln: ln, to: to, conns: map[net.Conn]bool{}}
	g.wg.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			g.admit(a)
		}
	})
	return g, nil
}

func (g *gate) admit(a net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.opened {
		a.Close()
		return
	}
	b, err := net.Dial("tcp", g.to)
	if err != nil {
		a.Close()
		return
	}
	g.conns[a], g.conns[b] = true, true
	g.wg.Go(func() { g.pass(a, b) })
	g.wg.Go(func() { g.pass(b, a) })
}

func (g *gate) pass(to, from net.Conn) {
	io.Copy(to, from) //nolint:errcheck // the end of a connection is what this is about
	to.Close()
	from.Close()
	g.mu.Lock()
	delete(g.conns, to)
	delete(g.conns, from)
	g.mu.Unlock()
}

func (g *gate) addr() string { return g.ln.Addr().String() }

func (g *gate) open() { g.mu.Lock(); g.opened = true; g.mu.Unlock() }

// shut lets nobody in any more; who is in stays until the broker dies.
func (g *gate) shut() { g.mu.Lock(); g.opened = false; g.mu.Unlock() }

func (g *gate) close() {
	g.ln.Close()
	g.shut()
	g.mu.Lock()
	for c := range g.conns {
		c.Close()
	}
	g.mu.Unlock()
	g.wg.Wait()
}

// inbox subscribes with QoS 0 and counts the records by id. It sends nothing after its subscription, so that a broker
// that dies leaves nothing unread and everything it had sent still arrives.
type inbox struct {
	filter string
	wg     sync.WaitGroup

	mu   sync.Mutex
	seen map[string]int
}

// subscribe connects (MQTT 3.1.1, sections 3.1 and 3.8) and reads from then on until the broker hangs up.
func (in *inbox) subscribe(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	text := func(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }
	connect := append(text("MQTT"), 4, 2, 0, 0) // version 4, clean session, no keep-alive
	connect = append(connect, text("inbox")...)
	sub := append([]byte{0, 1}, text(in.filter)...)
	sub = append(sub, 0) // QoS 0
	for _, p := range [][]byte{append([]byte{0x10, byte(len(connect))}, connect...), append([]byte{0x82, byte(len(sub))}, sub...)} {
		if _, err := c.Write(p); err != nil {
			c.Close()
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	r := bufio.NewReader(c)
	for _, want := range []byte{0x20, 0x90} { // CONNACK, SUBACK
		kind, body, err := packet(r)
		if err != nil || kind&0xf0 != want || body[len(body)-1] != 0 {
			c.Close()
			return fmt.Errorf("subscribe: got packet %#x %v: %w", kind, body, err)
		}
	}
	in.wg.Go(func() {
		defer c.Close()
		for {
			kind, body, err := packet(r)
			if err != nil {
				return
			}
			if kind&0xf0 == 0x30 {
				in.take(body)
			}
		}
	})
	return nil
}

// packet reads one control packet: its first byte and what follows the length (section 2.2).
func packet(r *bufio.Reader) (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		if shift == 21 {
			return 0, nil, errors.New("a length of more than four bytes")
		}
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}

// take counts a PUBLISH of QoS 0 (section 3.3).
func (in *inbox) take(body []byte) {
	n := int(body[0])<<8 | int(body[1])
	topic, payload := string(body[2:2+n]), body[2+n:]
	if !strings.HasSuffix(topic, "/object") {
		return
	}
	var o struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(payload, &o); err != nil {
		o.ID = "not JSON: " + err.Error() // counts as a record that nobody published
	}
	in.mu.Lock()
	in.seen[o.ID]++
	in.mu.Unlock()
}

// wait returns when the subscriber has read all that the broker had sent.
func (in *inbox) wait() { in.wg.Wait() }

func (in *inbox) distinct() int { in.mu.Lock(); defer in.mu.Unlock(); return len(in.seen) }

func (in *inbox) repeats() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := 0
	for _, c := range in.seen {
		n += c - 1
	}
	return n
}
