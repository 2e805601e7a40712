package mqtt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleaner/daemon/event"
	"gleaner/daemon/mqtt"
)

var quiet = slog.New(slog.DiscardHandler)

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if b, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, b)
	}
}

func TestTakenPort(t *testing.T) {
	first, err := mqtt.StartBroker(fmt.Sprintf("127.0.0.1:%d", freePort(t)), "", "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for name, c := range map[string]struct{ listen, note string }{
		"by a broker":       {first.Addr(), first.Addr() + " is taken (a broker answers there)"},
		"by something else": {mute.Addr().String(), mute.Addr().String() + " is taken (something else listens there)"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := mqtt.StartBroker(c.listen, "", "", quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if b.Note() != c.note || b.Addr() == c.listen {
				t.Errorf("on %s: %q, want %q", b.Addr(), b.Note(), c.note)
			}
			p := open(t, testOptions("mqtt://"+b.Addr()))
			eventually(t, "connected", connected(p))
			if err := shut(p, 5*time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	if first.Note() != "" {
		t.Error(first.Note())
	}
}

func TestListenIsGuarded(t *testing.T) {
	for name, c := range map[string]struct{ listen, user, password, want string }{
		"every address":     {"0.0.0.0:0", "", "", "open to the network"},
		"no address":        {":0", "", "", "open to the network"},
		"no port":           {"127.0.0.1", "", "", "embedded.listen"},
		"user, no password": {"127.0.0.1:0", "u", "", "without a password"},
		"guarded":           {"0.0.0.0:0", "u", "p", ""},
		"loopback":          {"127.0.0.1:0", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := mqtt.StartBroker(c.listen, c.user, c.password, quiet)
			if err == nil {
				defer b.Close()
				if !strings.HasPrefix(b.Dial(), "127.0.0.1:") {
					t.Error(b.Dial())
				}
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestEmbeddedBrokerWithPassword(t *testing.T) {
	o := testOptions("")
	o.Embedded.Listen = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	o.User, o.Password = "gleaner", "pass"
	p := open(t, o)
	eventually(t, "connected", connected(p))
	s := subscribe(t, p.Broker().Addr(), "-u", "gleaner", "-P", "pass", "-t", "gleaner/#")
	eventually(t, "retained state", func() bool { return s.has("1 ", "availability online") })
	bad := o
	bad.Broker, bad.Password, bad.ClientID = "mqtt://"+p.Broker().Addr(), "guess", "other"
	q := open(t, bad)
	eventually(t, "refused", func() bool { return q.Stats().Main.LastError != "" })
	shut(q, 100*time.Millisecond)
}

func TestEmbeddedBrokerIsBounded(t *testing.T) {
	b, err := mqtt.StartBroker(fmt.Sprintf("127.0.0.1:%d", freePort(t)), "", "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	send(t, b.Addr(), "big", strings.Repeat("x", 17<<10), "-r")
	send(t, b.Addr(), "small", "x", "-r")
	s := subscribe(t, b.Addr(), "-t", "#")
	eventually(t, "the small one", func() bool { return s.has("1 small", "") })
	if s.has("1 big", "") {
		t.Error("a large message was retained")
	}
}

// certificate makes a key and a certificate signed by parent (nil: by itself), and writes both as PEM.
func certificate(t *testing.T, dir, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name+".crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kder})))
	return c, key
}

func TestTLSWithClientCertificates(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	ca, caKey := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", ca, caKey)
	certificate(t, dir, "device", ca, caKey)
	other, otherKey := certificate(t, dir, "other-ca", nil, nil)
	certificate(t, dir, "stranger", other, otherKey)
	m := newMosquitto(t, "cafile "+file("ca.crt"), "certfile "+file("server.crt"), "keyfile "+file("server.key"),
		"require_certificate true", "use_identity_as_username true", "allow_anonymous false")
	for name, c := range map[string]struct{ ca, cert, err string }{
		"known device":       {"ca", "device", ""},
		"no certificate":     {"ca", "", "."},
		"stranger":           {"ca", "stranger", "."},
		"broker not vouched": {"other-ca", "device", "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions("mqtts://" + m.addr())
			o.CAFile = file(c.ca + ".crt")
			if c.cert != "" {
				o.CertFile, o.KeyFile = file(c.cert+".crt"), file(c.cert+".key")
			}
			p := open(t, o)
			if c.err != "" {
				eventually(t, "refused", func() bool { return p.Stats().Main.LastError != "" })
				if e := p.Stats().Main.LastError; c.err != "." && !strings.Contains(e, c.err) {
					t.Errorf("refused with %q", e)
				}
				if s := p.Stats(); s.Main.Connected || s.ObjectLane.Acked != 0 {
					t.Errorf("%+v", s)
				}
				return
			}
			eventually(t, "connected", connected(p))
			p.Publish(object(1))
			p.Publish(event.Status{Cam: "벨트", State: event.Online})
			eventually(t, "acknowledged", func() bool { return p.Stats().ObjectLane.Acked == 1 })
			if err := shut(p, 5*time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	for name, change := range map[string]func(*mqtt.Options){
		"ca_file: open":    func(o *mqtt.Options) { o.CAFile = file("none") },
		"ca_file: no cert": func(o *mqtt.Options) { o.CAFile = file("ca.key") },
		"cert_file: ":      func(o *mqtt.Options) { o.CertFile, o.KeyFile = file("device.crt"), file("server.key") },
	} {
		o := testOptions("mqtts://" + m.addr())
		change(&o)
		if _, err := mqtt.New(o, quiet); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
