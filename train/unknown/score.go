// Package unknown makes the score that tells objects of no class that was taught from the others: how like a picture is to
// that of the training pictures which it is most like, as the network's head is shown them. The score goes into the bundle's .tflite file as one more
// output, so that the device needs nothing else. How the head's features are computed is in train/step; what the daemon does with the
// score is in daemon/decide.
package unknown

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// What the score keeps: training pictures, at most, and numbers of each. That is 1 MB of a file, and half a million multiplications
// for a crop, besides those with the features.
const (
	bankPictures = 2000
	directions   = 256
)

// Score is the familiarity of pictures by their features: the greatest cosine between the projected features and those of the
// pictures in the bank.
type Score struct {
	width      int       // features
	projection []float32 // [d width], row-major
	bank       []float32 // [n d], rows of length 1
	d          int
}

// New makes a score of the features of training pictures, lists of one length, at least one. The directions in which the features
// are the longest are kept, so that the cosines stay what they are but for little: where 0 lies is kept as well, since features that
// have been cut off below 0 say by that what is not there.
func New(features [][]float32) (*Score, error) {
	if len(features) == 0 {
		return nil, errors.New("there are no pictures to compare with")
	}
	s := &Score{width: len(features[0])}
	x := mat.NewDense(len(features), max(1, s.width), nil)
	n := 0
	for i, f := range features {
		if len(f) != s.width {
			return nil, fmt.Errorf("picture %d has %d features, the first has %d", i, len(f), s.width)
		}
		row := x.RawRowView(n)
		for k, v := range f {
			if row[k] = float64(v); math.IsNaN(row[k]) || math.IsInf(row[k], 0) {
				return nil, fmt.Errorf("feature %d of picture %d is %g", k, i, v)
			}
		}
		if normalise(row) { // else the network sees nothing in it, and nothing is like it
			n++
		}
	}
	if n == 0 {
		return nil, errors.New("the network's features are 0 for all pictures")
	}
	x = x.Slice(0, n, 0, s.width).(*mat.Dense)
	kept, _ := principal(x, directions)
	var inside mat.Dense
	inside.Mul(x, kept)
	for i := range n {
		normalise(inside.RawRowView(i))
	}
	_, s.d = kept.Dims()
	s.projection, s.bank = float32s(mat.DenseCopyOf(kept.T())), float32s(&inside)
	return s, nil
}

// Of is the familiarity of a picture by its features, -1 to 1.
func (s *Score) Of(features []float32) float32 {
	p, length := make([]float64, s.d), 0.0
	for k := range p {
		for i, w := range s.projection[k*s.width : (k+1)*s.width] {
			p[k] += float64(w) * float64(features[i])
		}
		length += p[k] * p[k]
	}
	best := math.Inf(-1)
	for row := range slices.Chunk(s.bank, s.d) {
		sum := 0.0
		for k, v := range row {
			sum += float64(v) * p[k]
		}
		best = max(best, sum)
	}
	return float32(best / max(math.Sqrt(length), tiny))
}

// Threshold is the familiarity below which a share of the known pictures falls, 0 to 1, or less of them where several are equally
// familiar; refused is the share that does. There is at least one.
func Threshold(known []float32, share float64) (threshold float32, refused float64) {
	sorted := slices.Sorted(slices.Values(known))
	threshold = sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
	below, _ := slices.BinarySearch(sorted, threshold)
	return threshold, float64(below) / float64(len(sorted))
}

// normalise makes a vector's length 1; false where it has none.
func normalise(v []float64) bool {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	if sum <= tiny {
		return false
	}
	for i := range v {
		v[i] /= math.Sqrt(sum)
	}
	return true
}

func float32s(m *mat.Dense) []float32 {
	rows, columns := m.Dims()
	out := make([]float32, 0, rows*columns)
	for i := range rows {
		for _, v := range m.RawRowView(i) {
			out = append(out, float32(v))
		}
	}
	return out
}
