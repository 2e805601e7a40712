package mqtt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gleaner/daemon/event"
	"gleaner/daemon/mqtt"
)

func object(n int) event.Object {
	now := time.Now().UnixMicro()
	return event.Object{ID: event.LiveID(), Seq: uint64(n), Boot: "b", Cam: "벨트/1 +#", Verdict: event.Class,
		Class: "유리", P: 0.9, T: event.Times{Cap: now, Dec: now, Pub: now}, Model: "sha256:0a"}
}

func TestForeignBrokerAndClient(t *testing.T) {
	m := newMosquitto(t)
	s := subscribe(t, m.addr(), "-t", "gleaner/#")
	p := open(t, testOptions(m.url()))
	p.Publish(event.Info{Site: "공장 1", Node: "line/3", Boot: "b"})
	p.Publish(event.Status{Cam: "벨트/1 +#", State: event.Online, Since: 1})
	eventually(t, "connected", connected(p))
	base := "0 gleaner/v1/공장%201/line%2F3/"
	o := object(1)
	p.Publish(o)
	p.Publish(o.Act())
	p.Publish(o.Last())
	p.Publish(event.Count{Cam: o.Cam, Class: "유리 / +", N: 3, Epoch: "b"})
	p.Publish(event.Presence{ID: o.ID, Cam: o.Cam, Phase: event.Entered, At: 1})
	p.Publish(event.Crossing{ID: o.ID, Cam: o.Cam, Line: "문/1", Direction: event.Back, Back: 1, Net: -1})
	p.Publish(event.Zone{ID: o.ID, Cam: o.Cam, Zone: "#", Phase: event.Entered, Inside: 1})
	p.Publish(event.Metrics{At: 1, Values: map[string]float64{"a": 1}})
	cam := base + "cam/벨트%2F1%20%2B%23/"
	for topic, part := range map[string]string{
		base + "availability":         "online",
		base + "info":                 `"schema":"info/1"`,
		cam + "status":                `"state":"online"`,
		cam + "object":                `"cam":"벨트/1 +#"`,
		cam + "act":                   o.ID,
		cam + "last":                  `"schema":"last/1"`,
		cam + "count/유리%20%2F%20%2B ": `"n":3`,
		cam + "presence":              `"phase":"entered"`,
		cam + "line/문%2F1 ":           `"direction":"back"`,
		cam + "zone/%23 ":             `"phase":"entered"`,
		base + "metrics":              `"values":{"a":1}`,
	} {
		eventually(t, topic, func() bool { return s.has(topic, part) })
	}
	if err := shut(p, 5*time.Second); err != nil {
		t.Error(err)
	}
	eventually(t, "stopped", func() bool { return s.has(base+"availability", "stopped") })
	if s.has(base+"availability", "offline") {
		t.Error("a planned stop triggered the last will")
	}
	if err := conserved(p.Stats()); err != nil {
		t.Error(err)
	}
	p.Publish(object(2))
	if n := p.Stats().ObjectLane.Lost[mqtt.LostClosed]; n != 1 {
		t.Errorf("%d counted as published after Close", n)
	}
	late := subscribe(t, m.addr(), "-t", "gleaner/#")
	retained := "1" + base[1:]
	for _, topic := range []string{"availability stopped", "info ", "cam/벨트%2F1%20%2B%23/status", "cam/벨트%2F1%20%2B%23/last",
		"cam/벨트%2F1%20%2B%23/count/유리%20%2F%20%2B "} {
		eventually(t, "retained "+topic, func() bool { return late.has(retained+topic, "") })
	}
	if n := len(late.all()); n != 5 {
		t.Errorf("%d topics are retained, want 5: %q", n, late.all())
	}
}

