package daemon

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleaner/daemon/decide"
	"gleaner/daemon/event"
)

// aScene draws objects that come, go, cross, touch and stand, in front of a detector that is blind or fails at times.
func aScene(t *rapid.T) *stage {
	s := &stage{labels: []string{"face", "hand"}}
	for range rapid.IntRange(0, 6).Draw(t, "actors") {
		in := rapid.IntRange(0, 80).Draw(t, "in")
		s.actors = append(s.actors, actor{in: in, out: in + rapid.IntRange(1, 120).Draw(t, "stay"),
			x: rapid.Float32Range(0, 280).Draw(t, "x"), y: rapid.Float32Range(0, 200).Draw(t, "y"),
			vx: rapid.Float32Range(-8, 8).Draw(t, "vx"), vy: rapid.Float32Range(-3, 3).Draw(t, "vy"),
			side: rapid.Float32Range(4, 90).Draw(t, "side"), shade: rapid.IntRange(0, 2).Draw(t, "shade"),
			class: rapid.IntRange(-1, 1).Draw(t, "class")})
	}
	blind := rapid.IntRange(2, 40).Draw(t, "blind every")
	bad := rapid.IntRange(2, 40).Draw(t, "fails every")
	s.unseen = func(n int) bool { return n%blind == blind-1 }
	s.fail = func(n int) bool { return n%bad == bad-1 }
	s.moved = func(n int) bool { return n%17 < 9 }
	return s
}

// TestConservation: whatever happens, every frame is processed or failed, and every object has a verdict, a reason why
// not, or is still to be decided, after each frame and at the end. Nobody gets two verdicts, and no number is left out.
func TestConservation(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		s, e := aScene(t), newEye()
		asked, bad := 0, rapid.IntRange(2, 30).Draw(t, "classifier fails every")
		e.fail = func() bool { asked++; return asked%bad == bad-1 }
		when := rapid.SampledFrom([]string{decide.WhenLine, decide.WhenVotes, decide.WhenEnd}).Draw(t, "when")
		classifier, gate := rapid.Bool().Draw(t, "classifier"), rapid.Bool().Draw(t, "gate")
		change := func(o *PipelineOptions) {
			o.Decide.When = when
			if gate {
				o.Gate = s
			}
			if !classifier {
				o.Models = nil
			}
		}
		p := newPlay(outer, s, e, change)
		failed := 0
		for range rapid.IntRange(1, 150).Draw(t, "frames") {
			if p.step() != nil {
				failed++
			}
		}
		p.Flush()
		p.audit()
		st := p.Stats()
		if st.Failed != uint64(failed) || st.InView != 0 || st.Pending != 0 {
			t.Fatalf("%d failed; at the end %+v", failed, st)
		}
		seen := map[int64]bool{}
		for i, o := range p.inbox.objects {
			if seen[o.Track] || o.Seq != uint64(i+1) {
				t.Fatalf("record %d: track %d once more, or number %d", i, o.Track, o.Seq)
			}
			seen[o.Track] = true
			if (o.Verdict == event.Unsure) != (o.Class == "") || o.Verdict == event.Unsure && o.Reason == "" {
				t.Fatalf("record %+v", o)
			}
		}
	})
}

// TestStatsAddUpForOthers reads the books from another goroutine while frames go through: they add up at every moment.
func TestStatsAddUpForOthers(t *testing.T) {
	p := newPlay(t, &stage{actors: beltActors()}, newEye(), onLine)
	end := make(chan struct{})
	var wg sync.WaitGroup
	looks := 0
	wg.Go(func() {
		for {
			if err := p.Stats().balance(); err != nil {
				t.Error(err)
				return
			}
			looks++
			select {
			case <-end:
				return
			default:
			}
		}
	})
	p.to(125)
	p.Flush()
	close(end)
	wg.Wait()
	if looks == 0 {
		t.Error("nobody looked")
	}
}

// TestSequenceIsShared: records of two cameras are numbered without gap or repetition, in the order of publishing.
func TestSequenceIsShared(t *testing.T) {
	seq, in := &Sequence{}, &inbox{t: t}
	var wg sync.WaitGroup
	for _, name := range []string{"a", "벨트/2"} {
		p := newPlay(t, &stage{actors: beltActors()}, newEye(), func(o *PipelineOptions) {
			onLine(o)
			o.Name, o.Sequence, o.Sink = name, seq, in
			o.Replay, o.Boot, o.Clock = false, "b", time.Now
		})
		wg.Go(func() {
			for n := range 125 {
				if err := p.Step(t.Context(), frame(n, p.stage.actors)); err != nil {
					t.Error(err)
				}
			}
			p.Flush()
		})
	}
	wg.Wait()
	if len(in.objects) != 6 {
		t.Fatalf("%d records, want 6", len(in.objects))
	}
	for i, o := range in.objects {
		if o.Seq != uint64(i+1) {
			t.Errorf("record %d has number %d", i, o.Seq)
		}
	}
}
