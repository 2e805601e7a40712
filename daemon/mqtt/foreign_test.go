package mqtt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gleaner/daemon/mqtt"
)

// patience is how long a test waits for what must come; it is no measure of speed.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/usr/local/sbin/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p
		}
	}
	t.Skipf("%s is not installed (Debian: mosquitto, mosquitto-clients)", name)
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// mosquitto is a foreign broker that can be killed and started again on its port.
type mosquitto struct {
	t    *testing.T
	bin  string
	conf string
	port int
	cmd  *exec.Cmd
	done chan struct{}
}

// newMosquitto writes a configuration of the listener and the lines given, and starts the broker.
func newMosquitto(t *testing.T, lines ...string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, bin: program(t, "mosquitto"), port: freePort(t), conf: filepath.Join(t.TempDir(), "m.conf")}
	if len(lines) == 0 {
		lines = []string{"allow_anonymous true"}
	}
	text := fmt.Sprintf("listener %d 127.0.0.1\nmax_queued_messages 0\n%s\n", m.port, strings.Join(lines, "\n"))
	if os.Getuid() == 0 {
		text = "user root\n" + text // it would drop to an account that cannot read the test's files
	}
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(m.bin, "-c", m.conf)
	m.done = make(chan struct{})
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func(c *exec.Cmd, done chan struct{}) { c.Wait(); close(done) }(m.cmd, m.done)
	eventually(m.t, "mosquitto listens", func() bool {
		select {
		case <-m.done:
			m.t.Fatalf("mosquitto ended at once: %v", m.cmd.ProcessState)
		default:
		}
		c, err := net.Dial("tcp", m.addr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill is kill -9.
func (m *mosquitto) kill() {
	m.cmd.Process.Kill()
	<-m.done
}

func (m *mosquitto) addr() string { return fmt.Sprintf("127.0.0.1:%d", m.port) }
func (m *mosquitto) url() string  { return "mqtt://" + m.addr() }

// sub is mosquitto_sub; lines are "topic payload".
type sub struct {
	mu    sync.Mutex
	lines []string
}

// subscribe runs mosquitto_sub until the test ends, and returns when it has its subscription.
func subscribe(t *testing.T, addr string, args ...string) *sub {
	t.Helper()
	bin := program(t, "mosquitto_sub")
	host, port, _ := net.SplitHostPort(addr)
	// stdbuf: it would keep its lines until some kilobytes are full
	cmd := exec.Command("stdbuf", append([]string{"-oL", bin, "-h", host, "-p", port, "-q", "1", "-d", "-F", "MSG %r %t %p"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &sub{}
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		once := sync.OnceFunc(func() { close(ready) })
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if l, ok := strings.CutPrefix(sc.Text(), "MSG "); ok {
				s.mu.Lock()
				s.lines = append(s.lines, l)
				s.mu.Unlock()
			} else if strings.HasPrefix(sc.Text(), "Subscribed") {
				once()
			}
		}
	}()
	t.Cleanup(func() { cmd.Process.Kill(); <-done; cmd.Wait() })
	select {
	case <-ready:
	case <-done:
		t.Fatal("mosquitto_sub ended at once")
	case <-time.After(patience):
		t.Fatal("mosquitto_sub got no subscription")
	}
	return s
}

// all is every line so far, "retained topic payload" with retained 0 or 1.
func (s *sub) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// has reports whether a line begins and ends so.
func (s *sub) has(prefix, contains string) bool {
	for _, l := range s.all() {
		if strings.HasPrefix(l, prefix) && strings.Contains(l, contains) {
			return true
		}
	}
	return false
}

func send(t *testing.T, addr, topic, payload string, args ...string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	args = append([]string{"-h", host, "-p", port, "-q", "1", "-t", topic, "-m", payload}, args...)
	if b, err := exec.Command(program(t, "mosquitto_pub"), args...).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub: %v: %s", err, b)
	}
}

func testOptions(broker string) mqtt.Options {
	o := mqtt.DefaultOptions()
	o.Broker, o.Site, o.Node = broker, "공장 1", "line/3"
	o.BackoffMin, o.BackoffMax = 20*time.Millisecond, 200*time.Millisecond
	o.KeepAlive = time.Second
	return o
}

// open starts a publisher that is closed with the test.
func open(t *testing.T, o mqtt.Options) *mqtt.Publisher {
	t.Helper()
	p, err := mqtt.New(o, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(p, time.Second) })
	return p
}

func shut(p *mqtt.Publisher, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return p.Close(ctx)
}

func connected(p *mqtt.Publisher) func() bool {
	return func() bool { s := p.Stats(); return s.Act.Connected && s.Main.Connected }
}

// conserved is nil when nothing is lost without being counted.
func conserved(s mqtt.Stats) error {
	var errs []error
	for name, l := range map[string]mqtt.LaneStats{"act": s.ActLane, "object": s.ObjectLane, "state": s.StateLane, "crop": s.CropLane} {
		if l.Queued < 0 || l.Published != uint64(l.Queued)+l.Acked+l.Replaced+l.LostAll() {
			errs = append(errs, fmt.Errorf("%s: %+v does not add up", name, l))
		}
	}
	return errors.Join(errs...)
}
