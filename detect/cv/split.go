package cv

import "math"

// splitter cuts blobs of touching objects at the neck between them. It floods each blob from its thickest places
// downwards, in the order of the distance to the blob's outline (a watershed on the distance transform). Floods that
// meet at a place about as thick as themselves are one; the others are basins, and the thickest places where they meet
// are a tree of possible cuts. cuts.go decides which of them are made.
type splitter struct {
	dist   []uint16 // chamfer distance to the outline, 3 a pixel
	order  []int32  // pixels, thickest first
	count  []int32  // for the counting sort
	flood  []int32  // by pixel: its flood, 0 none; indexes the next three
	root   []int32  // union-find: floods that are one basin
	link   []int32  // union-find: basins that the tree connects
	peak   []uint16
	basins []basin
	edges  []edge
	groups []group
	stack  []int32

	slices      []slice  // of a blob
	left, right [][2]int // of a convex hull
	part        []byte   // a group's mask

	usual sizes
	last  []fine // what the frame before held
}

const (
	// A flood whose peak is at most so much thicker than the place where it meets another is part of that other.
	sameShare, sameMore = 1.1, 3
	maxBasins           = 64
	maxDist             = 1 << 12
	maxWindow           = 160_000 // pixels; a larger blob is not looked at more closely
)

// sizes is what objects usually measure here, learned from those that are whole and alone, in pixels of the small
// picture: histograms over the logarithm, eight bins an octave, halved now and then so that the past fades.
type sizes struct {
	lengths, areas [160]int32
	seen           int32
	short, long    float32 // the usual lengths: quantiles
	area           float32 // the median
}

func (u *sizes) learn(b blob) {
	u.lengths[logBin(int(b.length()))]++
	u.areas[logBin(b.area)]++
	if u.seen++; u.seen >= 20_000 {
		u.seen = 0
		for i := range u.lengths {
			u.lengths[i] /= 2
			u.areas[i] /= 2
			u.seen += u.lengths[i]
		}
	}
	u.short, u.long = quantile(&u.lengths, shortQuantile), quantile(&u.lengths, longQuantile)
	u.area = quantile(&u.areas, 0.5)
}

func logBin(v int) int { return min(int(8*math.Log2(float64(max(v, 1)))), 159) }

func quantile(h *[160]int32, q float32) float32 {
	var all, sum int32
	for _, n := range h {
		all += n
	}
	for i, n := range h {
		if sum += n; float32(sum) >= q*float32(all) {
			return float32(math.Exp2((float64(i) + 0.5) / 8))
		}
	}
	return 0
}

// window is a blob seen closely: its mask at k times the small picture's resolution, from (x0, y0) in those pixels.
type window struct {
	x0, y0, w, h int
	k            int
	m            []byte
	// Whether the blob ends at these sides because the frame ends.
	left, top, right, bottom bool
}

// fine is one object's box in pixels of the small picture, in fractions where the closer look gave them.
type fine struct {
	x0, y0, x1, y1, area float32
}

