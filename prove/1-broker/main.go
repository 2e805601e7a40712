// Command 1-broker shows the broker's part of the recovery line of the first issue: a broker that is killed and started
// again ten times under load; the publisher keeps taking messages, is back within 5 s each time, and every record that
// was published is delivered or counted as lost, not one more and not one less.
//
// The broker is mosquitto, killed with SIGKILL. A subscriber of a few lines counts what arrives. A gate stands before the
// broker and opens when the subscriber has its subscription, because a record that the broker takes while nobody
// subscribes is delivered to nobody, and no publisher can know.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gleaner/daemon/event"
	"gleaner/daemon/mqtt"
)

const (
	bar     = "10 kills, publishing goes on, connected again within 5 s each, published = delivered + counted lost"
	rounds  = 10
	maxWait = 5 * time.Second
	queue   = 300  // records, small enough to overflow while the broker is away
	rate    = 1000 // records per second
)

func main() {
	figure, ok, err := prove()
	word := "PASS"
	if err != nil || !ok {
		word = "FAIL"
	}
	if err != nil {
		figure = fmt.Sprintf("%s; %v", cmp.Or(figure, "none"), err)
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

func prove() (figure string, ok bool, err error) {
	dir, err := os.MkdirTemp("", "prove-broker")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	b, err := newBroker(dir)
	if err != nil {
		return "", false, err
	}
	defer b.kill()
	g, err := newGate(b.addr)
	if err != nil {
		return "", false, err
	}
	defer g.close()

	o := mqtt.DefaultOptions()
	o.Broker, o.Node, o.Queue = "mqtt://"+g.addr(), "prove", queue
	p, err := mqtt.New(o, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", false, err
	}
	in := &inbox{seen: map[string]int{}, filter: p.Topics().All()}
	defer in.wait()
	defer b.kill() // ends the subscriber
	if err := open(b, g, in); err != nil {
		return "", false, err
	}
	if _, err := connectedWithin(p, maxWait); err != nil {
		return "", false, err
	}

	l := startLoad(p)
	var worst time.Duration
	for round := range rounds {
		d, err := cycle(b, g, in, p, l, round)
		if err != nil {
			l.stop()
			return "", false, fmt.Errorf("round %d: %w", round+1, err)
		}
		worst = max(worst, d)
	}
	l.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		return "", false, err
	}
	return sum(p.Stats(), in, l, worst)
}

// sum holds what was published against what arrived.
func sum(s mqtt.Stats, in *inbox, l *load, worst time.Duration) (string, bool, error) {
	obj := s.ObjectLane
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && in.distinct() < int(obj.Acked); {
		time.Sleep(10 * time.Millisecond)
	}
	distinct, repeats := in.distinct(), in.repeats()
	fmt.Printf("records: %d published, %d delivered (%d twice), %d acknowledged, lost %v\n",
		obj.Published, distinct, repeats, obj.Acked, obj.Lost)
	fmt.Printf("live verdicts: %d published, %d sent, lost %v; longest call of Publish %v\n",
		s.ActLane.Published, s.ActLane.Acked, s.ActLane.Lost, time.Duration(l.longest.Load()).Round(time.Microsecond))
	exact := obj.Published == l.records.Load() && obj.Published == uint64(distinct)+obj.LostAll() &&
		s.ActLane.Published == s.ActLane.Acked+s.ActLane.LostAll()
	figure := fmt.Sprintf("%d kills, slowest reconnect %.1f s, %d published = %d delivered + %d lost",
		rounds, worst.Seconds(), obj.Published, distinct, obj.LostAll())
	if !exact {
		figure += fmt.Sprintf(" DOES NOT ADD UP (%d calls)", l.records.Load())
	}
	return figure, exact && worst <= maxWait && obj.LostAll() > 0 && s.Main.Reconnects >= rounds, nil
}

// cycle kills the broker, keeps it away for a while, starts it again, and returns how long the publisher took to come
// back from the moment on that it could.
func cycle(b *broker, g *gate, in *inbox, p *mqtt.Publisher, l *load, round int) (time.Duration, error) {
	g.shut()
	b.kill()
	in.wait()
	before := l.records.Load()
	away := 300*time.Millisecond + time.Duration(round)*150*time.Millisecond
	time.Sleep(away)
	if during := l.records.Load() - before; during == 0 {
		return 0, fmt.Errorf("nothing was published in %v without a broker", away)
	}
	if err := b.start(); err != nil {
		return 0, err
	}
	up := time.Now()
	if err := open(b, g, in); err != nil {
		return 0, err
	}
	if _, err := connectedWithin(p, 4*maxWait); err != nil {
		return 0, err
	}
	back := time.Since(up)
	s := p.Stats().ObjectLane
	fmt.Printf("round %d: away %v, connected again %v after the broker, %d published, %d lost so far\n",
		round+1, away, back.Round(time.Millisecond), s.Published, s.LostAll())
	time.Sleep(1500 * time.Millisecond) // work for a while before the next one
	return back, nil
}

// open subscribes and then lets the publisher through.
func open(b *broker, g *gate, in *inbox) error {
	if err := in.subscribe(b.addr); err != nil {
		return err
	}
	g.open()
	return nil
}

func connectedWithin(p *mqtt.Publisher, d time.Duration) (time.Duration, error) {
	began := time.Now()
	for {
		s := p.Stats()
		if s.Main.Connected && s.Act.Connected {
			return time.Since(began), nil
		}
		if time.Since(began) > d {
			return 0, fmt.Errorf("not connected within %v: %s %s", d, s.Main.LastError, s.Act.LastError)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// load publishes until it is stopped.
type load struct {
	records atomic.Uint64
	longest atomic.Int64 // call of Publish, nanoseconds
	end     chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

func startLoad(p *mqtt.Publisher) *load {
	l := &load{end: make(chan struct{})}
	l.wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-l.end:
				return
			case <-tick.C:
			}
			for range rate / 100 {
				l.publish(p)
			}
		}
	})
	return l
}

func (l *load) publish(p *mqtt.Publisher) {
	now := time.Now()
	us := now.UnixMicro()
	n := l.records.Add(1)
	o := event.Object{ID: event.LiveID(), Seq: n, Boot: "prove", Cam: "벨트 1", Track: int64(n), Verdict: event.Class, Class: "유리",
		P: 0.9, T: event.Times{Cap: us, Dec: us, Pub: us}, Model: "sha256:00"}
	p.Publish(o)
	p.Publish(o.Act())
	p.Publish(event.Count{Cam: o.Cam, Class: o.Class, N: n, Epoch: "prove"})
	if d := int64(time.Since(now)); d > l.longest.Load() {
		l.longest.Store(d)
	}
}

func (l *load) stop() { l.once.Do(func() { close(l.end) }); l.wg.Wait() }

// broker is mosquitto on one port, again and again.
type broker struct {
	bin, conf, addr string
	cmd             *exec.Cmd
}

func newBroker(dir string) (*broker, error) {
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			return nil, fmt.Errorf("mosquitto is not installed (Debian: mosquitto): %w", err)
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &broker{bin: bin, conf: filepath.Join(dir, "mosquitto.conf"), addr: fmt.Sprintf("127.0.0.1:%d", port)}
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n", port)
	if runtime.GOOS == "linux" && os.Getuid() == 0 {
		text = "user root\n" + text
	}
	if err := os.WriteFile(b.conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return b, b.start()
}

func (b *broker) start() error {
	b.cmd = exec.Command(b.bin, "-c", b.conf)
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("start mosquitto: %w", err)
	}
	return answers(b.addr)
}

// kill is SIGKILL, and returns when the process is gone.
func (b *broker) kill() {
	if b.cmd == nil {
		return
	}
	b.cmd.Process.Kill() //nolint:errcheck // it may have ended by itself, and is gone either way
	b.cmd.Wait()         //nolint:errcheck // "killed"
	b.cmd = nil
}
