package daemon

import (
	"slices"
	"sync"
	"time"

	"gleaner/capture"
	"gleaner/daemon/event"
	"gleaner/detect/track"
)

// LineCount is the traffic over one line since the pipeline began.
type LineCount struct {
	Name          string
	Forward, Back uint64
}

// ZoneCount is the traffic in one zone since the pipeline began.
type ZoneCount struct {
	Name    string
	Entered uint64
	Inside  int // now
}

// traffic is who crosses the lines and who is in the zones of one camera. The pipeline's goroutine counts; others read
// the totals, which change with an event only.
type traffic struct {
	counter *track.Counter
	inside  [][]visitor // by zone, in the order of coming

	mu    sync.Mutex
	lines []LineCount
	zones []ZoneCount
}

// visitor is one track in one zone.
type visitor struct {
	track int64
	since time.Time
}

// newTraffic is nil where neither a line nor a zone is configured.
func newTraffic(o track.Options) *traffic {
	if len(o.Lines)+len(o.Zones) == 0 {
		return nil
	}
	t := &traffic{counter: track.NewCounter(o), inside: make([][]visitor, len(o.Zones))}
	for _, l := range o.Lines {
		t.lines = append(t.lines, LineCount{Name: l.Name})
	}
	for _, z := range o.Zones {
		t.zones = append(t.zones, ZoneCount{Name: z.Name})
	}
	return t
}

// Traffic is the totals so far, in the order of the configuration; nil and nil where nothing is configured. Any goroutine
// may ask.
func (p *Pipeline) Traffic() ([]LineCount, []ZoneCount) {
	t := p.traffic
	if t == nil {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines), slices.Clone(t.zones)
}

// cross reports which tracks crossed a line, entered a zone or left one in this frame.
func (p *Pipeline) cross(f *capture.Frame, tracks, ended []track.Track) {
	if p.traffic != nil {
		p.report(f.Time, p.now(f), tracks, ended)
	}
}

// report publishes what the counter says of the frame of time at.
func (p *Pipeline) report(at, now time.Time, tracks, ended []track.Track) {
	crossings, visits := p.traffic.counter.Update(at, tracks, ended, p.frameW, p.frameH)
	for i := range crossings {
		p.crossed(&crossings[i], now, p.classOf(crossings[i].Track, tracks))
	}
	for i := range visits {
		v := &visits[i]
		if k := indexOf(ended, v.Track); k >= 0 {
			v.Time = ended[k].Last // it was lost for a while before it ended
			p.visited(v, now, p.classOf(v.Track, ended))
			continue
		}
		p.visited(v, now, p.classOf(v.Track, tracks))
	}
}

func indexOf(tracks []track.Track, id int64) int {
	return slices.IndexFunc(tracks, func(t track.Track) bool { return t.ID == id })
}

// classOf is the detector's class of a track; empty where it knows none.
func (p *Pipeline) classOf(id int64, tracks []track.Track) string {
	labels := p.detector.Labels()
	if i := indexOf(tracks, id); i >= 0 && tracks[i].Class >= 0 && tracks[i].Class < len(labels) {
		return labels[tracks[i].Class]
	}
	return ""
}

// crossed counts and publishes one crossing.
func (p *Pipeline) crossed(c *track.Crossing, now time.Time, class string) {
	t := p.traffic
	k := slices.IndexFunc(t.lines, func(l LineCount) bool { return l.Name == c.Line })
	e := event.Crossing{Boot: p.boot, Epoch: p.boot, Cam: p.name, Line: c.Line, Track: c.Track, Direction: event.Back, Class: class}
	t.mu.Lock()
	n := &t.lines[k]
	if c.Forward {
		e.Direction = event.Forward
		n.Forward++
	} else {
		n.Back++
	}
	e.Forward, e.Back, e.Net = n.Forward, n.Back, int64(n.Forward)-int64(n.Back)
	t.mu.Unlock()
	e.ID = p.eventID(c.Track, "line", c.Line, e.Forward+e.Back)
	e.T = p.times(c.Time, now)
	p.sink.Publish(e)
}

// visited counts and publishes one coming or going.
func (p *Pipeline) visited(v *track.Visit, now time.Time, class string) {
	t := p.traffic
	k := slices.IndexFunc(t.zones, func(z ZoneCount) bool { return z.Name == v.Zone })
	e := event.Zone{Boot: p.boot, Cam: p.name, Zone: v.Zone, Track: v.Track, Phase: event.Left, Class: class, T: p.times(v.Time, now)}
	if v.Enter {
		e.Phase = event.Entered
		t.inside[k] = append(t.inside[k], visitor{v.Track, v.Time})
	} else if i := slices.IndexFunc(t.inside[k], func(x visitor) bool { return x.track == v.Track }); i >= 0 {
		e.DwellMS = event.MillisOf(max(0, v.Time.Sub(t.inside[k][i].since)))
		t.inside[k] = slices.Delete(t.inside[k], i, i+1)
	}
	e.Inside = len(t.inside[k])
	t.mu.Lock()
	z := &t.zones[k]
	if z.Inside = e.Inside; v.Enter {
		z.Entered++
	}
	n := 2*z.Entered - uint64(z.Inside) // events of this zone so far
	t.mu.Unlock()
	e.ID = p.eventID(v.Track, "zone", v.Zone, n)
	p.sink.Publish(e)
}

// eventID is the id of something that a track did: the n-th of its kind.
func (p *Pipeline) eventID(id int64, what, name string, n uint64) string {
	if p.replay {
		return event.ReplayEventID(p.source, p.name, id, what, name, n)
	}
	return event.LiveID()
}

// times is when the frame was exposed, when it was judged, and in a live run when the message went out.
func (p *Pipeline) times(at, now time.Time) event.Times {
	t := event.Times{Cap: event.Micros(at), Dec: event.Micros(now)}
	if !p.replay {
		t.Pub = event.Micros(p.clock())
	}
	return t
}
