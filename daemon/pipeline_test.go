package daemon

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gleaner/daemon/decide"
	"gleaner/daemon/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares the records of a play with testdata/name.jsonl.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".jsonl")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%swant\n%s(go test ./daemon -run Golden -update writes it anew)", got, want)
	}
}

// verdicts is "class/reason" of each record, in order.
func (p *play) verdicts() string {
	var out []string
	for _, o := range p.inbox.objects {
		out = append(out, strings.TrimSuffix(string(o.Verdict)+" "+o.Class+"/"+o.Reason, "/"))
	}
	return strings.Join(out, ", ")
}

// belt is objects that come in at the left and leave at the right, one of them born past the line, one taken off before
// it, one before it at the end.
func beltActors() []actor {
	return []actor{
		{in: 0, out: 90, x: 4, y: 40, vx: 4, side: 40, shade: 0, class: -1},
		{in: 20, out: 110, x: 4, y: 120, vx: 4, side: 40, shade: 1, class: -1},
		{in: 30, out: 80, x: 200, y: 40, vx: 2, side: 40, shade: 2, class: -1},
		{in: 40, out: 55, x: 4, y: 40, vx: 4, side: 40, shade: 2, class: -1},
		{in: 60, out: 200, x: 4, y: 40, vx: 4, side: 40, shade: 2, class: -1},
		{in: 110, out: 200, x: 4, y: 120, vx: 4, side: 40, shade: 1, class: -1},
	}
}

func onLine(o *PipelineOptions) { o.Decide.When = decide.WhenLine }

// TestGolden is whole plays, record by record.
func TestGolden(t *testing.T) {
	faces := []string{"face", "hand"}
	for _, c := range []struct {
		name     string
		stage    *stage
		eye      *eye // nil: no classifier
		change   func(*PipelineOptions)
		frames   int
		verdicts string
		withheld [withheldReasons]uint64
	}{
		{name: "belt", stage: &stage{actors: beltActors()}, eye: newEye(), change: onLine, frames: 125,
			verdicts: "class glass, class can, class paper", withheld: [withheldReasons]uint64{1, 1, 1}},
		{name: "kiosk", stage: &stage{labels: faces, actors: []actor{
			{in: 5, out: 40, x: 100, y: 60, side: 80, shade: 1, class: 0},
			{in: 80, out: 110, x: 120, y: 50, vx: 0.5, side: 90, shade: 2, class: 0}}}, eye: newEye(), frames: 150,
			change: func(o *PipelineOptions) { o.Decide.Reject = []string{"paper"} }, verdicts: "class can, reject paper/rejected_class"},
		{name: "end", stage: &stage{labels: faces, actors: []actor{
			{in: 5, out: 40, x: 100, y: 60, side: 80, shade: 1, class: 0}}}, eye: newEye(), frames: 100,
			change: func(o *PipelineOptions) { o.Decide.When = decide.WhenEnd }, verdicts: "class can"},
		{name: "detector", stage: &stage{labels: faces, actors: []actor{
			{in: 0, out: 40, x: 40, y: 60, side: 80, class: 1}, {in: 0, out: 40, x: 200, y: 60, side: 80, class: 0}}},
			frames: 60, verdicts: "class hand, class face"},
		{name: "nobody-asked", stage: &stage{actors: []actor{{in: 0, out: 40, x: 40, y: 60, side: 80, class: -1}}},
			frames: 90, verdicts: "unsure /no_classifier"},
		{name: "quality", stage: &stage{actors: []actor{
			{in: 0, out: 40, x: 40, y: 60, side: 8, class: -1}, {in: 0, out: 40, x: 0, y: 120, side: 60, class: -1}}},
			eye: newEye(), frames: 90, verdicts: "unsure /cut_by_border, unsure /too_small"},
		{name: "weak", stage: &stage{actors: []actor{{in: 0, out: 60, x: 40, y: 60, side: 80, class: -1}}},
			eye: &eye{labels: newEye().labels, model: "sha256:aa", sure: 0.4}, frames: 100, verdicts: "unsure /below_threshold"},
		{name: "unknown", stage: &stage{actors: []actor{{in: 0, out: 60, x: 40, y: 60, side: 80, class: -1}}},
			eye: &eye{labels: newEye().labels, model: "sha256:aa", sure: 0.9, familiar: -0.1}, frames: 100,
			change: func(o *PipelineOptions) { o.Decide.Unknown = true }, verdicts: "unsure /unknown_object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play := func() *play {
				var p *play
				s := *c.stage
				if c.eye == nil {
					p = newPlay(t, &s, nil, c.change)
				} else {
					p = newPlay(t, &s, c.eye, c.change)
				}
				p.to(c.frames)
				p.Flush()
				p.audit()
				return p
			}
			p := play()
			if got := p.verdicts(); got != c.verdicts {
				t.Errorf("verdicts %s, want %s", got, c.verdicts)
			}
			s := p.Stats()
			if s.Withheld != c.withheld || s.InView != 0 || s.Pending != 0 {
				t.Errorf("withheld %v, %d in view; want %v and none", s.Withheld, s.InView, c.withheld)
			}
			if n := len(p.inbox.acts) + len(p.inbox.lasts) + len(p.inbox.counts); n > 0 {
				t.Errorf("a replay published %d live messages", n)
			}
			golden(t, c.name, p.inbox.lines.Bytes())
			if again := play(); !bytes.Equal(again.inbox.lines.Bytes(), p.inbox.lines.Bytes()) {
				t.Errorf("a second run gives\n%s", again.inbox.lines.Bytes())
			}
		})
	}
}

