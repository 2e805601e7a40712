package cv

// convex is the least share of its convex hull that a blob fills, its holes taken as filled, which is one thing for sure: a photo or a
// carton whose print has the belt's colours in the middle. Two things that touch leave a wedge or a step beside the place.
const convex = 0.93

// slice is a row or a column of a mask: which it is, its first pixel, and the one after its last.
type slice struct{ at, first, last int }

// piece is the mask of group n, valid until the next call.
func (s *splitter) piece(n int32, win window) []byte {
	if cap(s.part) < len(win.m) {
		s.part = make([]byte, max(len(win.m), maxWindow))
	}
	m := s.part[:len(win.m)]
	clear(m)
	for _, i := range s.order {
		m[i] = is(s.basins[s.link[find(s.root, s.flood[i])]].label == n)
	}
	return m
}

// solidity is the share of its convex hull that a blob fills, 0 to 1; m is its mask, w pixels wide. What lies between the first and the
// last pixel of a row as well as of a column counts as filled.
func (s *splitter) solidity(m []byte, w int) float32 {
	columns := s.cross(m, w, 1, w)
	rows := s.cross(m, len(m)/w, w, 1)
	hull := s.hull(0, len(s.slices))
	return float32(2*min(rows, columns)) / float32(max(1, hull))
}

// cross notes where the blob begins and ends in each of n slices of a mask; slice i has the pixels i*next, i*next+down, …. Those without
// any are left out. It returns how many pixels lie between the ends.
func (s *splitter) cross(m []byte, n, next, down int) (filled int) {
	s.slices = s.slices[:0]
	for i := range n {
		part := m[i*next:]
		if down == 1 {
			part = part[:next]
		}
		if first, last, ok := ends(part, down); ok {
			s.slices = append(s.slices, slice{i, first, last})
			filled += last - first
		}
	}
	return filled
}

// halve makes two groups of a blob that is too long for one object and has no neck, such as two cartons that lie flush, by a cut straight
// across its longer side: the one that leaves the two most convex parts. It reports false, and the groups mean nothing, where not both
// are convex and as large as objects are.
func (s *splitter) halve(win window, r rule) bool {
	n, across, next, down := win.w, win.h, 1, win.w
	if win.h > win.w {
		n, across, next, down = win.h, win.w, win.w, 1
	}
	s.cross(win.m, n, next, down)
	n = len(s.slices)
	at, least := 0, 0
	for p := 1; p < n; p++ {
		if both := s.hull(0, p) + s.hull(p, n); at == 0 || both < least {
			at, least = p, both
		}
	}
	s.groups = s.groups[:0]
	for _, part := range [2][2]int{{0, at}, {at, n}} {
		g := group{blob: blob{x0: max(win.w, win.h), y0: across}}
		for _, e := range s.slices[part[0]:part[1]] {
			g.x0, g.y0, g.x1, g.y1 = min(g.x0, e.at), min(g.y0, e.first), max(g.x1, e.at+1), max(g.y1, e.last)
			g.area += e.last - e.first
		}
		if float32(2*g.area) < convex*float32(s.hull(part[0], part[1])) {
			return false
		}
		if down == 1 {
			g.x0, g.y0, g.x1, g.y1 = g.y0, g.x0, g.y1, g.x1
		}
		if g.length() > r.long || !r.object(g, win, r.fair) {
			return false
		}
		s.groups = append(s.groups, g)
	}
	return true
}

// hull is twice the area of the convex hull of some slices.
func (s *splitter) hull(from, to int) int {
	left, right := s.left[:0], s.right[:0]
	for _, e := range s.slices[from:to] {
		for _, v := range [2]int{e.at, e.at + 1} { // a pixel's corners
			left, right = bend(left, [2]int{e.first, v}, 1), bend(right, [2]int{e.last, v}, -1)
		}
	}
	s.left, s.right = left, right
	return under(right) - under(left)
}

// ends is the first pixel of every step'th that is set, and the one after the last.
func ends(m []byte, step int) (first, last int, ok bool) {
	n := (len(m) + step - 1) / step
	for first < n && m[first*step] == 0 {
		first++
	}
	if first == n {
		return 0, 0, false
	}
	for last = n; m[(last-1)*step] == 0; {
		last--
	}
	return first, last, true
}

// bend adds the next point downwards to one side of a convex hull (Andrew's monotone chain, 1979): side is 1 for the left one, on which
// the line turns left, -1 for the right one.
func bend(line [][2]int, p [2]int, side int) [][2]int {
	for n := len(line); n >= 2; n = len(line) {
		a, b := line[n-2], line[n-1]
		if side*((b[0]-a[0])*(p[1]-a[1])-(b[1]-a[1])*(p[0]-a[0])) < 0 {
			break
		}
		line = line[:n-1]
	}
	return append(line, p)
}

// under is twice the area between the line and the picture's left side.
func under(line [][2]int) (area int) {
	for i := 1; i < len(line); i++ {
		area += (line[i][0] + line[i-1][0]) * (line[i][1] - line[i-1][1])
	}
	return area
}
