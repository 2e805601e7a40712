package daemon

import (
	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/mqtt"
	"gleaner/daemon/web"
)

// Snapshot is the daemon at this moment, for the page and for the status command.
func (d *daemon) Snapshot() web.Snapshot {
	if !d.ready.Load() {
		return web.Snapshot{Site: d.o.MQTT.Site, Software: d.r.Version, Started: event.Micros(d.started)}
	}
	in := d.info()
	s := web.Snapshot{Site: in.Site, Node: in.Node, Software: in.Software, Started: in.Started, Models: in.Models}
	for _, st := range d.stations {
		status, c, p := st.camera.Status(), st.camera.Stats(), st.pipeline.Stats()
		cam := web.Camera{Name: st.spec.Name, Source: st.pipeline.source, State: event.CameraState(status.State),
			Reason: status.Reason, Since: event.Micros(status.Since), Frames: c.Frames, Processed: p.Frames,
			Dropped: c.Drops + p.Failed, Objects: p.Objects, InView: p.InView, Withheld: map[string]uint64{}}
		for w, n := range p.Withheld {
			if n > 0 {
				cam.Withheld[Withheld(w).String()] = n
			}
		}
		s.Cameras = append(s.Cameras, cam)
		for g := range stageCount {
			t := st.pipeline.meter.Timer(g)
			if t.Count() > 0 {
				s.Stages = append(s.Stages, web.Stage{Cam: st.spec.Name, Name: g.String(), P50: event.MillisOf(t.Quantile(0.5)),
					P90: event.MillisOf(t.Quantile(0.9)), P99: event.MillisOf(t.Quantile(0.99))})
			}
		}
	}
	m := d.mqtt.Stats()
	s.MQTT = web.MQTT{Broker: m.Broker, Embedded: m.Own, Connected: m.Main.Connected, LastError: m.Main.LastError,
		Topics: d.mqtt.Topics().All()}
	for _, l := range []mqtt.LaneStats{m.ActLane, m.ObjectLane, m.StateLane} {
		s.MQTT.Published += l.Sent
		s.MQTT.Acked += l.Acked
		s.MQTT.Queued += l.Queued
		s.MQTT.Lost += l.LostAll()
	}
	if d.r.Truth != nil {
		s.Truth = d.r.Truth()
	}
	return s
}

// register hands the metrics page the numbers that others count.
func (d *daemon) register() {
	r := d.registry
	for _, st := range d.stations {
		cam, c, p := st.spec.Name, st.camera, st.pipeline
		count := func(name string, read func() uint64, labels ...string) {
			r.Func(func() float64 { return float64(read()) }, name, append([]string{cam}, labels...)...)
		}
		count(metrics.Frames, func() uint64 { return c.Stats().Frames })
		count(metrics.FramesProcessed, func() uint64 { return p.Stats().Frames })
		count(metrics.FramesDropped, func() uint64 { return c.Stats().Drops }, "replaced")
		count(metrics.FramesDropped, func() uint64 { return p.Stats().Failed }, "failed")
		count(metrics.GateClosed, func() uint64 { s := p.Stats(); return s.Frames - min(s.Busy, s.Frames) })
		count(metrics.Objects, func() uint64 { return p.Stats().Objects })
		count(metrics.CameraReconnects, func() uint64 { return c.Stats().Reopens })
		count(metrics.CameraStalls, func() uint64 { return c.Stats().Stalls })
		for w := range withheldReasons {
			count(metrics.Withheld, func() uint64 { return p.Stats().Withheld[w] }, w.String())
		}
		for _, s := range []State{Online, Stalled, Offline} {
			count(metrics.CameraState, func() uint64 {
				if c.Status().State == s {
					return 1
				}
				return 0
			}, string(s))
		}
	}
}

// mark is an object's box for the live page.
func (p *Pipeline) mark(o *object) web.Box {
	b := web.Box{X0: o.box.X0, Y0: o.box.Y0, X1: o.box.X1, Y1: o.box.Y1, Track: o.id}
	v := o.ballot.Verdict(p.decide, o.labels)
	if v.Class >= 0 && v.Class < len(o.labels) {
		b.Class, b.P = o.labels[v.Class], float64(v.P)
	}
	if o.done {
		b.Verdict = event.Verdict(v.Kind)
	}
	return b
}
