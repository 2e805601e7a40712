package cv

import "math"

// basin is a thick part of a blob; edge is the thickest place where two basins meet; group is the basins of one object.
type (
	basin struct {
		blob            // label: the group
		peak float32    // greatest distance to the outline
		sum  [3]float32 // of its pixels' colours, BGR
	}
	edge struct {
		a, b int32   // basins
		d    float32 // distance to the outline there
		cut  bool
	}
	group struct {
		blob
		peak  float32
		sum   [3]float32
		loose bool // too small to be an object
	}
)

const (
	// What has a usual size is cut only at a thin neck, or at any between things of different colours; what is longer
	// than objects usually are, or was more objects in the frame before, must be several, and the best neck will do.
	thinNeck, anyNeck = 0.5, 0.85 // thickness of the neck over that of the thinner side
	otherColour       = 38        // distance of the mean colours in grey levels
	smallColour       = 57        // the same, where a piece is small: a toe and a heel differ by chance
	tooLong           = 0.5       // how much thinner a cut must be that leaves one side too long
	// Each side has at least this share of the usual area, and is nearly as long as the short ones of the usual objects.
	fairPart, anyPart = 0.65, 0.1
	shorter, longer   = 0.7, 1.2 // of the usual lengths, at the following quantiles
	shortQuantile     = 0.05
	longQuantile      = 0.7 // pairs that were not cut are among the lengths seen
	learnSizes        = 200 // views, not objects, before lengths are believed
	// The boxes of true neighbours overlap little; those of halves of one crooked thing overlap much.
	nested = 0.6
)

// rule is what the cuts of the blob at hand must satisfy, in pixels of the window.
type rule struct {
	fair, any float32 // least area of an object
	short     float32 // least length of an object
	long      float32 // what is longer must be several
	before    int     // objects in the frame before
}

// cut finds the objects in a blob, whose window is given: one, or several that touch. small is the small picture, w
// pixels wide.
func (s *splitter) cut(b blob, win window, small []byte, w int, dst []fine) []fine {
	k := float32(win.k)
	whole := fine{float32(b.x0), float32(b.y0), float32(b.x1), float32(b.y1), float32(b.area)}
	before := s.before(whole)
	known := s.usual.seen >= learnSizes
	atBorder := win.left || win.top || win.right || win.bottom
	long := known && b.length() > longer*s.usual.long
	if !known || atBorder && !long && before < 2 {
		if !atBorder {
			s.usual.learn(b)
		}
		return append(dst, whole)
	}
	if !atBorder && !long && s.solidity(win.m, win.w) > convex {
		s.usual.learn(b)
		return append(dst, whole)
	}
	r := rule{fair: fairPart * s.usual.area * k * k, any: anyPart * s.usual.area * k * k,
		short: shorter * s.usual.short * k, long: longer * s.usual.long * k, before: before}
	s.distances(win)
	s.fill(win)
	s.measure(win, small, w)
	if (len(s.basins) > maxBasins || !s.decide(win, r)) && !(long && s.halve(win, r)) {
		if !atBorder {
			s.usual.learn(b)
		}
		return append(dst, whole)
	}
	for _, p := range s.groups {
		dst = append(dst, fine{float32(p.x0+win.x0) / k, float32(p.y0+win.y0) / k, float32(p.x1+win.x0) / k,
			float32(p.y1+win.y0) / k, float32(p.area) / (k * k)})
	}
	return dst
}

// before counts the objects of the frame before where the blob lies.
func (s *splitter) before(b fine) int {
	n := 0
	for _, o := range s.last {
		w, h := min(o.x1, b.x1)-max(o.x0, b.x0), min(o.y1, b.y1)-max(o.y0, b.y0)
		if w > 0 && h > 0 && w*h > 0.6*(o.x1-o.x0)*(o.y1-o.y0) {
			n++
		}
	}
	return n
}

// measure takes the floods' boxes, areas, peaks and colours, and numbers the basins anew, from 0, in basins and edges.
func (s *splitter) measure(win window, small []byte, w int) {
	s.basins = s.basins[:0]
	for f := 1; f < len(s.root); f++ {
		if s.root[f] == int32(f) {
			s.link[f] = int32(len(s.basins)) // from here on: where it is measured
			s.basins = append(s.basins, basin{blob: blob{x0: win.w, y0: win.h}, peak: float32(s.peak[f])})
		}
	}
	for _, i := range s.order {
		p := &s.basins[s.link[find(s.root, s.flood[i])]]
		x, y := int(i)%win.w, int(i)/win.w
		p.blob = union(p.blob, blob{0, x, y, x + 1, y + 1, 1})
		c := 3 * ((y+win.y0)/win.k*w + (x+win.x0)/win.k)
		p.sum = plus(p.sum, [3]float32{float32(small[c]), float32(small[c+1]), float32(small[c+2])})
	}
	for i := range s.edges {
		e := &s.edges[i]
		e.a, e.b = s.link[find(s.root, e.a)], s.link[find(s.root, e.b)]
	}
}

// decide makes the cuts. It reports false where the blob is one object.
func (s *splitter) decide(win window, r rule) bool {
	s.regroup()
	for again := true; again; {
		again = false
		for g := range s.groups {
			if e := s.bestCut(int32(g), win, r); e >= 0 {
				s.edges[e].cut = true
				s.regroup()
				again = true
				break
			}
		}
	}
	s.mend(r)
	objects := 0
	for i := range s.groups {
		g := &s.groups[i]
		if g.loose = !r.object(*g, win, r.any); !g.loose {
			objects++
		}
	}
	if objects < 2 {
		return false
	}
	s.tidy()
	return len(s.groups) > 1
}

