package mqtt

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"gleaner/daemon/listen"
)

// What the embedded broker holds at most, so that no client fills the device's memory.
const (
	maxConnections   = 256
	maxSessions      = 512 // with those of clients that are away
	maxSubscriptions = 256 // of one session
	maxTopic         = 2 << 10
	maxPacket        = 512 << 10 // a crop fits
	maxRetained      = 8192
	maxRetainedBytes = 16 << 10 // of one message
	introduction     = 10 * time.Second
)

// Broker is the embedded MQTT broker. What it retains and owes lives in memory.
type Broker struct {
	server *mochi.Server
	gate   *doorkeeper
	addr   net.Addr
	note   string
}

// StartBroker listens on host:port, or on the next free port of the 19 above it. Anybody on this machine may use it
// without a password when user is empty; another address than a loopback one is refused then. With a user, every
// client gives user and password.
func StartBroker(addr, user, password string, log *slog.Logger) (*Broker, error) {
	if err := mayListen(addr, user, password); err != nil {
		return nil, err
	}
	ln, taken, err := listen.Upwards(addr)
	if err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", addr, err)
	}
	note := ""
	if taken {
		note = fmt.Sprintf("%s is taken (%s)", addr, whoAnswers(addr))
	}
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumClients = maxConnections
	caps.MaximumClientWritesPending = 1024
	caps.MaximumSessionExpiryInterval = 24 * 60 * 60
	caps.MaximumPacketSize = maxPacket
	caps.MaximumInflight = 1024
	caps.ReceiveMaximum = 1024
	s := mochi.New(&mochi.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler), SysTopicResendInterval: 30})
	gate := &doorkeeper{Listener: ln, conns: map[net.Conn]bool{}}
	g := &guard{server: s, user: []byte(user), password: []byte(password)}
	if err := s.AddHook(g, nil); err != nil {
		ln.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	if err := s.AddListener(listeners.NewNet("tcp", gate)); err != nil {
		ln.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	if err := s.Serve(); err != nil {
		s.Close()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	if note != "" {
		log.Warn("broker port stepped around", "why", note, "addr", ln.Addr())
	}
	return &Broker{s, gate, ln.Addr(), note}, nil
}

// Addr is host:port as it listens.
func (b *Broker) Addr() string { return b.addr.String() }

// Note says why the broker listens on another port than wished, such as "127.0.0.1:1883 is taken (a broker answers
// there)"; empty when it has the wished one.
func (b *Broker) Note() string { return b.note }

// Dial is host:port for a client on this machine.
func (b *Broker) Dial() string {
	a, ok := b.addr.(*net.TCPAddr)
	if !ok || !a.IP.IsUnspecified() {
		return b.addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Port))
}

// lastWord is how long the broker's end waits for what is on its way to be delivered.
const lastWord = 500 * time.Millisecond

// Close ends the broker and its clients' connections. For half a second at most it waits until those named in parting
// have gone, whose goodbye would be lost otherwise and their last will be published, and until what the others
// subscribed to with QoS 1 was acknowledged.
func (b *Broker) Close(parting ...string) error {
	for end := time.Now().Add(lastWord); b.busy(parting) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	b.gate.closeAll()
	return b.server.Close()
}

// busy reports whether a client has something to come, or one that is to part is still there.
func (b *Broker) busy(parting []string) bool {
	for id, c := range b.server.Clients.GetAll() {
		if !c.Closed() && (slices.Contains(parting, id) || c.State.Inflight.Len() > 0) {
			return true
		}
	}
	return false
}

// doorkeeper bounds the connections, ends those that never say who they are, and knows them all: the server waits at
// its end for every connection, but closes only those that have introduced themselves.
type doorkeeper struct {
	net.Listener
	mu    sync.Mutex
	conns map[net.Conn]bool
	shut  bool
}

// Accept lets a connection in, with a deadline for its CONNECT that the server replaces once it has come.
func (d *doorkeeper) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		ok := !d.shut && len(d.conns) < maxConnections && c.SetDeadline(time.Now().Add(introduction)) == nil
		if ok {
			d.conns[c] = true
		}
		d.mu.Unlock()
		if ok {
			return &visitor{c, d}, nil
		}
		c.Close()
	}
}

