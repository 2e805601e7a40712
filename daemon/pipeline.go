package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon/decide"
	"gleaner/daemon/event"
	"gleaner/detect/track"
)

// Step takes one frame the whole way: gate → detect → track → crop → classify → decide → publish. It is the one
// function that says in which order things happen. The frame is borrowed. One goroutine calls Step and Flush. An error
// is a stage's own (a model that fails, a full pool at shutdown); the frame counts as failed, and the next one may be
// tried.
func (p *Pipeline) Step(ctx context.Context, f *capture.Frame) (err error) {
	p.meter.begin()
	defer p.account(&err)
	p.last = f.Time
	open := true
	if p.gate != nil {
		moved, err := p.gate.Open(f.Image, f.Time)
		if err != nil {
			return fmt.Errorf("motion gate: %w", err)
		}
		open = moved || p.tracker.Live() > 0 // who stands still does not vanish
		p.meter.lap(StageGate)
	}

	p.dets = p.dets[:0]
	if open {
		if p.dets, err = p.detector.Detect(ctx, f.Image, f.Time, p.dets); err != nil {
			return fmt.Errorf("detect: %w", err)
		}
		p.meter.lap(StageDetect)
		p.stats.open.Busy++
	}

	tracks, ended := p.tracker.Update(f.Time, p.dets)
	p.follow(tracks, f)
	for i := range ended { // what ended was not seen in this frame: it has no pixels here
		if o := p.find(ended[i].ID); o != nil {
			o.inFrame, o.placed = false, false
		}
	}
	p.cross(f, tracks, ended)
	p.meter.lap(StageTrack)

	if p.models != nil && len(p.objects) > 0 {
		if err = p.vote(ctx, f); err != nil {
			err = fmt.Errorf("classify: %w", err) // the line is passed and tracks end all the same
		}
	}

	p.conclude(f)
	for i := range ended {
		p.end(ended[i].ID, WithheldLeft, p.now(f))
	}
	p.meter.lap(StageDecide)
	p.show(f, tracks)
	if p.trace != nil {
		p.trace(f.Seq, open, p.cropped)
		p.cropped = p.cropped[:0]
	}
	return err
}

// account books the frame that Step was given.
func (p *Pipeline) account(err *error) {
	if *err != nil {
		p.stats.open.Failed++
	} else {
		p.stats.open.Frames++
	}
	p.settle()
	p.meter.end()
}

// Flush ends every track, at the end of a source or of the daemon: what can be said of an object is said, and the rest
// is counted as withheld.
func (p *Pipeline) Flush() {
	now := p.last
	if !p.replay {
		now = p.clock()
	}
	for len(p.objects) > 0 {
		p.end(p.objects[0].id, WithheldEnd, now)
	}
	if ended := p.tracker.Flush(); p.traffic != nil {
		p.report(p.last, now, nil, ended)
	}
	p.settle()
}

// follow brings the objects up to date with their tracks.
func (p *Pipeline) follow(tracks []track.Track, f *capture.Frame) {
	w, h := float64(f.W), float64(f.H)
	p.frameW, p.frameH = f.W, f.H
	var dx, dy float64
	moved := 0
	for i := range tracks {
		t := &tracks[i]
		if !t.Confirmed {
			continue
		}
		o := p.find(t.ID)
		if o == nil {
			o = p.admit(t.ID)
		}
		o.inFrame, o.hits, o.frames = t.Measured, t.Hits, o.frames+1
		cx, cy := float64(t.Box.X0+t.Box.X1)/2/w, float64(t.Box.Y0+t.Box.Y1)/2/h
		// An object that touches another, or is missed for a moment, goes on where it is expected, inside the frame.
		expected := (t.State == track.Merged || t.Lost <= coast) && cx > 0 && cx < 1 && cy > 0 && cy < 1
		if o.placed = t.Measured || expected; !o.placed {
			continue
		}
		if t.Measured && o.seen > 0 {
			dx, dy, moved = dx+cx-o.cx, dy+cy-o.cy, moved+1
		}
		o.cx, o.cy, o.box, o.at, o.seen = cx, cy, t.Box, f.Time, o.seen+1
		o.class, o.score = t.Class, t.Score
		o.detected = p.now(f)
	}
	if moved > 0 {
		p.travel.Add(dx/float64(moved), dy/float64(moved))
	}
}