// mend takes back the cuts in a thing that was too long which turned out to be within one of its objects: a small piece
// of the same colour as its neighbour, the two of which together are no longer than one.
func (s *splitter) mend(r rule) {
	for k := range s.edges {
		e := &s.edges[k]
		a, b := s.basins[e.a].label, s.basins[e.b].label
		if !e.cut || a == b {
			continue
		}
		p, q := s.groups[a], s.groups[b]
		if min(float32(p.area), float32(q.area)) < r.fair && apart(p, q) <= smallColour && union(p.blob, q.blob).length() <= r.long {
			e.cut = false
			s.regroup()
		}
	}
}

// regroup gives each piece that the edges not cut hold together a number, and measures it.
func (s *splitter) regroup() {
	s.groups = s.groups[:0]
	for i := range s.basins {
		s.basins[i].label = -1
	}
	for i := range s.basins {
		if s.basins[i].label < 0 {
			n := int32(len(s.groups))
			s.groups = append(s.groups, s.reach(int32(i), n, -1))
		}
	}
}

// reach measures what hangs together with basin i without the edge `without`, and labels it n where n is not negative.
func (s *splitter) reach(i, n int32, without int) group {
	from := s.basins[i]
	g := group{blob: from.blob, peak: from.peak, sum: from.sum}
	g.label = 0
	seen := uint64(1) << (i & 63)
	s.stack = append(s.stack[:0], i)
	for len(s.stack) > 0 {
		at := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		if n >= 0 {
			s.basins[at].label = n
		}
		for k, e := range s.edges {
			if e.cut || k == without || e.a != at && e.b != at {
				continue
			}
			to := e.a + e.b - at
			if seen&(1<<(to&63)) != 0 {
				continue
			}
			seen |= 1 << (to & 63)
			s.stack = append(s.stack, to)
			o := &s.basins[to]
			g.blob, g.peak, g.sum = union(g.blob, o.blob), max(g.peak, o.peak), plus(g.sum, o.sum)
		}
	}
	return g
}

// bestCut is the edge of group n at which to cut, or -1: the thinnest neck, measured by the thinner side, that leaves
// an object on both sides.
func (s *splitter) bestCut(n int32, win window, r rule) int {
	neck, area := float32(thinNeck), r.fair
	switch {
	case s.groups[n].length() > r.long:
		neck, area = anyNeck, r.any
	case len(s.groups) > 1 && s.solidity(s.piece(n, win), win.w) > convex:
		return -1
	case len(s.groups) < r.before: // but a small piece once cut off by mistake is not cut off for ever
		neck = anyNeck
	}
	best, at := float32(9), -1
	for k, e := range s.edges {
		if e.cut || s.basins[e.a].label != n {
			continue
		}
		a, b := s.reach(e.a, -1, k), s.reach(e.b, -1, k)
		thin := e.d / min(a.peak, b.peak)
		limit, least := neck, area
		switch d := apart(a, b); {
		case d > smallColour:
			limit, least = anyNeck, r.any
		case d > otherColour:
			limit = anyNeck
		}
		if thin >= limit || !r.object(a, win, least) || !r.object(b, win, least) {
			continue
		}
		// A cut that leaves usual lengths is better than a thinner one that leaves something still too long.
		for _, side := range [2]group{a, b} {
			if side.length() > r.long {
				thin += tooLong
			}
		}
		if thin < best {
			best, at = thin, k
		}
	}
	return at
}

// apart is how far the mean colours of two pieces are from each other, in grey levels.
func apart(a, b group) float32 {
	var d float32
	for c := range 3 {
		v := a.sum[c]/float32(a.area) - b.sum[c]/float32(b.area)
		d += v * v
	}
	return float32(math.Sqrt(float64(d)))
}

func plus(a, b [3]float32) [3]float32 { return [3]float32{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// object reports whether a piece is large enough for an object. What the frame's border cuts may be shorter.
func (r rule) object(g group, win window, area float32) bool {
	border := win.left && g.x0 == 0 || win.right && g.x1 == win.w || win.top && g.y0 == 0 || win.bottom && g.y1 == win.h
	return float32(g.area) >= area && (border || g.length() >= r.short)
}

// tidy gives loose pieces to the nearest object, and puts objects together whose boxes lie in each other.
func (s *splitter) tidy() {
	for _, l := range s.groups {
		if !l.loose {
			continue
		}
		best, at := 1<<30, -1
		for i, p := range s.groups {
			dx, dy := max(p.x0-l.x1, l.x0-p.x1, 0), max(p.y0-l.y1, l.y0-p.y1, 0)
			if d := dx*dx + dy*dy; !p.loose && d < best {
				best, at = d, i
			}
		}
		s.groups[at].blob = union(s.groups[at].blob, l.blob)
	}
	kept := s.groups[:0]
	for _, g := range s.groups {
		if !g.loose {
			kept = append(kept, g)
		}
	}
	s.groups = kept
	for i := 0; i < len(s.groups); i++ {
		for j := i + 1; j < len(s.groups); j++ {
			if lieIn(s.groups[i].blob, s.groups[j].blob) {
				s.groups[i].blob = union(s.groups[i].blob, s.groups[j].blob)
				s.groups = append(s.groups[:j], s.groups[j+1:]...)
				i = -1 // the union may now hold others
				break
			}
		}
	}
}

func union(a, b blob) blob {
	return blob{a.label, min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1), a.area + b.area}
}

func lieIn(a, b blob) bool {
	w, h := min(a.x1, b.x1)-max(a.x0, b.x0), min(a.y1, b.y1)-max(a.y0, b.y0)
	if w <= 0 || h <= 0 {
		return false
	}
	least := min((a.x1-a.x0)*(a.y1-a.y0), (b.x1-b.x0)*(b.y1-b.y0))
	return float32(w*h) > nested*float32(least)
}
