package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"gleaner/capture"
	"gleaner/daemon/event"
	"gleaner/daemon/mqtt"
	"gleaner/daemon/web"
)

// patience is how long a test waits for what must come; it is no measure of speed.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// tiles are pictures for the belt: bright squares and bars on black.
type tiles struct{}

func (tiles) Labels() []string  { return []string{"square", "bar"} }
func (tiles) Len() int          { return 2 }
func (tiles) Label(i int) int   { return i }
func (tiles) Path(i int) string { return fmt.Sprint("tile ", i) }
func (tiles) Cutout() bool      { return true }
func (tiles) Image(i int) (capture.Image, error) {
	im := capture.NewImage(28, 28)
	for y := 4; y < 24; y++ {
		for x := 3 * (4 + 6*i); x < 3*(24-6*i); x++ {
			im.Row(y)[x] = 230
		}
	}
	return im, nil
}

// gone is a camera that does not exist.
type gone struct{}

func (gone) Open(context.Context) (capture.Source, error) {
	return nil, errors.New("/dev/video9: no such device")
}
func (gone) NewBuffer() capture.Buffer { return &capture.Memory{} }
func (gone) Finite() bool              { return false }
func (gone) String() string            { return "v4l2:9" }

// hung is a camera whose reads end only with ctx, as those of a stream that fell silent.
type hung struct{}

func (hung) Open(context.Context) (capture.Source, error) { return hung{}, nil }
func (hung) NewBuffer() capture.Buffer                    { return &capture.Memory{} }
func (hung) Finite() bool                                 { return false }
func (hung) String() string                               { return "hung" }
func (hung) Close() error                                 { return nil }
func (hung) Read(ctx context.Context, _ capture.Buffer) (time.Time, error) {
	<-ctx.Done()
	return time.Time{}, ctx.Err()
}

func device(o capture.Options) (capture.Device, error) {
	switch o.Source {
	case "gone":
		return gone{}, nil
	case "hung":
		return hung{}, nil
	}
	return capture.NewBelt(o, tiles{})
}

// small is a camera before a small drawn belt.
func small(name, source string) CameraSpec {
	c := DefaultCamera()
	c.Name, c.Source = name, source
	c.Width, c.Height, c.FPS, c.Detect.Motion.Width = 160, 120, 20, 160 // few pixels: the race detector counts each
	c.Belt.Speed, c.Belt.Gap, c.Belt.StopEvery, c.Belt.ReverseEvery = 100, 40, 0, 0
	c.Belt.Touching, c.Belt.LightDrift, c.Belt.LightStepEvery = 0, 0, 0
	return c
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a daemon at work and what a subscriber hears of it.
type running struct {
	t    *testing.T
	addr Addresses
	log  lines
	stop context.CancelFunc
	err  error
	wg   sync.WaitGroup

	client paho.Client
	mu     sync.Mutex
	heard  map[string][]string // payloads by topic, below the node
}

// startDaemon runs the daemon until stop; every message it sends is held against its schema.
func startDaemon(t *testing.T, o Options, device func(capture.Options) (capture.Device, error), change ...func(*RunOptions)) *running {
	t.Helper()
	if o.Models.Dir == "" {
		o.Models.Dir = t.TempDir()
	}
	o.MQTT.Node, o.MQTT.Site, o.MQTT.Embedded.Listen, o.Web.Listen = "n1", "공장/1", "127.0.0.1:0", "127.0.0.1:0"
	r := &running{t: t, heard: map[string][]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	t.Cleanup(func() { cancel(); r.wg.Wait() }) // after a test that failed half-way
	ready, ended := make(chan Addresses, 1), make(chan struct{})
	r.wg.Go(func() {
		defer close(ended)
		ro := RunOptions{Log: slog.New(slog.NewTextHandler(&r.log, nil)), Version: "test", Device: device,
			OnReady: func(a Addresses) { ready <- a }}
		for _, c := range change {
			c(&ro)
		}
		r.err = Run(ctx, o, ro)
	})
	select {
	case r.addr = <-ready:
	case <-ended:
		cancel()
		t.Fatalf("the daemon did not start: %v", r.err)
	}
	po := paho.NewClientOptions().AddBroker("tcp://" + r.addr.Broker).SetClientID("test").SetOrderMatters(true).SetAutoReconnect(false)
	r.client = paho.NewClient(po)
	r.wait("connect", r.client.Connect())
	r.wait("subscribe", r.client.Subscribe(r.addr.Topics+"/#", 1, r.take))
	return r
}

func (r *running) wait(what string, tok paho.Token) {
	r.t.Helper()
	if !tok.WaitTimeout(patience) || tok.Error() != nil {
		r.t.Fatalf("%s: %v", what, tok.Error())
	}
}

func (r *running) take(_ paho.Client, m paho.Message) {
	topic := strings.TrimPrefix(m.Topic(), r.addr.Topics+"/")
	kind := strings.Split(topic, "/")
	name := kind[0]
	switch {
	case name == "cam" && len(kind) > 2 && kind[2] == "line":
		name = "crossing"
	case name == "cam" && len(kind) > 2:
		name = kind[2]
	case name == "cmd" && len(kind) == 3:
		name = "command"
	case name == "cmd":
		return // what this test said itself
	}
	if err := validEvent(name, m.Payload()); err != nil {
		r.t.Errorf("%s: %s: %v", topic, m.Payload(), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard[topic] = append(r.heard[topic], string(m.Payload()))
}

// said is what was heard on a topic so far.
func (r *running) said(topic string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.heard[topic]...)
}

// finish stops the daemon, which may not take longer than it is allowed, and returns its error.
func (r *running) finish() error {
	r.t.Helper()
	began := time.Now()
	r.stop()
	r.wg.Wait()
	if d := time.Since(began); d > ShutdownTime {
		r.t.Errorf("the daemon took %v to stop", d)
	}
	r.client.Disconnect(100)
	http.DefaultClient.CloseIdleConnections()
	return r.err
}

// snapshot asks the page.
func (r *running) snapshot() web.Snapshot {
	r.t.Helper()
	var s web.Snapshot
	res, err := http.Get("http://" + r.addr.Web + "/api/status.json")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var wrapped struct {
		web.Snapshot
	}
	if err := json.NewDecoder(res.Body).Decode(&wrapped); err != nil {
		r.t.Fatal(err)
	}
	s = wrapped.Snapshot
	return s
}

func leaks(t *testing.T) {
	t.Helper()
	already := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, already) })
}

