package daemon

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleaner/daemon/event"
	"gleaner/detect/track"
)

// doorAndTable are a line across the middle of the picture, which what moves to the right crosses forward, and a zone
// that is its middle.
func doorAndTable(o *PipelineOptions) {
	o.Track.Lines = []track.Line{{Name: "문 / door", A: track.Point{0.5, 1}, B: track.Point{0.5, 0}}}
	o.Track.Zones = []track.Zone{{Name: "table #1", Polygon: []track.Point{{0.3, 0}, {0.7, 0}, {0.7, 1}, {0.3, 1}}}}
}

// passers are one that goes right, one that goes left, and one that comes to stay.
func passers() []actor {
	return []actor{
		{in: 0, out: 76, x: 4, y: 20, vx: 4, side: 40, shade: 0, class: 0},
		{in: 10, out: 80, x: 270, y: 150, vx: -4, side: 40, shade: 1, class: 1},
		{in: 30, out: 1000, x: 140, y: 80, side: 30, shade: 2, class: 0},
	}
}

// traffic is what was heard of lines and zones, a word for each message.
func (b *inbox) traffic() string {
	var out []string
	for _, c := range b.crossed {
		out = append(out, fmt.Sprintf("%d %s %s %d-%d=%d", c.Track, c.Class, c.Direction, c.Forward, c.Back, c.Net))
	}
	for _, v := range b.visits {
		out = append(out, fmt.Sprintf("%d %s %s inside %d", v.Track, v.Class, v.Phase, v.Inside))
	}
	return strings.Join(out, ", ")
}

// TestTraffic is a replay of who crosses a line and comes into a zone, message by message, twice.
func TestTraffic(t *testing.T) {
	run := func() *play {
		p := newPlay(t, &stage{labels: []string{"face", "hand"}, actors: passers()}, newEye(), doorAndTable)
		p.to(150)
		p.Flush()
		return p
	}
	p := run()
	want := "1 face forward 1-0=1, 2 hand back 1-1=0, 1 face entered inside 1, 2 hand entered inside 2, 3 face entered inside 3, " +
		"1 face left inside 2, 2 hand left inside 1, 3 face left inside 0"
	if got := p.inbox.traffic(); got != want {
		t.Errorf("heard\n%s, want\n%s", got, want)
	}
	golden(t, "traffic", p.inbox.lines.Bytes())
	if again := run(); !bytes.Equal(again.inbox.lines.Bytes(), p.inbox.lines.Bytes()) {
		t.Errorf("a second run gives\n%s", again.inbox.lines.Bytes())
	}
	ids := map[string]bool{}
	for _, c := range p.inbox.crossed {
		ids[c.ID] = true
	}
	for _, v := range p.inbox.visits {
		ids[v.ID] = true
		if (v.DwellMS > 0) != (v.Phase == event.Left) {
			t.Errorf("%s after %v ms", v.Phase, v.DwellMS)
		}
	}
	if len(ids) != 8 {
		t.Errorf("%d ids of 8 messages", len(ids))
	}
	lines, zones := p.Traffic()
	if lines[0] != (LineCount{"문 / door", 1, 1}) || zones[0] != (ZoneCount{"table #1", 3, 0}) {
		t.Errorf("totals %+v %+v", lines, zones)
	}
}

// TestTrafficLive: a live message has the boot as its epoch, and the wall clock.
func TestTrafficLive(t *testing.T) {
	now := sceneTime(1000)
	p := newPlay(t, &stage{labels: []string{"face", "hand"}, actors: passers()}, newEye(), func(o *PipelineOptions) {
		doorAndTable(o)
		o.Replay, o.Boot, o.Clock = false, "boot-1", func() time.Time { return now }
	})
	p.to(80)
	if len(p.inbox.crossed) != 2 || len(p.inbox.visits) < 3 {
		t.Fatalf("heard %s", p.inbox.traffic())
	}
	c, v := p.inbox.crossed[0], p.inbox.visits[0]
	if c.Epoch != "boot-1" || c.Boot != "boot-1" || c.T.Pub != event.Micros(now) || c.T.Cap >= c.T.Pub || v.Boot != "boot-1" || v.ID == c.ID {
		t.Errorf("%+v\n%+v", c, v)
	}
}

// TestTrafficAllocatesNothing while nobody crosses: with a line and a zone, objects inside and outside.
func TestTrafficAllocatesNothing(t *testing.T) {
	s := &stage{actors: []actor{{in: 0, out: 1e6, x: 40, y: 20, side: 60, class: -1}, {in: 0, out: 1e6, x: 130, y: 140, side: 60, class: -1}},
		looked: make([]int, 0, 1e4)}
	p := newPlay(t, s, newEye(), func(o *PipelineOptions) { doorAndTable(o); o.Decide.When = "line" })
	p.decide.Interval = 0
	p.to(60)
	f := frame(60, s.actors)
	if n := testing.AllocsPerRun(200, func() {
		f.Time = f.Time.Add(scenePeriod)
		if err := p.Step(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations per frame, want 0", n)
	}
	if _, zones := p.Traffic(); zones[0].Inside != 1 {
		t.Errorf("%+v", zones)
	}
}

// TestNoTraffic: where nothing is configured, nothing is counted.
func TestNoTraffic(t *testing.T) {
	p := newPlay(t, &stage{actors: passers()}, newEye(), nil)
	p.to(100)
	p.Flush()
	if lines, zones := p.Traffic(); p.traffic != nil || lines != nil || zones != nil || p.inbox.traffic() != "" {
		t.Errorf("%v %v %s", lines, zones, p.inbox.traffic())
	}
}

// TestBeltSpeed: the speed that the objects share is in the books.
func TestBeltSpeed(t *testing.T) {
	p := newPlay(t, &stage{actors: []actor{{in: 0, out: 70, x: 4, y: 20, vx: 4, side: 40, class: -1},
		{in: 0, out: 70, x: 4, y: 140, vx: 4, side: 40, class: -1}}}, newEye(), nil)
	p.to(50)
	if s := p.Stats(); !s.BeltMoves || s.BeltX < 115 || s.BeltX > 125 || s.BeltY > 3 || s.BeltY < -3 {
		t.Errorf("%g, %g px/s, want 120, 0", s.BeltX, s.BeltY)
	}
}
