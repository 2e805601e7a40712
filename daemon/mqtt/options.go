// Package mqtt carries events to a broker and brings commands back: topics and their escaping, the publisher with its
// bounded queues, and the embedded broker that lets a device work alone. It is the only importer of paho and mochi. What
// the messages say is in daemon/event; what a command does is the daemon's business.
//
// Long because publisher and broker together keep paho and mochi from everybody else.
package mqtt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Options says which broker to publish to and as whom.
type Options struct {
	// Broker is mqtt://host:port, or mqtts://host:port with TLS (tcp, ssl and tls are taken as well; the ports are 1883
	// and 8883 unless given). Empty: the embedded broker.
	Broker string `yaml:"broker"`
	// Prefix begins every topic; a '/' in it separates levels.
	Prefix string `yaml:"prefix"`
	Site   string `yaml:"site"` // where the device stands
	Node   string `yaml:"node"` // which device it is; empty: the host's name

	User         string `yaml:"user"`          // the device's name at the broker; empty: none is given
	Password     string `yaml:"password"`      // that goes with user; password_file is the better place
	PasswordFile string `yaml:"password_file"` // read before every connection; one line end at its end is cut off

	// CAFile holds the authorities (PEM) that vouch for the broker; empty: those of the system. CertFile and KeyFile are
	// the device's own certificate and key (PEM), for brokers that ask for one. All need mqtts.
	CAFile   string `yaml:"ca_file"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`

	// ClientID is who the device is to the broker; "-act" is appended for the connection of the act lane. Empty: made of
	// prefix, site and node, so that it stays the same. No two devices may share one.
	ClientID  string        `yaml:"client_id"`
	KeepAlive time.Duration `yaml:"keep_alive"` // a silent connection is probed after it; whole seconds, 1 s to 18 h

	ConnectTimeout time.Duration `yaml:"connect_timeout"` // for one attempt, with TLS and the broker's answer
	// BackoffMin and BackoffMax bound the wait between attempts, which doubles, give or take a quarter by chance.
	BackoffMin time.Duration `yaml:"backoff_min"`
	BackoffMax time.Duration `yaml:"backoff_max"`

	// Queue is how many records (objects, crossings, zones) wait in memory while the broker is away; the oldest goes first when it is full.
	Queue int `yaml:"queue"`
	// ActMaxAge is how long a live verdict may wait for its connection before it is dropped as late.
	ActMaxAge time.Duration `yaml:"act_max_age"`

	Embedded Embedded `yaml:"embedded"` // the broker inside the daemon

	// Handle answers the commands that the package does not know itself. It is called from one goroutine, returns soon
	// after ctx ends, and answers ErrUnknownVerb for a verb that it does not know either. payload is the command's whole
	// JSON object. nil: no commands but ping.
	Handle func(ctx context.Context, verb string, payload []byte) (any, error) `yaml:"-"`
}

// Embedded is the broker inside the daemon; it runs when Options.Broker is empty.
type Embedded struct {
	On bool `yaml:"on"` // false: results go nowhere unless broker is set
	// Listen is host:port. Another address than this machine's own needs Options.User and a password, which its clients
	// then give. A port that is taken is stepped around, upwards.
	Listen string `yaml:"listen"`
}

// DefaultOptions is the embedded broker on 127.0.0.1:1883.
func DefaultOptions() Options {
	return Options{
		Prefix: "gleaner", Site: "default", KeepAlive: 10 * time.Second,
		ConnectTimeout: 5 * time.Second, BackoffMin: 200 * time.Millisecond, BackoffMax: 2 * time.Second,
		Queue: 1000, ActMaxAge: time.Second,
		Embedded: Embedded{On: true, Listen: "127.0.0.1:1883"},
	}
}

// ErrNoBroker says that neither a broker is named nor the embedded one is on.
var ErrNoBroker = errors.New("broker: no broker is named and embedded.on is false")

