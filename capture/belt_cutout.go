package capture

// What of a cut-out picture counts as background: grey levels up to backdrop that are connected with its edge. Pieces
// of fewer than crumb pixels are dirt.
const (
	backdrop = 10
	crumb    = 6
	rimOfCut = 3 // pixels of background added all around, for garments that fill their picture
)

// alloc makes room for w×h pixels in n planes.
func (s *planes) alloc(w, h, n int) {
	s.w, s.h, s.n = w, h, n
	for i := range n {
		s.c[i] = grow(s.c[i], w*h)
	}
}

// fromCutout takes the bright thing out of a picture with a black background: grey levels with the thing's own colour
// continued outwards, so that no black fringe shows, and a softened mask.
func (s *planes) fromCutout(im Image) {
	s.border = rimOfCut
	s.alloc(im.W+2*rimOfCut, im.H+2*rimOfCut, 1)
	g := s.c[0]
	clear(g)
	for y := range im.H {
		row := im.Row(y)
		for x := range im.W {
			g[(y+rimOfCut)*s.w+x+rimOfCut] = row[3*x+1]
		}
	}
	s.mask = grow(s.mask, s.w*s.h)
	for i := range s.mask {
		s.mask[i] = 255
	}
	s.flood()
	s.sweep()
	s.unfringe()
	s.spread(4)
	// Smoothed, the mask's half-way line is a smooth outline.
	line := make([]byte, max(s.w, s.h))
	for y := range s.h {
		tent(s.mask[y*s.w:], 1, s.w, line)
	}
	for x := range s.w {
		tent(s.mask[x:], s.w, s.h, line)
	}
}

// flood clears the mask where darkness reaches in from the edge; dark parts inside stay.
func (s *planes) flood() {
	s.queue = append(s.queue[:0], 0)
	s.mask[0] = 0
	s.fill(1, func(i int) bool { return s.mask[i] != 0 && s.c[0][i] <= backdrop }, 0)
}

// fill gives the mask the value v in every wanted pixel that is connected with those in queue, by sides (reach 1) or
// by corners too (reach 2), and leaves all of them in queue.
func (s *planes) fill(reach int, want func(int) bool, v byte) {
	for k := 0; k < len(s.queue); k++ {
		x, y := s.queue[k]%s.w, s.queue[k]/s.w
		for j := max(y-1, 0); j <= min(y+1, s.h-1); j++ {
			for i := max(x-1, 0); i <= min(x+1, s.w-1); i++ {
				n := j*s.w + i
				if max(i-x, x-i)+max(j-y, y-j) <= reach && want(n) {
					s.mask[n] = v
					s.queue = append(s.queue, n)
				}
			}
		}
	}
}

// sweep leaves one piece in the mask. Crumbs go; a garment that a black stripe cuts in two (the stripe counts as
// background where it reaches the outline) is closed along the columns and then the rows; what is still apart goes too.
func (s *planes) sweep() {
	if s.pieces(crumb) > 1 {
		for x := range s.w {
			s.bridge(x, s.w, s.h)
		}
	}
	if s.pieces(crumb) > 1 {
		for y := range s.h {
			s.bridge(y*s.w, 1, s.w)
		}
	}
	if s.pieces(crumb) > 1 {
		s.pieces(s.largest)
	}
}

// bridge fills the mask between the first and the last of n pixels, step apart, that it has.
func (s *planes) bridge(from, step, n int) {
	first, last := -1, -1
	for k := range n {
		if s.mask[from+k*step] != 0 {
			if first < 0 {
				first = k
			}
			last = k
		}
	}
	for k := max(first, 0); k <= last; k++ {
		s.mask[from+k*step] = 255
	}
}

