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
	view int  // which part
	cut  bool // it goes up to a side of the part that is not one of the picture: there may be more of it
}

// PartIoS is how much of a box lies inside a larger one of its class that it is taken for a part of, see Inside.
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

// merge makes one box of those that all views have of one object, class by class: whole ones before cut ones, likelier ones
// first. Two boxes of one view are two objects, unless they nearly coincide: the network told them apart.
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
	for _, c := range all {
		if !slices.ContainsFunc(kept, func(k seen) bool { return k.Class == c.Class && sameThing(k, c) }) {
			kept = append(kept, c)
		}
	}
	slices.SortStableFunc(kept, func(a, b seen) int { return cmp.Compare(b.Score, a.Score) })
	found := make([]Found, len(kept))
	for i, k := range kept {
		found[i] = Found{k.Detection, k.cut}
	}
	return found
}

// sameThing tells whether c, which is less trusted than k, shows the same object.
func sameThing(k, c seen) bool {
	if k.Box.IoU(c.Box) > sameIoU {
		return true
	}
	return k.view != c.view && Inside(k.Box, c.Box) > PartIoS && (c.cut || c.Box.Area() < k.Box.Area())
}

// Inside is the intersection of two boxes over the smaller one's area, 0 to 1.
func Inside(a, b detect.Box) float32 {
	i := detect.Box{X0: max(a.X0, b.X0), Y0: max(a.Y0, b.Y0), X1: min(a.X1, b.X1), Y1: min(a.Y1, b.Y1)}.Area()
	if i == 0 {
		return 0
	}
	return i / min(a.Area(), b.Area())
}