// TestLivePublishes is what goes out with a verdict when it is no replay: record, act, last and the class's count.
func TestLivePublishes(t *testing.T) {
	clock := sceneStart
	p := newPlay(t, &stage{actors: []actor{
		{in: 0, out: 40, x: 40, y: 60, side: 80, shade: 1, class: -1}, {in: 2, out: 40, x: 200, y: 60, side: 80, shade: 1, class: -1},
		{in: 0, out: 40, x: 140, y: 160, side: 8, class: -1}}}, newEye(),
		func(o *PipelineOptions) {
			o.Replay, o.Boot, o.Clock = false, "boot-1", func() time.Time { clock = clock.Add(time.Millisecond); return clock }
		})
	for range 120 {
		clock = sceneTime(p.n).Add(5 * time.Millisecond)
		p.to(p.n + 1)
	}
	b := p.inbox
	if got := p.verdicts(); got != "class can, class can, unsure /too_small" || len(b.acts) != 3 || len(b.lasts) != 3 || len(b.counts) != 3 {
		t.Fatalf("verdicts %s; %d acts, %d lasts, %d counts", got, len(b.acts), len(b.lasts), len(b.counts))
	}
	ids := map[string]bool{}
	for i, o := range b.objects {
		if ids[o.ID] || o.ID != b.acts[i].ID || o.ID != b.lasts[i].ID || o.Boot != "boot-1" || o.Seq != uint64(i+1) {
			t.Errorf("record %d: id %s, act %s, last %s, boot %s, seq %d", i, o.ID, b.acts[i].ID, b.lasts[i].ID, o.Boot, o.Seq)
		}
		ids[o.ID] = true
		times := []int64{o.T.Cap, o.T.Det, o.T.Cls, o.T.Dec, o.T.Pub}
		if o.T.Cls == 0 { // never classified
			times = slices.Delete(times, 2, 3)
		}
		if !slices.IsSorted(times) || o.AgeMS <= 0 {
			t.Errorf("record %d: times out of order: %+v, age %v ms", i, o.T, o.AgeMS)
		}
	}
	last := b.counts[len(b.counts)-1]
	if b.counts[0].N != 1 || b.counts[1] != (event.Count{Schema: b.counts[1].Schema, Cam: "belt-1", Class: "can", N: 2, Epoch: "boot-1"}) ||
		last.Class != unsureCount || last.N != 1 {
		t.Errorf("counts %+v", b.counts)
	}
}

// TestSwitchMidObject swaps the classifier while an object collects its votes: only the new one's count.
func TestSwitchMidObject(t *testing.T) {
	p := newPlay(t, &stage{actors: []actor{{in: 0, out: 90, x: 40, y: 60, side: 80, shade: 1, class: -1}}}, newEye(), nil)
	p.decide.Votes, p.decide.MinVotes = 4, 4
	old := p.models.Current().(*eye)
	for old.calls < 2 {
		p.to(p.n + 1)
	}
	fresh := &eye{labels: []string{"a", "b", "c", "d", "e"}, model: "sha256:bb", sure: 0.8, turn: 2}
	p.models.Swap(fresh)
	p.to(90)
	if old.calls != 2 || fresh.calls != 4 {
		t.Errorf("the old model was asked %d times, the new one %d times; want 2 and 4", old.calls, fresh.calls)
	}
	if got := p.verdicts(); got != "class d" {
		t.Fatalf("verdicts %s, want class d of the new model alone", got)
	}
	if o := p.inbox.objects[0]; o.Votes != [2]int{4, 4} || o.Model != "sha256:bb" || len(o.Top) != 3 || o.Top[0].Class != "d" {
		t.Errorf("record %+v", o)
	}
}

