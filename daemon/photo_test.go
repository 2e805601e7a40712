package daemon

import (
	"bytes"
	"image/jpeg"
	"testing"
	"time"

	"gleaner/daemon/crop"
	"gleaner/daemon/decide"
	"gleaner/daemon/event"
)

// withCrops has pictures made into the play's inbox, and returns what ends that.
func withCrops(t *testing.T, s *stage, e *eye, change func(*PipelineOptions)) (*play, *crop.Maker) {
	var p *play
	m := crop.NewMaker(crop.DefaultOptions(), func(c event.Crop) { p.inbox.Publish(c) })
	t.Cleanup(func() { m.Close() })
	opts := func(o *PipelineOptions) {
		o.Replay, o.Boot, o.Clock, o.Crops = false, "boot-1", func() time.Time { return sceneTime(1000) }, m
		if change != nil {
			change(o)
		}
	}
	if e == nil {
		p = newPlay(t, s, nil, opts)
	} else {
		p = newPlay(t, s, e, opts)
	}
	return p, m
}

// TestOnePictureForEachVerdict: whatever asks, each record has one picture or a reason why not, under its own id.
func TestOnePictureForEachVerdict(t *testing.T) {
	for _, c := range []struct {
		name     string
		eye      *eye
		labels   []string
		change   func(*PipelineOptions)
		pictures int
	}{
		{name: "votes", eye: newEye(), pictures: 6},
		{name: "line", eye: newEye(), change: onLine, pictures: 4},
		{name: "end", eye: newEye(), change: func(o *PipelineOptions) { o.Decide.When = decide.WhenEnd }, pictures: 6},
		{name: "nobody asked, at the line", change: onLine, pictures: 4},
		{name: "nobody asked, at the end", change: func(o *PipelineOptions) { o.Decide.When = decide.WhenEnd }, pictures: 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, m := withCrops(t, &stage{actors: beltActors(), labels: c.labels}, c.eye, c.change)
			p.to(240)
			p.Flush()
			p.audit()
			m.Close()
			s, verdicts := m.Stats(), p.Stats().Verdicts
			if s.Asked != verdicts || int(s.Made) != c.pictures || len(p.inbox.crops) != c.pictures || s.Waiting != 0 ||
				s.Made+s.Lost[crop.LostNoPicture] != s.Asked {
				t.Errorf("%d verdicts, %d heard, want %d: %+v", verdicts, len(p.inbox.crops), c.pictures, s)
			}
			records := map[string]event.Object{}
			for _, o := range p.inbox.objects {
				records[o.ID] = o
			}
			for _, k := range p.inbox.crops {
				o, ok := records[k.ID]
				if !ok || k.Class != o.Class || k.Track != o.Track || k.Verdict != o.Verdict || k.Cap > o.T.Cap || k.Boot != "boot-1" {
					t.Errorf("picture %+v of %+v", k, o)
				}
				if im, err := jpeg.Decode(bytes.NewReader(k.JPEG)); err != nil || im.Bounds().Dx() < 40 || im.Bounds().Dx() > 48 {
					t.Errorf("%v, %v", im.Bounds(), err)
				}
				delete(records, k.ID)
			}
		})
	}
}

// unsteady is an eye that is surest in one frame of a few.
func unsteady(best int) *eye {
	e := newEye()
	n := 0
	e.fail = func() bool {
		e.sure = 0.7
		if n == best {
			e.sure = 0.95
		}
		n++
		return false
	}
	return e
}

// TestSurestPicture: of the crops that voted the surest one is the picture, though others came later.
func TestSurestPicture(t *testing.T) {
	s := &stage{actors: []actor{{in: 0, out: 60, x: 60, y: 60, side: 80, shade: 1, class: -1}}}
	p, m := withCrops(t, s, unsteady(2), func(o *PipelineOptions) { o.Decide.When, o.Decide.Interval = decide.WhenEnd, 0 })
	var votes []time.Time
	for p.n < 60 {
		before := p.Stats().Crops
		at := sceneTime(p.n)
		if err := p.step(); err != nil {
			t.Fatal(err)
		}
		if p.Stats().Crops > before {
			votes = append(votes, at)
		}
	}
	p.Flush()
	m.Close()
	if len(votes) < 4 || len(p.inbox.crops) != 1 || p.inbox.crops[0].Cap != event.Micros(votes[2]) {
		t.Errorf("%d votes at %v, pictures %+v", len(votes), votes, p.inbox.crops)
	}
}

// TestPicturesAllocateNothing while votes come in.
func TestPicturesAllocateNothing(t *testing.T) {
	s := &stage{actors: []actor{{in: 0, out: 1e6, x: 40, y: 20, side: 60, shade: 1, class: -1}}, looked: make([]int, 0, 1e4)}
	p, _ := withCrops(t, s, newEye(), func(o *PipelineOptions) {
		o.Decide.When, o.Decide.Votes, o.Decide.Interval = decide.WhenEnd, 1<<30, 0
	})
	p.to(60)
	f := frame(60, s.actors)
	if n := testing.AllocsPerRun(100, func() {
		f.Time = f.Time.Add(scenePeriod)
		if err := p.Step(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations per frame, want 0", n)
	}
	p.Flush()
}
