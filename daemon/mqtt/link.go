package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"gleaner/daemon/event"
)

// writeTimeout is how long one packet may take into the system's buffers. A write waits only when the network stands
// still, and paho keeps its caller that long when the connection breaks at the wrong moment.
const writeTimeout = 2 * time.Second

// dialer opens connections of one client id; each is a paho client of its own, because tokens and sessions of an old
// one prove nothing on a new one.
type dialer struct {
	o        Options
	hostport string
	tls      *tls.Config // nil without TLS
	clientID string
	will     string        // topic of the last will; empty: none
	silence  time.Duration // how long sent data may stay unacknowledged by the other host
	commands string        // filter to subscribe to; empty: none
	incoming func(topic string, payload []byte, retained bool)
}

// link is one connection. lost delivers once when it breaks.
type link struct {
	client paho.Client
	lost   chan error
	deaf   bool // the broker refuses the subscription to commands

	mu   sync.Mutex
	conn net.Conn
	cut  bool
}

// connect makes one attempt, which ends within ConnectTimeout or when ctx does.
func (d *dialer) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, d.o.ConnectTimeout)
	defer cancel()
	pass, err := d.o.password()
	if err != nil {
		return nil, err
	}
	l := &link{lost: make(chan error, 1)}
	po := paho.NewClientOptions().SetClientID(d.clientID).SetUsername(d.o.User).SetPassword(pass).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(d.o.KeepAlive).SetPingTimeout(min(d.o.KeepAlive, 5*time.Second)).
		SetConnectTimeout(d.o.ConnectTimeout).SetWriteTimeout(writeTimeout).SetOrderMatters(false).
		SetConnectionLostHandler(func(_ paho.Client, err error) { l.lost <- err }). // at most once per client
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return d.open(ctx, l) }).
		AddBroker("tcp://" + d.hostport)
	if d.will != "" {
		po.SetBinaryWill(d.will, []byte(event.AvailOffline), 1, true)
	}
	if d.incoming != nil {
		po.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			d.incoming(m.Topic(), m.Payload(), m.Retained())
		})
	}
	l.client = paho.NewClient(po)
	stop := context.AfterFunc(ctx, l.sever) // makes the handshake end
	defer stop()
	if err := wait(ctx, l.client.Connect()); err != nil {
		l.close()
		return nil, fmt.Errorf("connect to broker %s: %w", d.hostport, err)
	}
	if d.commands != "" {
		t := l.client.Subscribe(d.commands, 1, nil)
		if err := wait(ctx, t); err != nil {
			l.close()
			return nil, fmt.Errorf("subscribe to %s: %w", d.commands, err)
		}
		st, ok := t.(*paho.SubscribeToken)
		l.deaf = ok && st.Result()[d.commands] == 0x80 // refused (MQTT 3.1.1, section 3.9.3): it can still publish
	}
	if !stop() || !l.settle() {
		l.close()
		return nil, fmt.Errorf("connect to broker %s: %w", d.hostport, ctx.Err())
	}
	return l, nil
}

// open dials, with TLS where it is wanted, and lets l cut the connection at any time from then on.
func (d *dialer) open(ctx context.Context, l *link) (net.Conn, error) {
	nd := net.Dialer{Control: userTimeout(d.silence)}
	conn, err := nd.DialContext(ctx, "tcp", d.hostport)
	if err != nil {
		return nil, err
	}
	if !l.keep(conn) {
		conn.Close()
		return nil, context.Cause(ctx)
	}
	if d.tls == nil {
		return conn, nil
	}
	tc := tls.Client(conn, d.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("tls: %w", err)
	}
	return tc, nil
}

func (l *link) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return !l.cut
}

// settle reports whether the connection outlived its making: from then on the time-out has no hold on it.
func (l *link) settle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.cut
}

// sever cuts the connection under paho, whatever paho is waiting for. The broker sends the last will.
func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	if l.conn != nil {
		l.conn.Close()
	}
}

// close says goodbye when there is still somebody to say it to, and ends paho's goroutines. It takes 250 ms at most.
func (l *link) close() {
	l.client.Disconnect(250)
	l.sever()
}

// publish hands a message to paho. It may keep its caller for writeTimeout.
func (l *link) publish(topic string, qos byte, retained bool, payload []byte) paho.Token {
	return l.client.Publish(topic, qos, retained, payload)
}

func wait(ctx context.Context, t paho.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return errors.Join(errors.New("no answer"), ctx.Err())
	}
}