// TestCrops: pictures go out at QoS 0 beside the records, are lost at once while the broker is away, and take no record's
// place.
func TestCrops(t *testing.T) {
	m := newMosquitto(t)
	s := subscribe(t, m.addr(), "-t", "gleaner/#")
	p := open(t, testOptions(m.url()))
	o := object(1)
	crop := event.Crop{ID: o.ID, Cam: o.Cam, Track: 1, Verdict: o.Verdict, JPEG: []byte{0xff, 0xd8, 0xff, 0xd9}}
	eventually(t, "the picture", func() bool {
		p.Publish(crop)
		return s.has("0 gleaner/v1/공장%201/line%2F3/cam/벨트%2F1%20%2B%23/crop", `"id":"`+o.ID+`"`)
	})
	p.Publish(event.Crop{Cam: "no picture"})
	eventually(t, "counted", func() bool { return p.Stats().CropLane.Lost[mqtt.LostEncoding] == 1 })
	m.kill()
	eventually(t, "away", func() bool { return !p.Stats().Main.Connected })
	before := p.Stats()
	for range 100 {
		p.Publish(crop)
	}
	p.Publish(o)
	eventually(t, "lost", func() bool {
		return p.Stats().CropLane.Lost[mqtt.LostOffline] >= before.CropLane.Lost[mqtt.LostOffline]+100
	})
	if now := p.Stats(); now.CropLane.Queued != 0 || now.ObjectLane.Queued != before.ObjectLane.Queued+1 || conserved(now) != nil {
		t.Errorf("%v: %+v", conserved(now), now)
	}
	shut(p, 300*time.Millisecond)
	if now := p.Stats(); now.CropLane.Queued != 0 || conserved(now) != nil {
		t.Errorf("%v: %+v", conserved(now), now)
	}
}

func TestLastWill(t *testing.T) {
	m := newMosquitto(t)
	s := subscribe(t, m.addr(), "-t", "gleaner/#")
	proxy := newProxy(t, m.addr())
	p := open(t, testOptions("mqtt://"+proxy.addr()))
	eventually(t, "online", func() bool { return s.has("0 ", "availability online") })
	proxy.cut()
	eventually(t, "offline", func() bool { return s.has("0 ", "availability offline") })
	proxy.let()
	eventually(t, "online again", func() bool {
		n := 0
		for _, l := range s.all() {
			if strings.HasSuffix(l, "availability online") {
				n++
			}
		}
		return n == 2
	})
	if r := p.Stats().Main.Reconnects; r != 1 {
		t.Errorf("%d reconnects", r)
	}
}

func TestBrokerKilledAndRestarted(t *testing.T) {
	m := newMosquitto(t)
	p := open(t, testOptions(m.url()))
	p.Publish(event.Status{Cam: "belt", State: event.Online, Since: 7})
	p.Publish(event.Count{Cam: "belt", Class: "유리", N: 1, Epoch: "b"})
	eventually(t, "connected", connected(p))
	for round := range 3 {
		m.kill()
		eventually(t, "loss noticed", func() bool { s := p.Stats(); return !s.Act.Connected && !s.Main.Connected })
		for i := range 50 {
			o := object(i)
			p.Publish(o)
			p.Publish(o.Act())
		}
		if err := conserved(p.Stats()); err != nil {
			t.Error(err)
		}
		m.start()
		s := subscribe(t, m.addr(), "-t", "gleaner/#")
		eventually(t, "connected again", connected(p))
		eventually(t, "state again", func() bool {
			return s.has("", `"since":7`) && s.has("", `"n":1`) && s.has("", "availability online")
		})
		eventually(t, "delivered", func() bool { return p.Stats().ObjectLane.Queued == 0 })
		st := p.Stats()
		if st.ActLane.Lost[mqtt.LostOffline] != uint64(50*(round+1)) || st.ObjectLane.LostAll() != 0 {
			t.Errorf("round %d: %+v", round, st)
		}
		if err := conserved(st); err != nil {
			t.Error(err)
		}
		if s.has("", "/act ") {
			t.Error("a live verdict was kept")
		}
	}
}

