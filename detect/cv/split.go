package cv

// splitter cuts blobs of touching objects at the neck between them. It floods each blob from its thickest places
// downwards, in the order of the distance to the blob's outline (a watershed on the distance transform). Where two
// floods meet, they are one object unless the meeting place is a neck: much thinner than the thickest place of either,
// with a fair share of the blob on both sides. A single garment with legs or sleeves has no such place: its parts are
// about as thick where they join as elsewhere, or too small.
type splitter struct {
	dist  []uint16 // chamfer distance to the outline, 3 a pixel
	order []int32  // a blob's pixels, thickest first
	count []int32  // for the counting sort
	basin []int32  // by pixel: its flood, 0 none; indexes the three below
	root  []int32
	peak  []uint16
	area  []int32
	alone []bool // the flood's cut is final
	out   []blob
	next  int32
}

const (
	neckShare = 0.55 // a neck is thinner than this share of the smaller peak
	partShare = 0.2  // each side has at least this share of the blob
	maxDist   = 1 << 12
)

// split returns the blobs with touching ones cut, and rewrites their labels.
func (s *splitter) split(labels []int32, w, h int, blobs []blob, least int) []blob {
	if len(s.dist) != w*h {
		s.dist, s.basin = make([]uint16, w*h), make([]int32, w*h)
	}
	s.out = s.out[:0]
	s.next = 0
	for _, b := range blobs {
		s.next = max(s.next, b.label)
	}
	for _, b := range blobs {
		s.distances(labels, w, h, b)
		s.flood(labels, w, h, b)
		s.emit(labels, w, b, least)
	}
	return s.out
}

// distances fills dist inside b's box with the 3-4 chamfer distance (Borgefors, "Distance transformations in digital
// images", 1986) to the nearest pixel that is not b's. Outside the frame the object goes on.
func (s *splitter) distances(labels []int32, w, h int, b blob) {
	at := func(x, y int) uint16 {
		if x < 0 || y < 0 || x >= w || y >= h {
			return maxDist
		}
		if x < b.x0 || y < b.y0 || x >= b.x1 || y >= b.y1 {
			return 0
		}
		return s.dist[y*w+x]
	}
	for y := b.y0; y < b.y1; y++ {
		for x := b.x0; x < b.x1; x++ {
			i := y*w + x
			if labels[i] != b.label {
				s.dist[i] = 0
				continue
			}
			s.dist[i] = min(at(x-1, y)+3, at(x, y-1)+3, at(x-1, y-1)+4, at(x+1, y-1)+4, maxDist)
		}
	}
	for y := b.y1 - 1; y >= b.y0; y-- {
		for x := b.x1 - 1; x >= b.x0; x-- {
			i := y*w + x
			s.dist[i] = min(s.dist[i], at(x+1, y)+3, at(x, y+1)+3, at(x+1, y+1)+4, at(x-1, y+1)+4)
		}
	}
}

func (s *splitter) flood(labels []int32, w, h int, b blob) {
	s.sort(labels, w, b)
	s.root, s.peak, s.area, s.alone = s.root[:0], s.peak[:0], s.area[:0], s.alone[:0]
	s.start(0)
	for _, i := range s.order {
		s.basin[i] = 0
	}
	for _, i := range s.order {
		x, y := int(i)%w, int(i)/w
		mine := int32(0)
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				if x+dx < b.x0 || y+dy < b.y0 || x+dx >= b.x1 || y+dy >= b.y1 {
					continue
				}
				j := int(i) + dy*w + dx
				if labels[j] != b.label || s.basin[j] == 0 {
					continue
				}
				o := s.find(s.basin[j])
				if mine == 0 {
					mine = o
				} else if o != mine {
					mine = s.meet(mine, o, s.dist[i], b.area)
				}
			}
		}
		if mine == 0 {
			mine = s.start(s.dist[i])
		}
		s.basin[i] = mine
		s.area[mine]++
	}
}

// sort lists b's pixels in order, thickest first, rows from the top within one thickness.
func (s *splitter) sort(labels []int32, w int, b blob) {
	if s.count == nil {
		s.count = make([]int32, maxDist+2)
	}
	top := 0
	for y := b.y0; y < b.y1; y++ {
		for x := b.x0; x < b.x1; x++ {
			if i := y*w + x; labels[i] == b.label {
				s.count[s.dist[i]]++
				top = max(top, int(s.dist[i]))
			}
		}
	}
	var n int32
	for d := top; d >= 0; d-- {
		n, s.count[d] = n+s.count[d], n
	}
	if cap(s.order) < int(n) {
		s.order = make([]int32, len(s.dist))
	}
	s.order = s.order[:n]
	for y := b.y0; y < b.y1; y++ {
		for x := b.x0; x < b.x1; x++ {
			if i := y*w + x; labels[i] == b.label {
				s.order[s.count[s.dist[i]]] = int32(i)
				s.count[s.dist[i]]++
			}
		}
	}
	clear(s.count[:top+1])
}

func (s *splitter) start(peak uint16) int32 {
	s.root = append(s.root, int32(len(s.root)))
	s.peak = append(s.peak, peak)
	s.area = append(s.area, 0)
	s.alone = append(s.alone, false)
	return int32(len(s.root) - 1)
}

func (s *splitter) find(i int32) int32 {
	for s.root[i] != i {
		s.root[i] = s.root[s.root[i]]
		i = s.root[i]
	}
	return i
}

// meet joins two floods at a place of thickness d unless that is a neck, and returns whose the place is.
func (s *splitter) meet(a, b int32, d uint16, whole int) int32 {
	if s.peak[b] > s.peak[a] || s.peak[b] == s.peak[a] && b < a {
		a, b = b, a
	}
	part := float32(min(s.area[a], s.area[b]))
	if float32(d) < neckShare*float32(s.peak[b]) && part >= partShare*float32(whole) {
		return a
	}
	s.root[b] = a
	s.area[a] += s.area[b]
	return a
}

// emit writes one blob per flood.
func (s *splitter) emit(labels []int32, w int, b blob, least int) {
	from := len(s.out)
	first := true
	for k := 1; k < len(s.root); k++ {
		if s.root[k] != int32(k) {
			continue
		}
		p := blob{label: b.label, x0: 1 << 30, y0: 1 << 30}
		if !first {
			s.next++
			p.label = s.next
		}
		first = false
		s.peak[k] = uint16(len(s.out) - from) // from here on: which part
		s.out = append(s.out, p)
	}
	if len(s.out) == from+1 {
		s.out[from] = b
		return
	}
	for _, i := range s.order {
		p := &s.out[from+int(s.peak[s.find(s.basin[i])])]
		x, y := int(i)%w, int(i)/w
		p.x0, p.y0, p.x1, p.y1 = min(p.x0, x), min(p.y0, y), max(p.x1, x+1), max(p.y1, y+1)
		p.area++
		labels[i] = p.label
	}
	kept := s.out[:from]
	for _, p := range s.out[from:] {
		if p.area >= least {
			kept = append(kept, p)
		}
	}
	s.out = kept
}
