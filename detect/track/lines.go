package track

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Point is a place in the frame, x and y in parts of its width and height, 0 to 1.
type Point [2]float64

// Line is a segment whose crossings are reported. To cross it forward is to go from the left hand to the right hand of
// one who looks from A to B on the screen.
type Line struct {
	Name string `yaml:"name"` // in reports
	A    Point  `yaml:"a"`    // one end
	B    Point  `yaml:"b"`    // the other end
}

// Zone is an area whose entries and exits are reported.
type Zone struct {
	Name    string  `yaml:"name"`    // in reports
	Polygon []Point `yaml:"polygon"` // at least 3 corners, in order; not closed
}

func (p Point) validate() error {
	if !(p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1) {
		return fmt.Errorf("%v is not in 0 to 1", p)
	}
	return nil
}

func (l Line) validate() error {
	if l.Name == "" {
		return fmt.Errorf("name: is missing")
	}
	if err := l.A.validate(); err != nil {
		return fmt.Errorf("a: %w", err)
	}
	if err := l.B.validate(); err != nil {
		return fmt.Errorf("b: %w", err)
	}
	if l.A == l.B {
		return fmt.Errorf("b: is the same point as a")
	}
	return nil
}

func (z Zone) validate() error {
	if z.Name == "" {
		return fmt.Errorf("name: is missing")
	}
	if len(z.Polygon) < 3 {
		return fmt.Errorf("polygon: has %d corners, at least 3 are needed", len(z.Polygon))
	}
	for i, p := range z.Polygon {
		if err := p.validate(); err != nil {
			return fmt.Errorf("polygon[%d]: %w", i, err)
		}
	}
	return nil
}

// Crossing is one track crossing one line.
type Crossing struct {
	Line    string
	Track   int64
	Forward bool
	First   bool // the track has not crossed this line before
	Time    time.Time
}

// Visit is one track entering or leaving one zone. A track that ends inside leaves.
type Visit struct {
	Zone  string
	Track int64
	Enter bool
	Time  time.Time
}

// Count is the traffic over one line. Forward-Back counts an object once however often a reversal carries it over the
// line, even when it left the frame meanwhile and came back under another id.
type Count struct {
	Forward, Back int // crossings
	Tracks        int // different tracks
}

// lineSlack is how far beyond a line a track's centre must be, in parts of the frame's longer side: a box that jitters
// on the line crosses once.
const lineSlack = 0.01

// zoneFrames is how many frames in a row a track must be in or out.
const zoneFrames = 2

// Counter reports crossings and visits of confirmed tracks. One goroutine uses it.
type Counter struct {
	lines  []Line
	zones  []Zone
	counts []Count
	memory []memory
	spare  []memory

	crossings []Crossing
	visits    []Visit
}

// memory is what is known of one track.
type memory struct {
	id    int64
	side  []int8 // per line: -1 left, 1 right, 0 not known yet
	was   [][2]float64
	over  []bool // per line: has crossed
	in    []bool // per zone
	since []int8 // per zone: frames in a row that say otherwise
}

// NewCounter reports on the lines and zones of o.
func NewCounter(o Options) *Counter {
	return &Counter{lines: o.Lines, zones: o.Zones, counts: make([]Count, len(o.Lines))}
}

// Count is the traffic over line i of the options so far.
func (c *Counter) Count(i int) Count { return c.counts[i] }

// Update takes what Tracker.Update returned for the frame of time now and of w×h pixels. Tracks move over lines by the
// centre of their box. The slices are valid until the next Update; the order is by track, then by line or zone.
func (c *Counter) Update(now time.Time, tracks, ended []Track, w, h int) ([]Crossing, []Visit) {
	c.crossings, c.visits = c.crossings[:0], c.visits[:0]
	for i := range ended {
		c.end(now, ended[i].ID)
	}
	for i := range tracks {
		if t := &tracks[i]; t.Confirmed && t.State != Lost {
			x, y := float64(t.Box.X0+t.Box.X1)/2, float64(t.Box.Y0+t.Box.Y1)/2
			m := c.of(t.ID)
			for k := range c.lines {
				c.line(m, k, x, y, float64(w), float64(h), now)
			}
			for k := range c.zones {
				c.zone(m, k, x/float64(w), y/float64(h), now)
			}
		}
	}
	return c.crossings, c.visits
}