func (d *doorkeeper) closeAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for c := range d.conns {
		c.Close()
	}
}

// visitor leaves the doorkeeper's list when it is closed.
type visitor struct {
	net.Conn
	d *doorkeeper
}

// Close ends the connection.
func (v *visitor) Close() error {
	v.d.mu.Lock()
	delete(v.d.conns, v.Conn)
	v.d.mu.Unlock()
	return v.Conn.Close()
}

func mayListen(listen, user, password string) error {
	a, err := net.ResolveTCPAddr("tcp", listen)
	switch {
	case err != nil:
		return fmt.Errorf("embedded.listen: %w", err)
	case user != "" && password == "":
		return errors.New("embedded.listen: a user without a password")
	case user == "" && !a.IP.IsLoopback():
		return fmt.Errorf("embedded.listen: %s is open to the network; set user and password_file, or listen on 127.0.0.1", listen)
	}
	return nil
}

// whoAnswers asks with an MQTT CONNECT (3.1.1, section 3.1), which every broker answers with a CONNACK, even to refuse.
func whoAnswers(addr string) string {
	conn, err := net.DialTimeout("tcp", addr, 500*time.Millisecond)
	if err != nil {
		return "something that takes no connection"
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return "something else listens there"
	}
	connect := []byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 10, 0, 0} // clean session, empty client id
	if _, err := conn.Write(connect); err != nil {
		return "something else listens there"
	}
	var ack [4]byte
	if _, err := io.ReadFull(conn, ack[:]); err != nil || !bytes.Equal(ack[:2], []byte{0x20, 2}) {
		return "something else listens there"
	}
	conn.Write([]byte{0xe0, 0}) //nolint:errcheck // DISCONNECT, out of politeness
	return "a broker answers there"
}

// guard lets clients in and keeps what they store within bounds.
type guard struct {
	mochi.HookBase
	server         *mochi.Server
	user, password []byte
}

// ID names the hook in the broker's log.
func (g *guard) ID() string { return "gleaner" }

// Provides lists what the hook decides.
func (g *guard) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck || b == mochi.OnPublish || b == mochi.OnConnect
}

// OnConnect refuses a new session when there are too many.
func (g *guard) OnConnect(cl *mochi.Client, _ packets.Packet) error {
	if _, known := g.server.Clients.Get(cl.ID); !known && g.server.Clients.Len() >= maxSessions {
		return packets.ErrServerBusy
	}
	return nil
}

// OnConnectAuthenticate compares user and password in constant time.
func (g *guard) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	if len(g.user) == 0 {
		return true
	}
	u := subtle.ConstantTimeCompare(pk.Connect.Username, g.user)
	p := subtle.ConstantTimeCompare(pk.Connect.Password, g.password)
	return u&p == 1
}

// OnACLCheck refuses overlong topics, and more subscriptions than a session may have.
func (g *guard) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	return len(topic) <= maxTopic && (write || cl.State.Subscriptions.Len() < maxSubscriptions)
}

// OnPublish acknowledges and forgets a retained message that is too large or one topic too many.
func (g *guard) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if !pk.FixedHeader.Retain || len(pk.Payload) == 0 {
		return pk, nil
	}
	if len(pk.Payload) > maxRetainedBytes {
		return pk, packets.CodeSuccessIgnore
	}
	if _, known := g.server.Topics.Retained.Get(pk.TopicName); !known && g.server.Topics.Retained.Len() >= maxRetained {
		return pk, packets.CodeSuccessIgnore
	}
	return pk, nil
}
