package cv

import (
	"fmt"
	"time"

	"gleaner/capture"
	"gleaner/detect"
)

const (
	gateWidth = 320 // pixels at which the gate compares
	// gateMemory is the time constant of what a frame is compared with: long enough that slow things differ from it,
	// short enough that the gate closes soon after the last motion.
	gateMemory = 2 * time.Second
)

// Gate opens when enough pixels of the region differ from the last two seconds' mean, in grey, after the brightness of
// the whole is evened out. It is deterministic and costs about a millisecond of a 720p frame. It belongs to one camera.
type Gate struct {
	o      detect.GateOptions
	region detect.Region
	scaler scaler
	clock  clock

	srcW, srcH, w, h int
	roi              []bool   // nil: everywhere
	pixels           int      // of the region
	mean             []uint16 // grey, 1/256 level
	fresh            bool
	since            time.Duration // since the last motion
}

// NewGate makes the motion gate that o.Gate describes, for the region of interest and masks of o. With o.Gate.On false
// the gate is always open.
func NewGate(o detect.Options) (detect.Gate, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("motion gate: %w", err)
	}
	return &Gate{o: o.Gate, region: o.Region(), scaler: newScaler()}, nil
}

// Close implements detect.Gate.
func (g *Gate) Close() error { return g.scaler.Close() }

// Open implements detect.Gate. It is open on the first frame and on the first of a new size: nothing is known yet.
func (g *Gate) Open(im capture.Image, t time.Time) (bool, error) {
	if im.Empty() {
		return false, fmt.Errorf("motion gate: %w", detect.ErrEmpty)
	}
	if !g.o.On {
		return true, nil
	}
	if im.W != g.srcW || im.H != g.srcH {
		g.resize(im.W, im.H)
	}
	small, err := g.scaler.scale(im, g.w, g.h)
	if err != nil {
		return false, fmt.Errorf("motion gate: %w", err)
	}
	dt := g.clock.step(t)
	if g.fresh {
		for i := range g.mean {
			g.mean[i] = uint16(grey(small, i)) << 8
		}
		g.fresh, g.since = false, 0
		return true, nil
	}
	g.since += dt
	if float64(g.compare(small, dt)) > g.o.Share*float64(g.pixels) {
		g.since = 0
	}
	return g.since <= g.o.Hold, nil
}

// compare counts the pixels that changed, and lets the mean follow.
func (g *Gate) compare(small []byte, dt time.Duration) int {
	gain := g.brightness(small)
	follow := int32(min(dt, gateMemory) * 256 / gateMemory)
	level := int32(g.o.Level) << 8
	changed := 0
	for i, m := range g.mean {
		now := int32(grey(small, i)) << 8
		d := now - int32(m)*gain>>8
		if (d > level || d < -level) && (g.roi == nil || g.roi[i]) {
			changed++
		}
		g.mean[i] = uint16(int32(m) + (now-int32(m))*max(follow, 1)/256)
	}
	return changed
}

// brightness is the median of now over the mean, in 1/256, over every fourth pixel of the region. Where the picture is
// nearly black it is 256.
func (g *Gate) brightness(small []byte) int32 {
	var hist [1024]int32
	n := int32(0)
	for i := 0; i < len(g.mean); i += 4 {
		if m := int32(g.mean[i]); m > 8<<8 && (g.roi == nil || g.roi[i]) {
			hist[min(int32(grey(small, i))<<16/m, 1023)]++
			n++
		}
	}
	if n < 64 {
		return 256
	}
	var below int32
	for r, k := range hist {
		if below += k; 2*below > n {
			return int32(r)
		}
	}
	return 256
}

// grey is a pixel's brightness, 0 to 255: a quarter of blue and red and a half of green.
func grey(bgr []byte, i int) byte {
	p := bgr[3*i : 3*i+3 : 3*i+3]
	return byte((int(p[0]) + 2*int(p[1]) + int(p[2])) >> 2)
}

func (g *Gate) resize(w, h int) {
	g.srcW, g.srcH = w, h
	g.w, g.h = smallSize(w, h, gateWidth)
	g.roi, g.pixels = regionMask(g.region, g.w, g.h)
	g.mean = make([]uint16, g.w*g.h)
	g.fresh = true
}

// smallSize is a w×h frame's size when it is at most `width` wide.
func smallSize(w, h, width int) (sw, sh int) {
	sw = min(width, w)
	return sw, max((h*sw+w/2)/w, 1)
}

// regionMask says which pixels of a w×h picture count, nil for all, and how many they are.
func regionMask(r detect.Region, w, h int) (mask []bool, pixels int) {
	if len(r.In)+len(r.Out) == 0 {
		return nil, w * h
	}
	mask = make([]bool, w*h)
	for i := range mask {
		if mask[i] = r.Has((float64(i%w)+0.5)/float64(w), (float64(i/w)+0.5)/float64(h)); mask[i] {
			pixels++
		}
	}
	return mask, pixels
}

// clock tells the time from frame to frame.
type clock struct{ last time.Time }

// step is the time since the last frame, within what a model of the background can use.
func (c *clock) step(t time.Time) time.Duration {
	const usual, most = time.Second / 30, time.Second
	d := t.Sub(c.last)
	if c.last.IsZero() || d <= 0 {
		d = usual
	}
	c.last = t
	return min(d, most)
}
