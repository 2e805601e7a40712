package detect

import (
	"fmt"
	"math"
)

// Anchor is a default box in shares of the input: its centre and its size.
type Anchor struct{ Y, X, H, W float32 }

// ssdMaps are the sides of the feature maps of the SSD MobileNets: the first is the input at stride 16, each next one
// half of that, rounded up.
func ssdMaps(side int) []int {
	maps := make([]int, 6)
	n := (side + 15) / 16
	for i := range maps {
		maps[i] = n
		n = (n + 1) / 2
	}
	return maps
}

// SSDAnchors generates the default boxes of an SSD on w×h input pixels as the TensorFlow Object Detection API does
// (ssd_anchor_generator, the rule of Liu et al. 2016): six feature maps, scales from 0.2 to 0.95, aspect ratios 1, 2,
// 1/2, 3, 1/3 and one square between this scale and the next; on the first map only a small square (0.1) and the
// ratios 2 and 1/2. An input of 300×300 gives 1,917.
func SSDAnchors(w, h int) []Anchor {
	const lo, hi, layers = 0.2, 0.95, 6
	scale := func(k int) float64 {
		if k == layers {
			return 1
		}
		return lo + (hi-lo)*float64(k)/(layers-1)
	}
	mw, mh := ssdMaps(w), ssdMaps(h)
	var all []Anchor
	for k := range layers {
		s := scale(k)
		// Pairs of scale and ratio.
		boxes := [][2]float64{{s, 1}, {s, 2}, {s, 0.5}, {s, 3}, {s, 1. / 3}, {math.Sqrt(s * scale(k+1)), 1}}
		if k == 0 {
			boxes = [][2]float64{{0.1, 1}, {s, 2}, {s, 0.5}}
		}
		for y := range mh[k] {
			for x := range mw[k] {
				for _, b := range boxes {
					r := math.Sqrt(b[1])
					all = append(all, Anchor{
						Y: float32((float64(y) + 0.5) / float64(mh[k])), X: float32((float64(x) + 0.5) / float64(mw[k])),
						H: float32(b[0] / r), W: float32(b[0] * r)})
				}
			}
		}
	}
	return all
}

// SSDRaw decodes an SSD without its post-processing. boxes is N×4 (ty, tx, th, tw: the box coder of Faster R-CNN with
// scales 10, 10, 5, 5), scores is N×columns logits, one sigmoid each; with background, column 0 is "nothing" and is
// no answer. Boxes appended to dst are in shares of the input; Class is the column. Detections below floor are left
// out, and values that are no numbers give none. It returns an error where the lengths do not fit.
func SSDRaw(boxes, scores []float32, columns int, anchors []Anchor, background bool, floor float32, dst []Detection) ([]Detection, error) {
	n := len(anchors)
	if columns < 1 || len(boxes) != 4*n || len(scores) != n*columns {
		return dst, fmt.Errorf("%d box values and %d scores do not fit %d anchors and %d columns", len(boxes),
			len(scores), n, columns)
	}
	first := 0
	if background {
		first = 1
	}
	least := logit(floor)
	for i, a := range anchors {
		row := scores[i*columns : (i+1)*columns]
		var box Box
		have := false
		for c := first; c < columns; c++ {
			// Compared before the sigmoid: 46,000 exponentials a frame would cost more than all the rest. NaN fails.
			if !(row[c] >= least) {
				continue
			}
			if !have {
				box, have = decodeSSD(boxes[4*i:4*i+4], a), true
			}
			if box.Area() > 0 {
				dst = append(dst, Detection{Box: box, Class: c, Score: sigmoid(row[c])})
			}
		}
	}
	return dst, nil
}

func decodeSSD(t []float32, a Anchor) Box {
	cy, cx := t[0]/10*a.H+a.Y, t[1]/10*a.W+a.X
	h, w := exp(t[2]/5)*a.H, exp(t[3]/5)*a.W
	return finite(Box{cx - w/2, cy - h/2, cx + w/2, cy + h/2})
}

// SSDPost decodes the four outputs of TFLite_Detection_PostProcess: boxes n×4 (ymin, xmin, ymax, xmax, in shares of
// the input), classes and scores n, of which the first count are valid. offset is added to each class: 1 where the
// labels begin with a background that the network does not count. Boxes appended to dst are in shares of the input.
func SSDPost(boxes, classes, scores []float32, count float32, offset int, floor float32, dst []Detection) ([]Detection, error) {
	if len(boxes) != 4*len(scores) || len(classes) != len(scores) {
		return dst, fmt.Errorf("%d box values and %d classes do not fit %d scores", len(boxes), len(classes), len(scores))
	}
	floor = max(floor, 0)
	n := len(scores)
	if count >= 0 && count < float32(n) {
		n = int(count)
	}
	for i := range n {
		b := boxes[4*i : 4*i+4]
		box := finite(Box{b[1], b[0], b[3], b[2]})
		if scores[i] >= floor && scores[i] <= 1 && box.Area() > 0 && classes[i] >= 0 && classes[i] < 1e6 {
			dst = append(dst, Detection{Box: box, Class: int(classes[i]+0.5) + offset, Score: scores[i]})
		}
	}
	return dst, nil
}

// finite empties a box that a network has thrown far outside anything (or to NaN): clipping it would make it the whole
// picture.
func finite(b Box) Box {
	const far = 16 // inputs away
	if !(b.X0 > -far && b.Y0 > -far && b.X1 < far && b.Y1 < far) {
		return Box{}
	}
	return b
}

func exp(v float32) float32 { return float32(math.Exp(float64(v))) }

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// logit is the inverse of sigmoid, -Inf at 0 and +Inf at 1.
func logit(p float32) float32 { return float32(math.Log(float64(p) / (1 - float64(p)))) }
