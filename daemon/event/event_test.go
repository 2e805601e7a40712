package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"gleaner/daemon/event"
	"gleaner/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

func liveObject() event.Object {
	return event.Object{
		ID: "0190163d-8694-739b-aea5-966c26f8ad91", Seq: 42, Boot: "b-1", Cam: "belt-1", Track: 17,
		Verdict: event.Class, Class: "glass", P: event.Prob(float32(0.97)),
		Top:   []event.Scored{{Class: "glass", P: 0.97}, {Class: "plastic", P: 0.021239}},
		Votes: [2]int{5, 6}, Box: [4]event.Frac{0.1, 0.2, 1.0 / 3, 1},
		T: event.Times{Cap: 1700000000000000, Det: 1700000000003000, Cls: 1700000000009000,
			Dec: 1700000000010000, Pub: 1700000000012400},
		AgeMS: event.MillisOf(12437 * time.Microsecond), ActuateAt: 1700000000500000, Model: "sha256:0a1b", Rev: 7,
	}
}

func replayObject() event.Object {
	o := liveObject()
	o.ID = event.ReplayID("belt:", "벨트/1 +#", 17)
	o.Cam, o.Class, o.Boot, o.AgeMS, o.T.Pub, o.ActuateAt = "벨트/1 +#", "", "", 0, 0, 0
	o.Verdict, o.Top, o.Reason = event.Unsure, nil, "no vote reached 0.6 <안녕>"
	return o
}

// liveCrop belongs to liveObject; its picture is the least that begins and ends as a JPEG does.
func liveCrop() event.Crop {
	o := liveObject()
	return event.Crop{ID: o.ID, Boot: o.Boot, Cam: "벨트/1 +#", Track: o.Track, Verdict: o.Verdict, Class: "유리 <glass>", P: o.P,
		Cap: o.T.Cap - 33000, Rect: o.Box, JPEG: []byte{0xff, 0xd8, 0xff, 0xd9}}
}