// TestSwitchToFewerClasses: an object whose ballot is full under the old model keeps its names.
func TestSwitchToFewerClasses(t *testing.T) {
	p := newPlay(t, &stage{actors: []actor{{in: 0, out: 90, x: 4, y: 60, vx: 3, side: 40, shade: 2, class: -1}}}, newEye(), onLine)
	p.decide.Votes, p.decide.MinVotes = 2, 1
	for p.models.Current().(*eye).calls < 2 {
		p.to(p.n + 1)
	}
	p.models.Swap(&eye{labels: []string{"x", "y"}, model: "sha256:bb", sure: 0.8})
	p.to(90)
	if got := p.verdicts(); got != "class paper" || p.inbox.objects[0].Model != "sha256:aa" {
		t.Errorf("verdicts %s", got)
	}
}

func TestGate(t *testing.T) {
	s := &stage{actors: []actor{{in: 20, out: 80, x: 40, y: 60, side: 80, shade: 1, class: -1}},
		moved: func(n int) bool { return n >= 20 && n < 30 || n == 150 }}
	p := newPlay(t, s, newEye(), func(o *PipelineOptions) { o.Gate = s })
	p.to(160)
	var want []int
	// Open while there is motion; held open while the track lives, for the thing stands still from frame 30 on. The
	// track ends a second (30 frames) after the thing was last seen, and the gate closes.
	for n := 20; n <= 110; n++ {
		want = append(want, n)
	}
	want = append(want, 150)
	if !slices.Equal(s.looked, want) {
		t.Errorf("the detector looked at %v, want %v", s.looked, want)
	}
	if st := p.Stats(); st.Busy != uint64(len(want)) || st.Frames != 160 || st.Objects != 1 {
		t.Errorf("%+v", st)
	}
}

// TestStillObjectKeepsOneTrack: someone who stands for a minute is one object, with one verdict.
func TestStillObjectKeepsOneTrack(t *testing.T) {
	s := &stage{actors: []actor{{in: 5, out: 1800, x: 100, y: 60, side: 80, shade: 1, class: -1}},
		moved: func(n int) bool { return n >= 5 && n < 10 }}
	p := newPlay(t, s, newEye(), func(o *PipelineOptions) { o.Gate = s })
	p.to(1800)
	if st := p.Stats(); st.Objects != 1 || st.Verdicts != 1 || st.InView != 1 || st.Pending != 0 {
		t.Errorf("%+v", st)
	}
}

// TestFailedFrames: a stage that fails costs its frames and nothing else; no track stays for ever.
func TestFailedFrames(t *testing.T) {
	for name, when := range map[string]func(*stage, *eye, func() int){
		"detector":   func(s *stage, _ *eye, _ func() int) { s.fail = func(n int) bool { return n >= 10 && n < 20 } },
		"classifier": func(_ *stage, e *eye, n func() int) { e.fail = func() bool { return n() >= 10 && n() < 70 } },
	} {
		t.Run(name, func(t *testing.T) {
			s, e := &stage{actors: []actor{
				{in: 0, out: 25, x: 40, y: 60, side: 80, shade: 1, class: -1},
				{in: 8, out: 140, x: 180, y: 60, side: 80, shade: 2, class: -1}}}, newEye()
			p := newPlay(t, s, e, func(o *PipelineOptions) { o.Decide.Votes = 100; o.Decide.MinVotes = 100 })
			when(s, e, func() int { return p.n })
			failed := 0
			for p.n < 200 {
				if err := p.step(); err != nil {
					if !strings.Contains(err.Error(), name[:6]) && !strings.Contains(err.Error(), "classify") {
						t.Fatalf("frame %d: %v", p.n-1, err)
					}
					failed++
				}
			}
			st := p.Stats()
			if failed == 0 || st.Failed != uint64(failed) || st.Frames != uint64(200-failed) {
				t.Errorf("%d frames failed; %+v", failed, st)
			}
			if st.Objects != 2 || st.Verdicts != 2 || st.InView != 0 {
				t.Errorf("both objects are gone, and the books say %+v", st)
			}
		})
	}
}

// TestSteadyFrameAllocatesNothing: objects in view, votes under way or done, and no new verdict.
func TestSteadyFrameAllocatesNothing(t *testing.T) {
	for name, change := range map[string]func(*PipelineOptions){
		"line": func(o *PipelineOptions) { o.Decide.When = decide.WhenLine },
		"end":  func(o *PipelineOptions) { o.Decide.When, o.Decide.Votes = decide.WhenEnd, 1<<30 },
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{actors: []actor{
				{in: 0, out: 1e6, x: 40, y: 20, side: 60, shade: 1, class: -1}, {in: 0, out: 1e6, x: 200, y: 20, side: 60, shade: 2, class: -1},
				{in: 0, out: 1e6, x: 40, y: 140, side: 60, shade: 0, class: -1}}, looked: make([]int, 0, 1e4)}
			p := newPlay(t, s, newEye(), change)
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
			if st := p.Stats(); st.InView != 3 || st.Verdicts != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}
