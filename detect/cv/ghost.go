package cv

// A ghost is background that the model has never seen because something lay there when it learned: the place stays
// different after the thing has left. It is told from an object by its outline, where the model has an edge and the
// picture has none (the idea is that of Cucchiara et al., "Detecting moving objects, ghosts, and shadows in video
// streams", PAMI 2003, with edges in place of flow).
type ghost struct {
	b    blob
	seen int
}

const (
	ghostFrames = 3 // so many frames in one place until the model takes it
	ghostEdge   = 2 // the model's edge is so many times the picture's
)

// judge drops ghosts from blobs and teaches the model those that stay.
func (r *reference) judge(small []byte, labels []int32, blobs []blob) []blob {
	r.ghostsNext = r.ghostsNext[:0]
	kept := blobs[:0]
	for _, b := range blobs {
		if !r.isGhost(small, labels, b) {
			kept = append(kept, b)
			continue
		}
		g := ghost{b: b, seen: 1}
		for _, old := range r.ghosts {
			if near(old.b, b) {
				g.seen = old.seen + 1
			}
		}
		if g.seen < ghostFrames {
			r.ghostsNext = append(r.ghostsNext, g)
			continue
		}
		for y := b.y0; y < b.y1; y++ {
			for x := b.x0; x < b.x1; x++ {
				if i := y*r.w + x; labels[i] == b.label {
					r.adopt(small, i)
				}
			}
		}
	}
	r.ghosts, r.ghostsNext = r.ghostsNext, r.ghosts
	return kept
}

func near(a, b blob) bool {
	x0, y0, x1, y1 := max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)
	if x1 <= x0 || y1 <= y0 {
		return false
	}
	i := (x1 - x0) * (y1 - y0)
	return 4*i > 3*((a.x1-a.x0)*(a.y1-a.y0)+(b.x1-b.x0)*(b.y1-b.y0)-i)
}

// isGhost compares the edge across the blob's outline in the model with that in the picture, two pixels to each side.
func (r *reference) isGhost(small []byte, labels []int32, b blob) bool {
	var now, then float32
	across := func(in, out int) {
		for c := range 3 {
			now += abs(float32(small[3*in+c])-float32(small[3*out+c])) / r.gain[c]
			then += abs(r.mean[3*in+c] - r.mean[3*out+c])
		}
	}
	n := 0
	for y := max(b.y0, 2); y < min(b.y1, r.h-2); y++ {
		for x := max(b.x0, 2); x < min(b.x1, r.w-2); x++ {
			i := y*r.w + x
			if labels[i] != b.label {
				continue
			}
			for _, step := range [4]int{-1, 1, -r.w, r.w} {
				if labels[i+step] != b.label && labels[i+2*step] != b.label && labels[i-2*step] == b.label {
					across(i-2*step, i+2*step)
					n++
				}
			}
		}
	}
	return n > 8 && then > ghostEdge*now
}

func abs(v float32) float32 {
	if v < 0 {
		return -v
	}
	return v
}