func TestQueueGivesUpTheOldest(t *testing.T) {
	port := freePort(t)
	o := testOptions(fmt.Sprintf("mqtt://127.0.0.1:%d", port))
	o.Queue = 10
	p := open(t, o)
	for i := range 25 {
		p.Publish(object(i))
	}
	st := p.Stats().ObjectLane
	if st.Queued != 10 || st.Lost[mqtt.LostOverflow] != 15 {
		t.Errorf("%+v", st)
	}
	b, err := mqtt.StartBroker(fmt.Sprintf("127.0.0.1:%d", port), "", "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "delivered", func() bool { return p.Stats().ObjectLane.Acked == 10 })
	if err := shut(p, 5*time.Second); err != nil {
		t.Error(err)
	}
}

func TestCloseCountsWhatIsLeft(t *testing.T) {
	p := open(t, testOptions(fmt.Sprintf("mqtt://127.0.0.1:%d", freePort(t))))
	p.Publish(object(1))
	p.Publish(object(2))
	p.Publish(event.Status{Cam: "belt", State: event.Online})
	if err := shut(p, 5*time.Second); err == nil || !strings.Contains(err.Error(), "2 records") {
		t.Errorf("Close says %v", err)
	}
	st := p.Stats()
	if st.ObjectLane.Lost[mqtt.LostShutdown] != 2 || st.StateLane.Lost[mqtt.LostShutdown] != 1 || st.ObjectLane.Queued != 0 {
		t.Errorf("%+v", st)
	}
	if err := conserved(st); err != nil {
		t.Error(err)
	}
}

// TestBlackHole publishes towards brokers that take the connection and never answer. Publish runs on the test's own
// goroutine, so that it returns at all shows that it waits for nobody.
func TestBlackHole(t *testing.T) {
	for name, dead := range map[string]bool{"before CONNACK": true, "after it was connected": false} {
		t.Run(name, func(t *testing.T) {
			b, err := mqtt.StartBroker(fmt.Sprintf("127.0.0.1:%d", freePort(t)), "", "", quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			proxy := newProxy(t, b.Addr())
			o := testOptions("mqtt://" + proxy.addr())
			o.Queue, o.ConnectTimeout = 100, 500*time.Millisecond
			if dead {
				proxy.freeze()
			}
			p := open(t, o)
			if !dead {
				eventually(t, "connected", connected(p))
				proxy.freeze()
			}
			big := strings.Repeat("x", 4<<10)
			for i := range 5000 { // 20 MB, more than the buffers of two sockets hold
				ob := object(i)
				ob.Reason = big
				p.Publish(ob)
				p.Publish(ob.Act())
			}
			st := p.Stats()
			if err := conserved(st); err != nil {
				t.Error(err)
			}
			if st.ObjectLane.Published != 5000 || st.ObjectLane.Lost[mqtt.LostOverflow] < 4000 {
				t.Errorf("%+v", st.ObjectLane)
			}
			if !dead {
				eventually(t, "the silence is noticed", func() bool { return !p.Stats().Main.Connected })
				proxy.let()
				eventually(t, "connected again", connected(p))
				eventually(t, "delivered", func() bool { return p.Stats().ObjectLane.Queued == 0 })
				if err := conserved(p.Stats()); err != nil {
					t.Error(err)
				}
			}
			shut(p, 300*time.Millisecond)
			if err := conserved(p.Stats()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStaleVerdictIsNotSent(t *testing.T) {
	b, err := mqtt.StartBroker(fmt.Sprintf("127.0.0.1:%d", freePort(t)), "", "", quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p := open(t, testOptions("mqtt://"+b.Addr()))
	eventually(t, "connected", connected(p))
	a := object(1).Act()
	a.ActuateAt = time.Now().Add(-time.Millisecond).UnixMicro()
	p.Publish(a)
	eventually(t, "counted", func() bool { return p.Stats().ActLane.Lost[mqtt.LostLate] == 1 })
	a.ActuateAt = time.Now().Add(time.Hour).UnixMicro()
	p.Publish(a)
	eventually(t, "sent", func() bool { return p.Stats().ActLane.Acked == 1 })
}

func TestManyPublishers(t *testing.T) {
	o := testOptions("")
	o.Embedded.Listen = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := open(t, o)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				ob := object(i)
				p.Publish(ob)
				p.Publish(ob.Last())
				p.Publish(event.Count{Cam: fmt.Sprint("cam ", g), Class: "a", N: uint64(i), Epoch: "b"})
				p.Publish(event.Metrics{At: int64(i)})
				if err := conserved(p.Stats()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	shut(p, 5*time.Second)
	s := p.Stats()
	if err := conserved(s); err != nil || s.ObjectLane.Queued+s.StateLane.Queued != 0 || s.ObjectLane.Published != 1600 {
		t.Errorf("%v: %+v", err, s)
	}
}

func TestBadEventsAreCounted(t *testing.T) {
	o := testOptions("")
	o.Embedded.Listen = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := open(t, o)
	p.Publish(event.CommandResult{ID: "x", Verb: "x", Result: func() {}})
	p.Publish(event.Count{Cam: strings.Repeat("/", 30000), Class: "a"})
	eventually(t, "counted", func() bool {
		s := p.Stats()
		return s.ObjectLane.Lost[mqtt.LostEncoding] == 1 && s.StateLane.Lost[mqtt.LostEncoding] == 1
	})
	if err := shut(p, 5*time.Second); err != nil {
		t.Error(err)
	}
	if err := conserved(p.Stats()); err != nil {
		t.Error(err)
	}
}

func TestPasswordFile(t *testing.T) {
	dir := t.TempDir()
	hashed := filepath.Join(dir, "passwd")
	run(t, program(t, "mosquitto_passwd"), "-c", "-b", hashed, "gleaner", "비밀 word")
	m := newMosquitto(t, "allow_anonymous false", "password_file "+hashed)
	o := testOptions(m.url())
	o.User, o.PasswordFile = "gleaner", filepath.Join(dir, "secret")
	if _, err := mqtt.New(o, quiet); err == nil || !strings.Contains(err.Error(), "password_file") {
		t.Errorf("a missing file gives %v", err)
	}
	write(t, o.PasswordFile, "wrong\n")
	p := open(t, o)
	eventually(t, "refused", func() bool { return p.Stats().Main.LastError != "" })
	if e := p.Stats().Main.LastError; strings.Contains(e, "wrong") || !strings.Contains(strings.ToLower(e), "authori") {
		t.Errorf("the error is %q", e)
	}
	write(t, o.PasswordFile, "비밀 word\n")
	eventually(t, "connected with the new password", connected(p))
}

func TestCommands(t *testing.T) {
	m := newMosquitto(t)
	s := subscribe(t, m.addr(), "-t", "gleaner/#")
	var mu sync.Mutex
	var calls []string
	o := testOptions(m.url())
	o.Handle = func(_ context.Context, verb string, payload []byte) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, verb)
		switch verb {
		case "status":
			return map[string]string{"how": "well"}, nil
		case "models-use":
			var v struct{ Bundle string }
			if err := json.Unmarshal(payload, &v); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("bundle %s: not found", v.Bundle)
		}
		return nil, mqtt.ErrUnknownVerb
	}
	topics := mqtt.NewTopics(o.Prefix, o.Site, o.Node)
	send(t, m.addr(), topics.Command("status"), `{"id":"old"}`, "-r") // before the device is there
	p := open(t, o)
	eventually(t, "the retained one refused", func() bool {
		return s.has("0 "+topics.Result("status"), `"id":"old","verb":"status","ok":false,"error":"ignored: a retained`)
	})
	for name, c := range map[string]struct{ verb, payload, want string }{
		"ping":         {"ping", `{"id":"1"}`, `"id":"1","verb":"ping","ok":true,"result":"pong"`},
		"status":       {"status", `{"id":"2","x":[1]}`, `"id":"2","verb":"status","ok":true,"result":{"how":"well"}`},
		"refused":      {"models-use", `{"id":"3","bundle":"천"}`, `"id":"3","verb":"models-use","ok":false,"error":"bundle 천: not found"`},
		"unknown":      {"explode", `{"id":"4"}`, `"id":"4","verb":"explode","ok":false,"error":"unknown command"`},
		"no JSON":      {"ping", `ping`, `"id":"","verb":"ping","ok":false,"error":"the command is no JSON`},
		"hostile verb": {"a/+ b", `{"id":"5"}`, `"id":"5","verb":"a/+ b","ok":false`},
	} {
		t.Run(name, func(t *testing.T) {
			send(t, m.addr(), topics.Command(c.verb), c.payload)
			eventually(t, "answer", func() bool { return s.has("0 "+topics.Result(c.verb), c.want) })
		})
	}
	send(t, m.addr(), topics.Command("status"), `{"id":"2"}`) // again
	send(t, m.addr(), topics.Command("ping"), `{"id":"last"}`)
	eventually(t, "last answer", func() bool { return s.has("", `"id":"last"`) })
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(calls)
	if got := strings.Join(calls, " "); got != "a/+ b explode models-use status" {
		t.Errorf("carried out: %s", got)
	}
	if err := shut(p, 5*time.Second); err != nil {
		t.Error(err)
	}
}

func TestOptionsCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mqtt.Options)
		want   string
	}{
		"default":            {func(*mqtt.Options) {}, ""},
		"no broker":          {func(o *mqtt.Options) { o.Embedded.On = false }, "embedded.on"},
		"websocket":          {func(o *mqtt.Options) { o.Broker = "ws://host" }, `scheme "ws"`},
		"no scheme":          {func(o *mqtt.Options) { o.Broker = "host:1883" }, "broker:"},
		"no host":            {func(o *mqtt.Options) { o.Broker = "mqtt://:1883" }, "no host"},
		"password in URL":    {func(o *mqtt.Options) { o.Broker = "mqtt://u:secret@host" }, "not into the URL"},
		"two passwords":      {func(o *mqtt.Options) { o.User, o.Password, o.PasswordFile = "u", "p", "f" }, "password_file"},
		"password, no user":  {func(o *mqtt.Options) { o.Password = "p" }, "user:"},
		"key without cert":   {func(o *mqtt.Options) { o.KeyFile = "k" }, "cert_file"},
		"CA without TLS":     {func(o *mqtt.Options) { o.Broker, o.CAFile = "mqtt://h", "ca" }, "mqtts"},
		"no queue":           {func(o *mqtt.Options) { o.Queue = 0 }, "queue: 0"},
		"keep-alive too low": {func(o *mqtt.Options) { o.KeepAlive = 1 }, "keep_alive: 1ns"},
		"back-off inverted":  {func(o *mqtt.Options) { o.BackoffMax = 1 }, "backoff_max"},
		"no prefix":          {func(o *mqtt.Options) { o.Prefix = "" }, "prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			o := mqtt.DefaultOptions()
			c.change(&o)
			err := o.Check()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the error shows a password")
			}
		})
	}
	o := mqtt.DefaultOptions()
	o.Embedded.On = false
	if err := o.Check(); !errors.Is(err, mqtt.ErrNoBroker) {
		t.Error(err)
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{`{"id":"1"}`, `{"id":""}`, `{"id":7}`, `{}`, `[]`, `null`, `{"id":"a","id":"b"}`, "\xff", `{"id":"\ud800"}`,
		`{"ID":"x"}`, `{"id":"` + strings.Repeat("x", 129) + `"}`, strings.Repeat("[", 10000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := mqtt.ParseCommand(b)
		if err != nil {
			return
		}
		if c.ID == "" || len(c.ID) > 128 || string(c.Payload) != string(b) || !json.Valid(b) {
			t.Errorf("%q gave %+v", b, c)
		}
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// proxy passes connections on to a broker; it can stand still with its connections open, or cut them all.
type proxy struct {
	ln     net.Listener
	to     string
	mu     sync.Mutex
	cond   *sync.Cond
	frozen bool
	closed bool
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: to, conns: map[net.Conn]bool{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		p.closed, p.frozen = true, false
		p.mu.Unlock()
		p.cond.Broadcast()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) serve() {
	for {
		a, err := p.ln.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", p.to)
		p.mu.Lock()
		refuse := err != nil || p.closed
		if !refuse {
			p.conns[a], p.conns[b] = true, true
		}
		p.mu.Unlock()
		if refuse {
			a.Close()
			if b != nil {
				b.Close()
			}
			continue
		}
		p.wg.Go(func() { p.pass(a, b) })
		p.wg.Go(func() { p.pass(b, a) })
	}
}

func (p *proxy) pass(from, to net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		p.mu.Lock()
		for p.frozen {
			p.cond.Wait()
		}
		p.mu.Unlock()
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for p.frozen {
			p.cond.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) freeze() { p.mu.Lock(); p.frozen = true; p.mu.Unlock() }

// cut breaks every connection without a goodbye.
func (p *proxy) cut() {
	p.mu.Lock()
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
	p.mu.Unlock()
}

func (p *proxy) let() { p.mu.Lock(); p.frozen = false; p.mu.Unlock(); p.cond.Broadcast() }