// samples is one event of each type at least, by the name of its golden file; what stands before the first dot is the
// name of its schema.
func samples() map[string]event.Event {
	late := liveObject()
	late.Verdict, late.Reason, late.Spooled = event.Late, "decided 12.0 ms after its deadline", true
	return map[string]event.Event{
		"object.live":   liveObject(),
		"object.replay": replayObject(),
		"object.late":   late,
		"act":           liveObject().Act(),
		"last":          replayObject().Last(),
		"presence.entered": event.Presence{ID: liveObject().ID, Boot: "b-1", Cam: "kiosk", Track: 3,
			Phase: event.Entered, At: 1700000000000000},
		"presence.left": event.Presence{ID: liveObject().ID, Boot: "b-1", Cam: "kiosk", Track: 3, Phase: event.Left,
			At: 1700000004000000, Verdict: event.Class, Class: "mask", P: 0.99996, DwellMS: 4000},
		"crossing": event.Crossing{ID: liveObject().ID, Boot: "b-1", Cam: "벨트/1 +#", Line: "문 / door", Track: 17,
			Direction: event.Back, Class: "person", Forward: 12, Back: 13, Net: -1, Epoch: "b-1", T: liveObject().T},
		"crossing.replay": event.Crossing{ID: event.ReplayEventID("belt:", "belt-1", 17, "line", "in", 3), Cam: "belt-1", Line: "in",
			Track: 17, Direction: event.Forward, Forward: 3, Net: 3, T: replayObject().T},
		"zone.entered": event.Zone{ID: liveObject().ID, Boot: "b-1", Cam: "kiosk", Zone: "앞 #1", Track: 3, Phase: event.Entered,
			Class: "face", Inside: 2, T: liveObject().T},
		"zone.left": event.Zone{ID: event.ReplayEventID("belt:", "kiosk", 3, "zone", "앞 #1", 2), Cam: "kiosk", Zone: "앞 #1", Track: 3,
			Phase: event.Left, DwellMS: 4000.04, T: replayObject().T},
		"crop":           liveCrop(),
		"count":          event.Count{Cam: "벨트/1 +#", Class: "유리 / glass", N: 18446744073709551615, Epoch: "b-1"},
		"status.online":  event.Status{Cam: "belt-1", State: event.Online, Since: 1700000000000000},
		"status.offline": event.Status{Cam: "belt-1", State: event.Offline, Reason: "no such device", Since: 1},
		"info": event.Info{Site: "공장", Node: "line-3", Software: "0.1.0", Boot: "b-1", Started: 1700000000000000, Rev: 7,
			Cameras: []string{"belt-1"}, Models: []event.ModelInfo{{Name: "textile", Version: "1", Task: "classify",
				SHA256: "sha256:0a1b", Delegate: "xnnpack", Ladder: []model.Rung{
					{Name: "external:libedgetpu.so.1", Reason: "no such file"}, {Name: "xnnpack", Used: true}}}}},
		"info.bare":      event.Info{Boot: "b-1"},
		"availability":   event.AvailStopped,
		"metrics":        event.Metrics{Boot: "b-1", At: 1700000000000000, Values: map[string]float64{"b": 2.5, "a": 1}},
		"metrics.empty":  event.Metrics{At: 1},
		"command.ok":     event.CommandResult{ID: "c-1", Verb: "ping", OK: true, Result: "pong", At: 1700000000000000},
		"command.failed": event.CommandResult{Verb: "models-use", Error: "no such bundle", At: 1700000000000000},
	}
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	b, err := fs.ReadFile(event.Schemas(), name+".json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	if err := c.AddResource(name+".json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func payload(t *testing.T, e event.Event) []byte {
	t.Helper()
	b, err := event.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for name, e := range samples() {
		t.Run(name, func(t *testing.T) {
			got := payload(t, e)
			kind, _, _ := strings.Cut(name, ".")
			if kind == "crop" { // its JSON is in the picture's comment
				note, err := event.CropComment(got)
				if err != nil {
					t.Fatal(err)
				}
				got = note
			}
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(append(got, '\n'), want) {
				t.Errorf("got  %s\nwant %s(go test ./daemon/event -update writes it anew)", got, want)
			}
			if one, again := payload(t, e), payload(t, e); !bytes.Equal(one, again) {
				t.Errorf("the second marshalling differs:\n%s\n%s", one, again)
			}
			seen[kind] = true
			validate(t, kind, got)
		})
	}
	files, _ := fs.Glob(event.Schemas(), "*.json")
	if len(files) != 13 {
		t.Errorf("%d schemas, want 13: %v", len(files), files)
	}
	for _, f := range files {
		if !seen[strings.TrimSuffix(f, ".json")] {
			t.Errorf("%s has no sample", f)
		}
	}
}

// validate checks a payload against its schema, and that the schema knows every member of it.
func validate(t *testing.T, kind string, got []byte) {
	t.Helper()
	if kind == "availability" {
		got, _ = json.Marshal(string(got))
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if err := compile(t, kind).Validate(v); err != nil {
		t.Errorf("%s: %v", got, err)
	}
	members, ok := v.(map[string]any)
	if !ok {
		return
	}
	var s struct{ Properties map[string]any }
	b, _ := fs.ReadFile(event.Schemas(), kind+".json")
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	for m := range members {
		if s.Properties[m] == nil {
			t.Errorf("schema %s does not describe %q", kind, m)
		}
	}
	if members["schema"] != kind+"/1" {
		t.Errorf("schema member is %v", members["schema"])
	}
}

func TestSchemaRefuses(t *testing.T) {
	good := string(payload(t, liveObject()))
	for name, swap := range map[string][2]string{
		"unknown verdict":  {`"verdict":"class"`, `"verdict":"maybe"`},
		"p above 1":        {`"p":0.97,"top"`, `"p":1.2,"top"`},
		"box of 3":         {`"box":[0.1,`, `"box":[`},
		"box in pixels":    {`0.33333,1]`, `640,480]`},
		"id no uuid":       {`0190163d-8694`, `0190163d8694`},
		"no cam":           {`"cam":"belt-1",`, ``},
		"another schema":   {`object/1`, `object/2`},
		"time as a string": {`"cap":1700000000000000`, `"cap":"now"`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, swap[0], swap[1], 1)
			if bad == good {
				t.Fatalf("%q is not in %s", swap[0], good)
			}
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
			if err != nil {
				t.Fatal(err)
			}
			if compile(t, "object").Validate(v) == nil {
				t.Errorf("accepted %s", bad)
			}
		})
	}
}

func TestReplayLeavesOutTheWallClock(t *testing.T) {
	var m map[string]any
	if err := json.Unmarshal(payload(t, replayObject()), &m); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"boot", "age_ms"} {
		if _, ok := m[k]; ok {
			t.Errorf("%s is there", k)
		}
	}
	if _, ok := m["t"].(map[string]any)["pub"]; ok {
		t.Error("t.pub is there")
	}
}