// TestRun is the daemon on a drawn belt, from the first frame to the last word.
func TestRun(t *testing.T) {
	leaks(t)
	o := DefaultOptions()
	const hostile = "벨트/+#1"
	o.Cameras = []CameraSpec{small(hostile, "belt:")}
	r := startDaemon(t, o, device)
	cam := "cam/" + mqtt.Escape(hostile) + "/"
	eventually(t, "three objects", func() bool { return len(r.said(cam+"object")) >= 3 })
	var obj event.Object
	if err := json.Unmarshal([]byte(r.said(cam + "object")[0]), &obj); err != nil || obj.Cam != hostile || obj.Reason != reasonNoClassifier {
		t.Errorf("record %+v, %v", obj, err)
	}
	for topic, want := range map[string]string{"availability": "online", "info": `"cameras":["` + hostile + `"]`,
		cam + "status": `"state":"online"`, cam + "last": `"schema":"last/1"`, cam + "count/unsure": `"epoch":"` + obj.Boot + `"`} {
		eventually(t, topic, func() bool { return strings.Contains(strings.Join(r.said(topic), " "), want) })
	}
	s := r.snapshot()
	if len(s.Cameras) != 1 || s.Cameras[0].Name != hostile || s.Cameras[0].State != event.Online || s.Site != "공장/1" {
		t.Errorf("page %+v", s)
	}
	checkMetrics(t, r.addr.Web, hostile)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	if got := r.said("availability"); !slices.Equal(got, []string{"online", "stopped"}) {
		t.Errorf("availability was %v, and is to be online and then stopped", got)
	}
	checkSummary(t, r.log.String(), hostile)
}

// TestRunWithoutCamera: a camera that does not exist, and one that fell silent, keep nobody else from working, and say
// what is wrong.
func TestRunWithoutCamera(t *testing.T) {
	leaks(t)
	o := DefaultOptions()
	o.Cameras = []CameraSpec{small("none", "gone"), small("silent", "hung"), small("belt", "belt:")}
	o.Cameras[1].Stall = 200 * time.Millisecond
	r := startDaemon(t, o, device)
	eventually(t, "an object of the belt", func() bool { return len(r.said("cam/belt/object")) >= 1 })
	eventually(t, "the missing camera's status", func() bool {
		return strings.Contains(strings.Join(r.said("cam/none/status"), " "), `"state":"offline","reason":"/dev/video9: no such device"`)
	})
	eventually(t, "the silent camera's status", func() bool {
		return strings.Contains(strings.Join(r.said("cam/silent/status"), " "), "no frame for 200ms") // stalled, and offline soon after
	})
	for _, c := range r.snapshot().Cameras {
		if c.Name == "none" && (c.State != event.Offline || c.Frames != 0) || c.Name == "belt" && c.State != event.Online {
			t.Errorf("page %+v", c)
		}
	}
	if err := r.finish(); err != nil {
		t.Error(err)
	}
}

