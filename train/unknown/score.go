// Package unknown makes the score that tells objects of no class that was taught from the others: how like a picture is to that of
// the training pictures which it is most like, as the network's head is shown them. The score goes into the bundle's .tflite file as
// one more output, so that the device needs nothing else. How the head's features are computed is in train/step; what the daemon does
// with the score is in daemon/decide.
//
// Of the scores that were tried on photos of waste, each of six classes left out in turn, with the features of an ImageNet backbone
// (mean AUROC): the cosine to the most similar picture 0.86, of features' roots 0.87, and 0.87 in 128 directions as well; the mean of
// the three or ten most similar, centred features, and whitened ones, over all or within the classes, 0.76 to 0.83; Mahalanobis'
// distance to the classes 0.64 to 0.70. With the features of the Open Images SSD all of them are poor, 0.62 to 0.71, this one 0.66.
package unknown

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"gleaner/train/linear"
)

// What the score keeps: training pictures, at most, and directions. That is 1 MB of a file, and half a million multiplications for a
// crop.
const (
	bankPictures = 2000
	directions   = 128
	rounds       = 6 // of the search for the directions
)

// Score is the familiarity of pictures by their features: about the greatest cosine between them and those of a picture in the bank.
// Features are brought to length 1 and projected; what of them lies outside the directions of the training pictures is like nothing,
// and makes a picture stranger.
type Score struct {
	width, d   int       // features, directions
	root       bool      // of the features their roots are compared
	projection []float32 // [d width], row-major
	bank       []float32 // [n d], rows of length 1
}

// New makes a score of the features of training pictures, lists of one length, at least one. Features that are never below 0, as those
// behind a ReLU, are replaced by their roots, as is done with histograms (Arandjelović and Zisserman, "Three Things Everyone Should
// Know to Improve Object Retrieval", 2012): a few large ones would decide else. Where 0 lies stays, since features that were cut off
// below 0 say by that what is not there.
func New(features [][]float32) (*Score, error) {
	if len(features) == 0 {
		return nil, errors.New("there are no pictures to compare with")
	}
	s := &Score{width: len(features[0]), root: true}
	for i, f := range features {
		if len(f) != s.width {
			return nil, fmt.Errorf("picture %d has %d features, the first has %d", i, len(f), s.width)
		}
		for k, v := range f {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("feature %d of picture %d is %g", k, i, v)
			}
			s.root = s.root && v >= 0
		}
	}
	x := mat.NewDense(len(features), max(1, s.width), nil)
	n := 0
	for _, f := range features {
		if s.unit(x.RawRowView(n), f) { // else the network sees nothing in it, and nothing is like it
			n++
		}
	}
	if n == 0 {
		return nil, errors.New("the network's features are 0 for all pictures")
	}
	x = x.Slice(0, n, 0, s.width).(*mat.Dense)
	kept, _ := linear.Principal(x, directions, rounds)
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
	x, p := make([]float64, s.width), make([]float64, s.d)
	s.unit(x, features)
	for k := range p {
		p[k] = along(s.projection[k*s.width:(k+1)*s.width], x)
	}
	best := math.Inf(-1)
	for row := range slices.Chunk(s.bank, s.d) {
		best = max(best, along(row, p))
	}
	return float32(best)
}

// unit puts a picture's features, or their roots, into dst, at length 1; false where they have none.
func (s *Score) unit(dst []float64, features []float32) bool {
	for k, v := range features {
		dst[k] = float64(v)
		if s.root {
			dst[k] = math.Sqrt(max(dst[k], 0))
		}
	}
	return normalise(dst)
}

func along(w []float32, x []float64) (sum float64) {
	for i, v := range w {
		sum += float64(v) * x[i]
	}
	return sum
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

// tiny is what counts as no length at all.
const tiny = 1e-12

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