func TestPointersAreEvents(t *testing.T) {
	o := liveObject()
	if a, b := payload(t, o), payload(t, &o); !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
	if _, ok := event.Value(&o).(event.Object); !ok {
		t.Errorf("Value of a pointer is %T", event.Value(&o))
	}
}

func TestRounding(t *testing.T) {
	for name, c := range map[string]struct {
		v    any
		want string
	}{
		"float32 tail":   {event.Prob(float32(0.97)), "0.97"},
		"half up":        {event.Prob(0.12345), "0.1235"},
		"one":            {event.Prob(0.99999), "1"},
		"minus zero":     {event.Frac(-1e-9), "0"},
		"five":           {event.Frac(2.0 / 3), "0.66667"},
		"age":            {event.Millis(12.449), "12.4"},
		"large, no 1e21": {event.Millis(1e9), "1000000000"},
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := json.Marshal(c.v); err != nil || string(b) != c.want {
				t.Errorf("%s, %v; want %s", b, err, c.want)
			}
		})
	}
	o := liveObject()
	o.P = event.Prob(math.NaN())
	if b, err := event.Marshal(o); err == nil {
		t.Errorf("NaN became %s", b)
	}
}

func TestIDs(t *testing.T) {
	a := event.ReplayID("file:a.mp4", "cam", 1)
	if a != "f931a8be-60e2-8b11-b4e8-b09f803cdc16" {
		t.Errorf("the id of a replay changed: %s", a)
	}
	u, err := uuid.Parse(a)
	if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		t.Errorf("%s: version %d, variant %v, %v", a, u.Version(), u.Variant(), err)
	}
	others := map[string]string{
		"track":    event.ReplayID("file:a.mp4", "cam", 2),
		"cam":      event.ReplayID("file:a.mp4", "cam2", 1),
		"source":   event.ReplayID("file:b.mp4", "cam", 1),
		"boundary": event.ReplayID("file:a.mp4c", "am", 1),
	}
	for what, id := range others {
		if id == a {
			t.Errorf("another %s has the same id", what)
		}
	}
	c := event.ReplayEventID("file:a.mp4", "cam", 1, "line", "in", 1)
	if c != event.ReplayEventID("file:a.mp4", "cam", 1, "line", "in", 1) {
		t.Error("the id of a crossing is another the second time")
	}
	for what, id := range map[string]string{
		"object": a, "kind": event.ReplayEventID("file:a.mp4", "cam", 1, "zone", "in", 1),
		"name": event.ReplayEventID("file:a.mp4", "cam", 1, "line", "out", 1), "number": event.ReplayEventID("file:a.mp4", "cam", 1, "line", "in", 2),
	} {
		if id == c {
			t.Errorf("another %s has the same id", what)
		}
	}
	l, m := event.LiveID(), event.LiveID()
	if v, err := uuid.Parse(l); err != nil || v.Version() != 7 || l >= m {
		t.Errorf("%s then %s: %v", l, m, err)
	}
}

type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestJSONLines(t *testing.T) {
	var b bytes.Buffer
	j := event.NewJSONLines(&b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				j.Publish(replayObject())
				j.Publish(event.AvailOnline)
				j.Publish(liveCrop())
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 400 || j.Err() != nil {
		t.Fatalf("%d lines, %v", len(lines), j.Err())
	}
	want := string(payload(t, replayObject()))
	for _, l := range lines {
		if l != want {
			t.Fatalf("got %s", l)
		}
	}

	f := event.NewJSONLines(&failing{n: 1})
	f.Publish(replayObject())
	if f.Err() != nil {
		t.Fatal(f.Err())
	}
	f.Publish(replayObject())
	if f.Err() == nil || !strings.Contains(f.Err().Error(), "disk full") {
		t.Errorf("error is %v", f.Err())
	}
}