// TestRunRefuses: what cannot be opened at the start is an error, and nothing is left behind.
func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no such model": {func(o *Options) { o.Cameras[1].Classify.Models = []string{"garmnts"} }, "camera two: classify: "},
		"no such detector": {func(o *Options) { o.Cameras[1].Detect.Kind, o.Cameras[1].Detect.Model = "ssd", "none" },
			"camera two: detect: "},
		"belt too fast": {func(o *Options) { o.Cameras[1].Belt.Speed = 1e6 }, "camera two: source: "},
		"broker":        {func(o *Options) { o.MQTT.Broker = "ftp://x" }, "mqtt: "},
		"page":          {func(o *Options) { o.Web.Listen = "203.0.113.1:80" }, "web: listen on 203.0.113.1:80"},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			o := DefaultOptions()
			o.Cameras = []CameraSpec{small("one", "belt:"), small("two", "belt:")}
			o.Models.Dir, o.MQTT.Embedded.Listen, o.Web.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
			c.change(&o)
			err := Run(t.Context(), o, RunOptions{Log: slog.New(slog.DiscardHandler), Device: device})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %q first", err, c.want)
			}
		})
	}
}

// TestCommands asks the daemon over MQTT.
func TestCommands(t *testing.T) {
	leaks(t)
	o := DefaultOptions()
	o.Cameras = []CameraSpec{small("belt", "belt:")}
	r := startDaemon(t, o, device)
	eventually(t, "the daemon is online", func() bool { return len(r.said("availability")) > 0 })
	for _, c := range []struct{ name, verb, payload, want string }{
		{"status", "status", `{"id":"1"}`, `"ok":true`},
		{"no bundle named", "models-use", `{"id":"2"}`, `needs {\"bundle\":\"name\"}`},
		{"no such bundle", "models-use", `{"id":"3","bundle":"garmnts"}`, `no bundle \"garmnts\" is installed`},
		{"a path", "models-use", `{"id":"4","bundle":"../../etc"}`, `is not the name or id of an installed bundle`},
		{"unknown", "dance", `{"id":"5"}`, `unknown command`},
		{"no JSON", "status", `hello`, `"ok":false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(r.said("cmd/" + c.verb + "/result"))
			r.wait("command", r.client.Publish(r.addr.Topics+"/cmd/"+c.verb, 1, false, c.payload))
			eventually(t, "an answer", func() bool { return len(r.said("cmd/"+c.verb+"/result")) > before })
			if got := r.said("cmd/" + c.verb + "/result")[before]; !strings.Contains(got, c.want) {
				t.Errorf("answer %s, want %s in it", got, c.want)
			}
		})
	}
	if err := r.finish(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsToldTooEarly: the page and the commands come up before the cameras, and answer in between.
func TestNothingIsToldTooEarly(t *testing.T) {
	d := &daemon{r: RunOptions{Version: "v"}, started: time.Now()}
	if s := d.Snapshot(); s.Software != "v" || len(s.Cameras) != 0 {
		t.Errorf("snapshot %+v", s)
	}
	if _, err := d.command(t.Context(), "status", nil); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("command: %v", err)
	}
}

// TestReplayTwice: the belt from end to end, twice, gives the same bytes, and every item one record.
func TestReplayTwice(t *testing.T) {
	leaks(t)
	spec := small("belt", "belt:")
	spec.Belt.Count = 5
	run := func() (string, ReplayResult) {
		var b bytes.Buffer
		sink := event.NewJSONLines(&b)
		res, err := Replay(t.Context(), spec, ModelOptions{Dir: t.TempDir(), Threads: 1}, ReplayOptions{Sink: sink, Device: device})
		if err != nil || sink.Err() != nil {
			t.Fatal(err, sink.Err())
		}
		return b.String(), res
	}
	one, res := run()
	two, _ := run()
	if one != two {
		t.Errorf("first\n%ssecond\n%s", one, two)
	}
	p, c := res.Pipeline, res.Camera
	if n := strings.Count(one, "\n"); n != 5 || p.Verdicts != 5 {
		t.Errorf("%d records of 5 items; %+v", n, p)
	}
	if c.Frames != p.Frames+p.Failed || c.Drops != 0 || p.balance() != nil || p.Pending != 0 {
		t.Errorf("camera %+v, pipeline %+v", c, p)
	}
	for line := range strings.Lines(one) {
		if err := validEvent("object", []byte(line)); err != nil {
			t.Error(err)
		}
	}
}

// TestReplayRefuses: no frame, no source, an end in between.
func TestReplayRefuses(t *testing.T) {
	leaks(t)
	models := ModelOptions{Dir: t.TempDir(), Threads: 1}
	sink := event.NewJSONLines(&bytes.Buffer{})
	spec := small("x", "gone")
	var setup *SetupError
	finite := func(capture.Options) (capture.Device, error) { return finiteGone{}, nil }
	if _, err := Replay(t.Context(), spec, models, ReplayOptions{Sink: sink, Device: finite}); !errors.As(err, &setup) ||
		!strings.Contains(err.Error(), "no such device") {
		t.Errorf("a source that cannot be opened: %v", err)
	}
	spec = small("x", "belt:")
	spec.Belt.Count = 100
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Replay(ctx, spec, models, ReplayOptions{Sink: sink, Device: device, Progress: func(uint64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a replay that is stopped: %v", err)
	}
}

type finiteGone struct{ gone }

func (finiteGone) Finite() bool { return true }
