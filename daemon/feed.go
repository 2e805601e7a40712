package daemon

import (
	"math"

	"gleaner/daemon/crop"
	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/mqtt"
	"gleaner/model/bundle"
)

// register hands the metrics page the numbers that others count.
func (d *daemon) register() {
	for _, st := range d.stations {
		d.feedCamera(st)
		d.feedTraffic(st)
		d.feedCrops(st)
	}
	d.feedMQTT()
	d.feedModels()
	r := d.registry
	r.Func(func() float64 { return float64(d.page.Viewers()) }, metrics.WebViewers)
	r.Func(func() float64 { return float64(d.page.Encoded()) }, metrics.WebJPEGs)
	if truth := d.r.Truth; truth != nil {
		for name, pick := range map[string]int{metrics.TruthObjects: 0, metrics.TruthCounted: 1, metrics.TruthRight: 2} {
			r.Func(func() float64 {
				t := truth()
				if t == nil {
					return 0
				}
				return float64([...]int{t.Objects, t.Counted, t.Right}[pick])
			}, name)
		}
	}
}

// feedCamera is what a camera and its pipeline count.
func (d *daemon) feedCamera(st *station) {
	cam, c, p := st.spec.Name, st.camera, st.pipeline
	count := func(name string, read func() uint64, labels ...string) {
		d.registry.Func(func() float64 { return float64(read()) }, name, append([]string{cam}, labels...)...)
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

// feedTraffic is the belt's speed, and the totals of lines and zones.
func (d *daemon) feedTraffic(st *station) {
	r, cam, p := d.registry, st.spec.Name, st.pipeline
	speed := func(s PipelineStats, v float64) float64 {
		if !s.BeltMoves {
			return math.NaN()
		}
		return v
	}
	r.Func(func() float64 { s := p.Stats(); return speed(s, s.BeltX) }, metrics.BeltSpeed, cam, "x")
	r.Func(func() float64 { s := p.Stats(); return speed(s, s.BeltY) }, metrics.BeltSpeed, cam, "y")
	lines, zones := p.Traffic()
	for i, l := range lines {
		total := func() LineCount { now, _ := p.Traffic(); return now[i] }
		r.Func(func() float64 { return float64(total().Forward) }, metrics.LineCrossings, cam, l.Name, string(event.Forward))
		r.Func(func() float64 { return float64(total().Back) }, metrics.LineCrossings, cam, l.Name, string(event.Back))
	}
	for i, z := range zones {
		total := func() ZoneCount { _, now := p.Traffic(); return now[i] }
		r.Func(func() float64 { return float64(total().Entered) }, metrics.ZoneEntered, cam, z.Name)
		r.Func(func() float64 { return float64(total().Inside) }, metrics.ZoneInside, cam, z.Name)
	}
}

// feedCrops is what became of the pictures of objects.
func (d *daemon) feedCrops(st *station) {
	m, cam := st.crops, st.spec.Name
	if m == nil {
		return
	}
	d.registry.Func(func() float64 { return float64(m.Stats().Made) }, metrics.Crops, cam)
	for _, l := range crop.Losses() {
		d.registry.Func(func() float64 { return float64(m.Stats().Lost[l]) }, metrics.CropsLost, cam, l.String())
	}
}

// feedMQTT is the two connections and the four lanes on them.
func (d *daemon) feedMQTT() {
	r := d.registry
	for name, pick := range map[string]func(mqtt.Stats) mqtt.Connection{
		"act":  func(s mqtt.Stats) mqtt.Connection { return s.Act },
		"main": func(s mqtt.Stats) mqtt.Connection { return s.Main },
	} {
		r.Func(func() float64 {
			if pick(d.mqtt.Stats()).Connected {
				return 1
			}
			return 0
		}, metrics.MQTTConnected, name)
		r.Func(func() float64 { return float64(pick(d.mqtt.Stats()).Reconnects) }, metrics.MQTTReconnects, name)
	}
	for name, pick := range map[string]func(mqtt.Stats) mqtt.LaneStats{
		"act":    func(s mqtt.Stats) mqtt.LaneStats { return s.ActLane },
		"object": func(s mqtt.Stats) mqtt.LaneStats { return s.ObjectLane },
		"state":  func(s mqtt.Stats) mqtt.LaneStats { return s.StateLane },
		"crop":   func(s mqtt.Stats) mqtt.LaneStats { return s.CropLane },
	} {
		r.Func(func() float64 { return float64(pick(d.mqtt.Stats()).Queued) }, metrics.MQTTQueued, name)
		r.Func(func() float64 { return float64(pick(d.mqtt.Stats()).Sent) }, metrics.MQTTSent, name)
		r.Func(func() float64 { return float64(pick(d.mqtt.Stats()).Acked) }, metrics.MQTTAcked, name)
		for _, why := range mqtt.Losses() {
			r.Func(func() float64 { return float64(pick(d.mqtt.Stats()).Lost[why]) }, metrics.MQTTLost, name, why)
		}
	}
	r.Func(func() float64 { return float64(d.mqtt.Stats().CommandLost) }, metrics.MQTTLost, "command", mqtt.LostOverflow)
}

// feedModels is the networks in use, which come and go with the bundles.
func (d *daemon) feedModels() {
	d.registry.Counter(metrics.ModelSwitch, "ok")
	d.registry.Counter(metrics.ModelSwitch, "refused")
	d.registry.FuncSet(metrics.ModelInfo, func(set metrics.Set) {
		d.models.each(func(b *bundle.Bundle, l *loaded) {
			set(1, b.Manifest.Task, b.Manifest.Name, b.ID(), l.pool.Info().Delegate)
		})
	})
	d.registry.FuncSet(metrics.ModelBytes, func(set metrics.Set) {
		d.models.each(func(b *bundle.Bundle, l *loaded) { set(float64(l.bytes), b.Manifest.Name, b.ID()) })
	})
}
