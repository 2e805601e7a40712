package spot

import (
	"cmp"
	"image"
	"slices"

	"gleaner/detect"
)

// seen is a detection in pixels of the whole picture, with the part of it that the network saw.
type seen struct {
	detect.Detection
	look
	cut bool // it goes up to a side of the part that is not one of the picture: there may be more of it
}

// PartIoS is how much of a box lies inside a larger one of its class that it is taken for a part of, see detect.Box.IoS.
const PartIoS = 0.7

const (
	sameIoU   = 0.5  // as a detector's own suppression
	edgeShare = 0.01 // of a part's side: so near to it, a box goes up to it
)

// cutOff tells whether a box goes up to a side of a part that is inside the w×h picture.
func cutOff(b detect.Box, part image.Rectangle, w, h int) bool {
	near := max(2, edgeShare*float32(max(part.Dx(), part.Dy())))
	return part.Min.X > 0 && b.X0-float32(part.Min.X) < near || part.Min.Y > 0 && b.Y0-float32(part.Min.Y) < near ||
		part.Max.X < w && float32(part.Max.X)-b.X1 < near || part.Max.Y < h && float32(part.Max.Y)-b.Y1 < near
}

// merge makes one box of those that all looks have of one object, class by class: whole ones before cut ones, likelier ones
// first. Its sides are the mean of the whole ones', weighted by their scores, and its score is the best (weighted box fusion,
// Solovyev et al. 2021, less its rescaling of scores). Two boxes of one look are two objects: the network told them apart.
func merge(all []seen) []Found {
	slices.SortStableFunc(all, func(a, b seen) int {
		if a.cut != b.cut {
			if b.cut {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Score, a.Score)
	})
	var kept []seen
	var sums []sum
next:
	for _, c := range all {
		for i, k := range kept {
			if k.Class != c.Class || k.part == c.part && k.mirrored == c.mirrored {
				continue
			}
			if k.Box.IoU(c.Box) > sameIoU {
				if !c.cut && !k.cut && !sums[i].looks[look{c.part, c.mirrored}] {
					sums[i].add(c)
				}
				continue next
			}
			if k.part != c.part && k.Box.IoS(c.Box) > PartIoS && (c.cut || c.Box.Area() < k.Box.Area()) {
				continue next
			}
		}
		kept = append(kept, c)
		sums = append(sums, sum{looks: map[look]bool{}})
		sums[len(sums)-1].add(c)
	}
	found := make([]Found, len(kept))
	for i, k := range kept {
		k.Box = sums[i].mean()
		found[i] = Found{k.Detection, k.cut}
	}
	slices.SortStableFunc(found, func(a, b Found) int { return cmp.Compare(b.Score, a.Score) })
	return found
}

// look is one run of the network.
type look struct {
	part     int
	mirrored bool
}

// sum is the boxes of one object, each weighted by its score.
type sum struct {
	box    detect.Box
	weight float32
	looks  map[look]bool // each gives one box at most
}

func (s *sum) add(c seen) {
	w := c.Score
	s.box = detect.Box{X0: s.box.X0 + w*c.Box.X0, Y0: s.box.Y0 + w*c.Box.Y0, X1: s.box.X1 + w*c.Box.X1, Y1: s.box.Y1 + w*c.Box.Y1}
	s.weight += w
	s.looks[look{c.part, c.mirrored}] = true
}

func (s *sum) mean() detect.Box {
	w := s.weight
	return detect.Box{X0: s.box.X0 / w, Y0: s.box.Y0 / w, X1: s.box.X1 / w, Y1: s.box.Y1 / w}
}
