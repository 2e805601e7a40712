package daemon

import (
	"math"

	"gleaner/daemon/event"
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
		if p.BeltMoves {
			// + 0 makes 0 of -0
			cam.Belt = &web.Speed{X: math.Round(p.BeltX) + 0, Y: math.Round(p.BeltY) + 0}
		}
		lines, zones := st.pipeline.Traffic()
		for _, l := range lines {
			cam.Lines = append(cam.Lines, web.Line(l))
		}
		for _, z := range zones {
			cam.Zones = append(cam.Zones, web.Zone(z))
		}
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
	for _, l := range []mqtt.LaneStats{m.ActLane, m.ObjectLane, m.StateLane, m.CropLane} {
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