// pieces counts the mask's connected pieces, takes those of fewer than least pixels off it, and notes the largest.
func (s *planes) pieces(least int) int {
	n := 0
	s.largest = 0
	for start := range s.mask {
		if s.mask[start] != 255 {
			continue
		}
		s.queue = append(s.queue[:0], start)
		s.mask[start] = 254 // seen
		s.fill(2, func(i int) bool { return s.mask[i] == 255 }, 254)
		if len(s.queue) >= least {
			n++
			s.largest = max(s.largest, len(s.queue))
			continue
		}
		for _, i := range s.queue {
			s.mask[i] = 0
		}
	}
	for i, m := range s.mask {
		if m == 254 {
			s.mask[i] = 255
		}
	}
	return n
}

// unfringe undoes the mixing with black of the pixels along the outline: one that is darker than the thing behind it
// takes that thing's grey level, and is covered by the share that it had of it.
func (s *planes) unfringe() {
	g := s.c[0]
	s.known = append(s.known[:0], s.mask...)
	s.levels = append(s.levels[:0], g...)
	for y := 1; y < s.h-1; y++ {
		for x := 1; x < s.w-1; x++ {
			i := y*s.w + x
			if s.known[i] == 0 || s.inner(i) {
				continue
			}
			sum, n := 0, 0
			for _, j := range s.around(i) {
				if s.known[j] != 0 && s.inner(j) {
					sum += int(s.levels[j])
					n++
				}
			}
			if n == 0 {
				continue
			}
			if m := sum / n; int(g[i])*4 < m*3 {
				s.mask[i] = byte(min(255, int(g[i])*255/m+24))
				g[i] = byte(m * 15 / 16)
			}
		}
	}
}

// around is the eight neighbours of a pixel that is not on the edge.
func (s *planes) around(i int) [8]int {
	return [8]int{i - s.w - 1, i - s.w, i - s.w + 1, i - 1, i + 1, i + s.w - 1, i + s.w, i + s.w + 1}
}

// inner reports whether no neighbour of a known pixel (one not on the edge) is background.
func (s *planes) inner(i int) bool {
	return s.known[i-1] != 0 && s.known[i+1] != 0 && s.known[i-s.w] != 0 && s.known[i+s.w] != 0
}

// spread continues the thing's grey levels into the background by n pixels: each takes the mean of its neighbours that
// have one.
func (s *planes) spread(n int) {
	g := s.c[0]
	s.known = append(s.known[:0], s.mask...)
	known := s.known
	for range n {
		next := append([]byte(nil), known...)
		for i := range g {
			if known[i] != 0 {
				continue
			}
			x, sum, cnt := i%s.w, 0, 0
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if j := i + dy*s.w + dx; j >= 0 && j < len(g) && x+dx >= 0 && x+dx < s.w && known[j] != 0 {
						sum += int(g[j])
						cnt++
					}
				}
			}
			if cnt > 0 {
				g[i], next[i] = byte(sum/cnt), 255
			}
		}
		known = next
	}
}

// tent smooths n values, step bytes apart, with weights 1, 2, 1.
func tent(v []byte, step, n int, line []byte) {
	for i := range n {
		line[i] = v[i*step]
	}
	for i := range n {
		v[i*step] = byte((int(line[max(i-1, 0)]) + 2*int(line[i]) + int(line[min(i+1, n-1)]) + 2) / 4)
	}
}

// fromPhoto takes a photograph whole. One that is far larger than it will lie there is shrunk by a whole factor first,
// each pixel the mean of a square, or enlarging's four taps would alias.
func (s *planes) fromPhoto(im Image, size int) {
	s.border, s.mask = 0, nil
	k := max(1, max(im.W, im.H)/max(size, 1))
	w, h := max(1, im.W/k), max(1, im.H/k)
	s.alloc(w, h, 3)
	for y := range h {
		for x := range w {
			var sum [3]int
			for j := range min(k, im.H) {
				row := im.Row(min(y*k+j, im.H-1))
				for i := range min(k, im.W) {
					at := 3 * min(x*k+i, im.W-1)
					sum[0] += int(row[at])
					sum[1] += int(row[at+1])
					sum[2] += int(row[at+2])
				}
			}
			n := min(k, im.H) * min(k, im.W)
			for c := range 3 {
				s.c[c][y*w+x] = byte(sum[c] / n)
			}
		}
	}
}