func (c *Counter) line(m *memory, k int, x, y, w, h float64, now time.Time) {
	l := c.lines[k]
	ax, ay, bx, by := l.A[0]*w, l.A[1]*h, l.B[0]*w, l.B[1]*h
	dx, dy := bx-ax, by-ay
	d := (dx*(y-ay) - dy*(x-ax)) / math.Hypot(dx, dy) // px to the right of the line
	side := int8(0)
	switch slack := lineSlack * max(w, h); {
	case d > slack:
		side = 1
	case d < -slack:
		side = -1
	default:
		return
	}
	before, px, py := m.side[k], m.was[k][0], m.was[k][1]
	m.side[k], m.was[k] = side, [2]float64{x, y}
	if before == 0 || before == side {
		return
	}
	// Where the way from the last clear place to this one meets the line, as a share of A–B.
	d0 := (dx*(py-ay) - dy*(px-ax)) / math.Hypot(dx, dy)
	f := d0 / (d0 - d)
	mx, my := px+f*(x-px), py+f*(y-py)
	if at := ((mx-ax)*dx + (my-ay)*dy) / (dx*dx + dy*dy); at < 0 || at > 1 {
		return // past the end of the segment
	}
	cr := Crossing{Line: l.Name, Track: m.id, Forward: side > 0, First: !m.over[k], Time: now}
	m.over[k] = true
	n := &c.counts[k]
	if cr.Forward {
		n.Forward++
	} else {
		n.Back++
	}
	if cr.First {
		n.Tracks++
	}
	c.crossings = append(c.crossings, cr)
}

func (c *Counter) zone(m *memory, k int, x, y float64, now time.Time) {
	if inside(c.zones[k].Polygon, x, y) == m.in[k] {
		m.since[k] = 0
		return
	}
	if m.since[k]++; m.since[k] < zoneFrames {
		return
	}
	m.in[k], m.since[k] = !m.in[k], 0
	c.visits = append(c.visits, Visit{Zone: c.zones[k].Name, Track: m.id, Enter: m.in[k], Time: now})
}

// inside is the even-odd rule.
func inside(poly []Point, x, y float64) bool {
	in := false
	for i, j := 0, len(poly)-1; i < len(poly); j, i = i, i+1 {
		a, b := poly[i], poly[j]
		if (a[1] > y) != (b[1] > y) && x < (b[0]-a[0])*(y-a[1])/(b[1]-a[1])+a[0] {
			in = !in
		}
	}
	return in
}

// of is the memory of track id.
func (c *Counter) of(id int64) *memory {
	for i := range c.memory {
		if c.memory[i].id == id {
			return &c.memory[i]
		}
	}
	var m memory
	if n := len(c.spare); n > 0 {
		m = c.spare[n-1]
		c.spare = c.spare[:n-1]
		clear(m.side)
		clear(m.over)
		clear(m.in)
		clear(m.since)
	} else {
		n, z := len(c.lines), len(c.zones)
		m = memory{side: make([]int8, n), was: make([][2]float64, n), over: make([]bool, n), in: make([]bool, z), since: make([]int8, z)}
	}
	m.id = id
	c.memory = append(c.memory, m)
	return &c.memory[len(c.memory)-1]
}

// end forgets track id, which leaves the zones it is in.
func (c *Counter) end(now time.Time, id int64) {
	i := slices.IndexFunc(c.memory, func(m memory) bool { return m.id == id })
	if i < 0 {
		return
	}
	m := c.memory[i]
	for k := range c.zones {
		if m.in[k] {
			c.visits = append(c.visits, Visit{Zone: c.zones[k].Name, Track: id, Time: now})
		}
	}
	c.spare = append(c.spare, m)
	c.memory = slices.Delete(c.memory, i, i+1)
}