// vote classifies the crops of this frame that may still vote, at most PerFrame of them, those with the fewest votes
// first.
func (p *Pipeline) vote(ctx context.Context, f *capture.Frame) error {
	c, gen := p.models.borrow()
	defer p.models.giveBack()
	for range p.classify.PerFrame {
		o := p.next(f.Time)
		if o == nil {
			return nil
		}
		o.tried = f.Time
		rect := classify.Crop(f.Image, o.box, p.classify)
		if ok, reason := p.quality.Check(f.Image, o.box, rect, p.classify); !ok {
			o.refused = string(reason)
			p.meter.lap(StageCrop)
			continue
		}
		p.meter.lap(StageCrop)
		if p.trace != nil {
			p.cropped = append(p.cropped, rect)
		}
		var familiar float32
		var err error
		var view classify.Views
		if p.classify.Views && o.gen == gen {
			view = classify.ViewsOf(c).Turn(o.ballot.Votes())
		}
		if p.probs, familiar, err = classify.Look(ctx, c, view.Show(f.Image, rect, &p.mirror), p.probs); err != nil {
			return err
		}
		if o.gen != gen || o.ballot.Classes() != len(p.probs) {
			o.ballot.Reset(len(p.probs)) // votes of another model do not count beside this one's
			o.gen, o.labels, o.model = gen, c.Labels(), c.Model()
			o.photo.class = -1
		}
		o.ballot.Vote(f.Time, p.probs, familiar, p.decide)
		o.classified = p.now(f)
		p.photograph(o, f, rect)
		p.stats.open.Crops++
		p.meter.lap(StageClassify)
	}
	return nil
}

// next is the object whose crop of this frame is to vote next, or nil.
func (p *Pipeline) next(t time.Time) *object {
	var best *object
	for _, o := range p.objects {
		if o.done || !o.inFrame || o.tried.Equal(t) || !o.ballot.Wants(t, p.decide) {
			continue
		}
		if best == nil || o.ballot.Votes() < best.ballot.Votes() ||
			o.ballot.Votes() == best.ballot.Votes() && o.id < best.id {
			best = o
		}
	}
	return best
}

// conclude gives the verdicts that are due in this frame, oldest object first.
func (p *Pipeline) conclude(f *capture.Frame) {
	for _, o := range p.objects {
		if !o.placed {
			continue
		}
		if p.models == nil && o.inFrame {
			p.voteByDetector(o, f)
		}
		due := false
		switch p.decide.When {
		case decide.WhenLine:
			if pos, ok := p.travel.Direction().Along(o.cx, o.cy); ok {
				due = o.line.Step(pos, p.decide.Line, lineSlack)
			}
		case decide.WhenVotes:
			due = o.ballot.Final(p.decide, o.labels)
		}
		if due && p.fragment(o) {
			o.fragment = true
		} else if due && !o.done {
			p.lastChance(o, f)
			p.publish(o, p.now(f))
		}
	}
}

// voteByDetector lets the detector's own class vote where no classifier is asked.
func (p *Pipeline) voteByDetector(o *object, f *capture.Frame) {
	labels := p.detector.Labels()
	if o.done || o.class < 0 || o.class >= len(labels) || !o.ballot.Wants(o.at, p.decide) {
		return
	}
	if o.ballot.Classes() != len(labels) {
		o.ballot.Reset(len(labels))
		o.labels, o.model = labels, p.detectorModel
	}
	p.probs = slices.Grow(p.probs[:0], len(labels))[:len(labels)]
	clear(p.probs)
	p.probs[o.class] = o.score
	o.ballot.Vote(o.at, p.probs, 0, p.decide)
	o.classified = o.detected
	if p.crops != nil {
		p.photograph(o, f, classify.Crop(f.Image, o.box, p.classify))
	}
}

