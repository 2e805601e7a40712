package detect

import (
	"cmp"
	"slices"
)

// preNMS bounds how many boxes enter suppression, strongest first: its cost grows with their number times the number
// kept, and no scene that a camera sees has more.
const preNMS = 1000

// sortByScore puts the strongest first; equals keep their order, so that results do not depend on the sort.
func sortByScore(d []Detection) {
	slices.SortStableFunc(d, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
}

// NMS is class-aware greedy non-maximum suppression: of two boxes of one class whose IoU is above iou, the weaker goes.
// It sorts d by falling score in place, O(n log n), and looks at no more than the strongest 1,000, at most
// keep of which survive, so that a flood of boxes cannot stall a frame. It returns the survivors, a prefix of d, strongest first.
func NMS(d []Detection, iou float32, keep int) []Detection {
	return suppress(d, iou, keep, func(a, b Box) float32 { return a.IoU(b) })
}

// MergeTiles is NMS for detections from overlapping tiles: a box that lies mostly (share ios of the smaller one's
// area) inside another of its class is the same object, cut at a tile's border, so the larger takes both's extent and
// the better score.
func MergeTiles(d []Detection, ios float32, keep int) []Detection {
	// Largest first: the uncut box must be the one that stays.
	slices.SortStableFunc(d, func(a, b Detection) int { return cmp.Compare(b.Box.Area(), a.Box.Area()) })
	d = d[:min(len(d), preNMS)]
	n := 0
	for _, c := range d {
		merged := false
		for k := 0; k < n && !merged; k++ {
			if d[k].Class == c.Class && d[k].Box.IoS(c.Box) > ios {
				d[k].Box = Box{min(d[k].Box.X0, c.Box.X0), min(d[k].Box.Y0, c.Box.Y0),
					max(d[k].Box.X1, c.Box.X1), max(d[k].Box.Y1, c.Box.Y1)}
				d[k].Score = max(d[k].Score, c.Score)
				merged = true
			}
		}
		if !merged {
			d[n] = c
			n++
		}
	}
	sortByScore(d[:n])
	return d[:min(n, keep)]
}

func suppress(d []Detection, limit float32, keep int, overlap func(a, b Box) float32) []Detection {
	sortByScore(d)
	d = d[:min(len(d), preNMS)]
	n := 0
next:
	for _, c := range d {
		if n == keep {
			break
		}
		for _, k := range d[:n] {
			if k.Class == c.Class && overlap(k.Box, c.Box) > limit {
				continue next
			}
		}
		d[n] = c
		n++
	}
	return d[:n]
}

// BlendNMS is the suppression of BlazeFace (Bazarevsky et al. 2019, section 3.4): overlapping boxes are not dropped but
// averaged, weighted by their scores, which keeps a face from trembling from frame to frame. The strongest score stays.
func BlendNMS(d []Detection, iou float32, keep int) []Detection {
	sortByScore(d)
	d = d[:min(len(d), preNMS)]
	n := 0
	for len(d) > n && n < keep {
		top := d[n]
		var sum Box
		var weight float32
		rest := n + 1
		sum, weight = weigh(sum, weight, top)
		for i := n + 1; i < len(d); i++ {
			if c := d[i]; c.Class == top.Class && c.Box.IoU(top.Box) > iou {
				sum, weight = weigh(sum, weight, c)
			} else {
				d[rest] = c
				rest++
			}
		}
		if weight > 0 {
			top.Box = Box{sum.X0 / weight, sum.Y0 / weight, sum.X1 / weight, sum.Y1 / weight}
		}
		d[n] = top
		n++
		d = d[:rest]
	}
	return d[:n]
}

func weigh(sum Box, weight float32, d Detection) (Box, float32) {
	s := d.Score
	return Box{sum.X0 + s*d.Box.X0, sum.Y0 + s*d.Box.Y0, sum.X1 + s*d.Box.X1, sum.Y1 + s*d.Box.Y1}, weight + s
}