// distances fills dist with the 3-4 chamfer distance (Borgefors, "Distance transformations in digital images", 1986)
// to the nearest pixel outside. Beyond the frame's border the object goes on.
func (s *splitter) distances(win window) {
	n := win.w * win.h
	if cap(s.dist) < n {
		s.dist, s.flood, s.order = make([]uint16, n), make([]int32, n), make([]int32, n)
	}
	s.dist, s.flood = s.dist[:n], s.flood[:n]
	side := func(open bool) uint16 {
		if open {
			return maxDist
		}
		return 0
	}
	left, top, right, bottom := side(win.left), side(win.top), side(win.right), side(win.bottom)
	at := func(x, y int) uint16 {
		switch {
		case x < 0:
			return left
		case x >= win.w:
			return right
		case y < 0:
			return top
		case y >= win.h:
			return bottom
		}
		return s.dist[y*win.w+x]
	}
	for y := range win.h {
		for x := range win.w {
			i := y*win.w + x
			switch {
			case win.m[i] == 0:
				s.dist[i] = 0
			case x > 0 && y > 0 && x < win.w-1:
				up := i - win.w
				s.dist[i] = min(s.dist[i-1]+3, s.dist[up]+3, s.dist[up-1]+4, s.dist[up+1]+4, maxDist)
			default:
				s.dist[i] = min(at(x-1, y)+3, at(x, y-1)+3, at(x-1, y-1)+4, at(x+1, y-1)+4, maxDist)
			}
		}
	}
	for y := win.h - 1; y >= 0; y-- {
		for x := win.w - 1; x >= 0; x-- {
			i := y*win.w + x
			switch {
			case s.dist[i] == 0:
			case x > 0 && y < win.h-1 && x < win.w-1:
				d := i + win.w
				s.dist[i] = min(s.dist[i], s.dist[i+1]+3, s.dist[d]+3, s.dist[d-1]+4, s.dist[d+1]+4)
			default:
				s.dist[i] = min(s.dist[i], at(x+1, y)+3, at(x, y+1)+3, at(x+1, y+1)+4, at(x-1, y+1)+4)
			}
		}
	}
}

// fill floods the window, thickest pixels first.
func (s *splitter) fill(win window) {
	s.sort()
	clear(s.flood)
	s.root, s.link, s.peak, s.edges = s.root[:0], s.link[:0], s.peak[:0], s.edges[:0]
	s.start(0)
	for _, i := range s.order {
		// A pixel belongs to its thickest neighbour; first come first served would let one flood creep around another.
		x, y := int(i)%win.w, int(i)/win.w
		mine, thickest := int32(0), uint16(0)
		met := int32(0)
		for v := max(y-1, 0); v <= min(y+1, win.h-1); v++ {
			for u := max(x-1, 0); u <= min(x+1, win.w-1); u++ {
				j := v*win.w + u
				if s.flood[j] == 0 {
					continue
				}
				if s.dist[j] > thickest {
					mine, thickest = s.flood[j], s.dist[j]
				}
				if f := find(s.root, s.flood[j]); met == 0 {
					met = f
				} else if f != met {
					met = s.meet(met, f, s.dist[i])
				}
			}
		}
		if mine == 0 {
			mine = s.start(s.dist[i])
		}
		s.flood[i] = mine
	}
}

// sort lists the mask's pixels in order, thickest first, rows from the top within one thickness.
func (s *splitter) sort() {
	if s.count == nil {
		s.count = make([]int32, maxDist+1)
	}
	top := uint16(0)
	for _, d := range s.dist {
		s.count[d]++
		top = max(top, d)
	}
	var n int32
	for d := int(top); d > 0; d-- {
		n, s.count[d] = n+s.count[d], n
	}
	s.order = s.order[:n]
	for i, d := range s.dist {
		if d > 0 {
			s.order[s.count[d]] = int32(i)
			s.count[d]++
		}
	}
	clear(s.count[:top+1])
}

func (s *splitter) start(peak uint16) int32 {
	n := int32(len(s.root))
	s.root, s.link, s.peak = append(s.root, n), append(s.link, n), append(s.peak, peak)
	return n
}

func find(up []int32, i int32) int32 {
	for up[i] != i {
		up[i] = up[up[i]]
		i = up[i]
	}
	return i
}

// meet joins two floods at a place of thickness d, or notes the place as a possible cut. It returns whose the place is.
func (s *splitter) meet(a, b int32, d uint16) int32 {
	if s.peak[b] > s.peak[a] || s.peak[b] == s.peak[a] && b < a {
		a, b = b, a
	}
	if float32(s.peak[b]) <= sameShare*float32(d)+sameMore {
		s.root[b] = a
	} else if find(s.link, a) != find(s.link, b) {
		s.edges = append(s.edges, edge{a: a, b: b, d: float32(d)})
	}
	s.link[find(s.link, b)] = find(s.link, a)
	return a
}