// end takes an object out. One that has no verdict yet gets it now, unless only the line gives verdicts.
func (p *Pipeline) end(id int64, why Withheld, now time.Time) {
	o := p.find(id)
	if o == nil {
		return
	}
	p.remove(o)
	if !o.done {
		switch {
		case o.fragment:
			p.withhold(WithheldFragment)
		case p.decide.When == decide.WhenLine && o.line.Born() == decide.Past:
			p.withhold(WithheldPastLine)
		case p.decide.When == decide.WhenLine:
			p.withhold(why)
		default:
			p.publish(o, now)
		}
	}
	p.forget(o)
	o.clear()
	p.spare = append(p.spare, o)
}

// publish sends an object's one record, its verdict for screens and gates, and the count of its class.
func (p *Pipeline) publish(o *object, now time.Time) {
	v := o.ballot.Verdict(p.decide, o.labels)
	o.done = true
	p.seq.next(func(seq uint64) {
		rec := p.record(o, v, seq, now)
		p.sink.Publish(rec)
		if !p.replay {
			p.sink.Publish(rec.Act())
			p.sink.Publish(rec.Last())
		}
		p.stats.open.Verdicts++
		if c := p.count(v, o.labels); !p.replay {
			p.sink.Publish(c)
		}
		if p.onVerdict != nil {
			p.onVerdict(rec)
		}
		p.develop(o, &rec)
	})
}

// reasonNoClassifier is the reason of a record that nobody was asked about: no classifier, and a detector that knows no
// classes.
const reasonNoClassifier = "no_classifier"

// record is the object's public record.
func (p *Pipeline) record(o *object, v decide.Verdict, seq uint64, now time.Time) event.Object {
	w, h := float64(p.frameW), float64(p.frameH)
	rec := event.Object{Seq: seq, Cam: p.name, Track: o.id, Verdict: event.Verdict(v.Kind), P: event.Prob(v.P),
		Votes: [2]int{v.Votes, v.Of}, Model: o.model, Rev: p.rev,
		Box: [4]event.Frac{frac(float64(o.box.X0) / w), frac(float64(o.box.Y0) / h),
			frac(float64(o.box.X1) / w), frac(float64(o.box.Y1) / h)},
		T: event.Times{Cap: event.Micros(o.at), Det: event.Micros(o.detected), Cls: event.Micros(o.classified),
			Dec: event.Micros(now)}}
	if v.Reason != decide.ReasonClear {
		rec.Reason = v.Reason
		switch {
		case v.Reason != decide.ReasonNoVotes:
		case p.models == nil && len(p.detector.Labels()) == 0:
			rec.Reason = reasonNoClassifier
		case o.refused != "":
			rec.Reason = o.refused
		}
	}
	if v.Kind != decide.Unsure {
		rec.Class = o.labels[v.Class]
	}
	p.mean = o.ballot.Mean(p.mean)
	p.top = classify.TopK(p.mean, p.classify.Top, p.top[:0])
	for _, s := range p.top {
		rec.Top = append(rec.Top, event.Scored{Class: o.labels[s.Class], P: event.Prob(s.P)})
	}
	if p.replay {
		rec.ID = event.ReplayID(p.source, p.name, o.id)
	} else {
		rec.ID, rec.Boot = event.LiveID(), p.boot
		rec.T.Pub = event.Micros(p.clock())
		rec.AgeMS = event.MillisOf(p.clock().Sub(o.at))
	}
	return rec
}

func frac(v float64) event.Frac { return event.Frac(min(1, max(0, v))) }

// unsureCount is the name under which objects without a class are counted.
const unsureCount = "unsure"

// count is the message with the count of the verdict's class after this object.
func (p *Pipeline) count(v decide.Verdict, labels []string) event.Count {
	name := unsureCount
	if v.Kind != decide.Unsure {
		name = labels[v.Class]
	}
	p.counts[name]++
	return event.Count{Cam: p.name, Class: name, N: p.counts[name], Epoch: p.boot}
}

// show hands the frame to the live page, while somebody looks.
func (p *Pipeline) show(f *capture.Frame, tracks []track.Track) {
	if p.viewer == nil || !p.viewer.Wanted() {
		return
	}
	p.marks = p.marks[:0]
	for i := range tracks {
		t := &tracks[i]
		o := p.find(t.ID)
		if o == nil || !t.Measured {
			continue
		}
		p.marks = append(p.marks, p.mark(o))
	}
	p.viewer.Show(f.Image, p.marks)
}
