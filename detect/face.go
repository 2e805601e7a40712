package detect

import "fmt"

// FaceAnchors are the centres of BlazeFace's anchors, in shares of the input: for each of strides one cell per stride
// pixels of the square side, rows from the top, with per[i] anchors in each cell. Their sizes are fixed at 1, so the
// network gives sizes itself (MediaPipe, ssd_anchors_calculator with fixed_anchor_size).
func FaceAnchors(side int, strides, per []int) []Anchor {
	var all []Anchor
	for k, stride := range strides {
		n := (side + stride - 1) / stride
		for y := range n {
			for x := range n {
				for range per[k] {
					all = append(all, Anchor{Y: (float32(y) + 0.5) / float32(n), X: (float32(x) + 0.5) / float32(n), H: 1, W: 1})
				}
			}
		}
	}
	return all
}

// FaceShortAnchors are the 896 anchors of BlazeFace short range (128×128): two per cell at stride 8, six at stride 16
// (three layers of that stride with two each).
func FaceShortAnchors() []Anchor { return FaceAnchors(128, []int{8, 16}, []int{2, 6}) }

// FaceFullAnchors are the 2,304 anchors of BlazeFace full range (192×192): one per cell at stride 4.
func FaceFullAnchors() []Anchor { return FaceAnchors(192, []int{4}, []int{1}) }

// Faces decodes BlazeFace: regressors is N×16, of which the first four are x, y (centre, from the anchor's), w, h in
// pixels of the square input of the given side and the others keypoints, left alone here; logits is N. A logit is
// clipped to ±100 before the sigmoid, as MediaPipe does. Boxes appended to dst are in shares of the input, Class 0.
func Faces(regressors, logits []float32, side float32, anchors []Anchor, floor float32, dst []Detection) ([]Detection, error) {
	const per = 16
	if len(logits) != len(anchors) || len(regressors) != per*len(anchors) || !(side > 0) {
		return dst, fmt.Errorf("%d values and %d scores do not fit %d face anchors", len(regressors), len(logits), len(anchors))
	}
	least := logit(floor)
	for i, a := range anchors {
		if !(logits[i] >= least) {
			continue
		}
		r := regressors[per*i : per*i+4]
		x, y, w, h := r[0]/side+a.X, r[1]/side+a.Y, r[2]/side, r[3]/side
		b := finite(Box{x - w/2, y - h/2, x + w/2, y + h/2})
		if b.Area() > 0 {
			dst = append(dst, Detection{Box: b, Class: 0, Score: sigmoid(min(logits[i], 100))})
		}
	}
	return dst, nil
}