// Check finds what cannot work, without touching files or the network; an error begins with the key.
func (o Options) Check() error {
	if o.Broker == "" && !o.Embedded.On {
		return ErrNoBroker
	}
	_, secure, err := o.address()
	if err != nil {
		return err
	}
	if err := o.Embedded.check(); o.Broker == "" && err != nil {
		return err
	}
	switch {
	case o.Prefix == "":
		return errors.New("prefix: must not be empty")
	case o.Password != "" && o.PasswordFile != "":
		return errors.New("password_file: password is set as well; one of the two is enough")
	case o.User == "" && (o.Password != "" || o.PasswordFile != ""):
		return errors.New("user: a password without a user")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("cert_file: a certificate and its key_file go together")
	case !secure && (o.CAFile != "" || o.CertFile != ""):
		return errors.New("broker: certificates need mqtts://")
	case o.Queue < 1 || o.Queue > 1_000_000:
		return fmt.Errorf("queue: %d is not in 1 to 1000000", o.Queue)
	case o.KeepAlive < time.Second || o.KeepAlive > 18*time.Hour:
		return fmt.Errorf("keep_alive: %v is not in 1s to 18h", o.KeepAlive)
	case o.ConnectTimeout <= 0:
		return fmt.Errorf("connect_timeout: %v is not above 0", o.ConnectTimeout)
	case o.BackoffMin <= 0 || o.BackoffMax < o.BackoffMin:
		return fmt.Errorf("backoff_max: %v is below backoff_min %v, or one of them is not above 0", o.BackoffMax, o.BackoffMin)
	case o.ActMaxAge <= 0:
		return fmt.Errorf("act_max_age: %v is not above 0", o.ActMaxAge)
	}
	return nil
}

// check finds an address that is none.
func (e Embedded) check() error {
	_, port, err := net.SplitHostPort(e.Listen)
	if err != nil {
		return fmt.Errorf("embedded.listen: %w", err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("embedded.listen: port %q is not in 0 to 65535", port)
	}
	return nil
}

// address is the broker's host:port and whether it wants TLS; both zero for the embedded broker.
func (o Options) address() (hostport string, secure bool, err error) {
	if o.Broker == "" {
		return "", false, nil
	}
	u, err := url.Parse(o.Broker)
	if err != nil {
		return "", false, errors.New("broker: not a URL such as mqtt://host:1883") // err would show a password in it
	}
	port := "1883"
	switch u.Scheme {
	case "mqtt", "tcp":
	case "mqtts", "ssl", "tls":
		secure, port = true, "8883"
	default:
		return "", false, fmt.Errorf("broker: scheme %q is not mqtt or mqtts", u.Scheme)
	}
	switch {
	case u.Hostname() == "":
		return "", false, errors.New("broker: names no host; it reads mqtt://host:1883")
	case u.User != nil:
		return "", false, errors.New("broker: user and password go into user and password_file, not into the URL")
	case u.Path != "" && u.Path != "/":
		return "", false, fmt.Errorf("broker: a path (%s) means nothing here", u.Path)
	}
	port = cmp.Or(u.Port(), port)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false, fmt.Errorf("broker: port %s is not in 0 to 65535", port)
	}
	return net.JoinHostPort(u.Hostname(), port), secure, nil
}

// password is the secret as it is now.
func (o Options) password() (string, error) {
	if o.PasswordFile == "" {
		return o.Password, nil
	}
	b, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if s == "" {
		return "", fmt.Errorf("password_file: %s is empty", o.PasswordFile)
	}
	return s, nil
}

// tls is nil without TLS.
func (o Options) tls() (*tls.Config, error) {
	hostport, secure, err := o.address()
	if err != nil || !secure {
		return nil, err
	}
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: no certificate (PEM) in %s", o.CAFile)
		}
	}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// clientID has 18 letters and digits by default: with "-act" it stays within the 23 that every broker must take (MQTT
// 3.1.1, section 3.1.3.1).
func (o Options) clientID() string {
	if o.ClientID != "" {
		return o.ClientID
	}
	sum := sha256.Sum256([]byte(o.Prefix + "\x00" + o.Site + "\x00" + o.Node))
	return "gleaner" + hex.EncodeToString(sum[:])[:11]
}
