package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gleaner/train/dataset"
	"gleaner/train/eval"
	"gleaner/train/judge"
	"gleaner/train/linear"
)

// draws is how many sets of training pictures are drawn for each size, as a share of all.
var draws = []struct {
	share float64
	times int
}{{1. / 8, 3}, {1. / 4, 2}, {1. / 2, 2}, {1, 1}}

// Bounds of the learning curve.
const (
	judged     = 1500 // pictures that the classifiers answer
	numbers    = 10e6 // pictures × features × classes that the largest fit takes, which is some seconds of a processor for all fits
	iterations = 100  // of a fit: with fewer the larger ones are not finished, and the curve is too flat
	resamples  = 500  // of the bootstrap
)

// learn fits linear classifiers on parts of the training pictures, and sees how they do on the pictures of set. The features are those
// of the network as it began: what it learnt since it learnt from all of the pictures, and by it a few would seem to be as good as
// all.
func (in *Input) learn(ctx context.Context, set dataset.Set) (*judge.Learning, error) {
	train, classes := in.Data.Train, len(set.Heads()[0].Labels)
	switch {
	case in.Unsure:
		return nil, errors.New("the run began with weights that may have been learnt from these very pictures (start=)")
	case float64(train.Len())*draws[0].share < float64(2*classes):
		return nil, fmt.Errorf("%d training pictures are too few to be parted", train.Len())
	}
	set = some(set, judged, in.Options.Seed)
	judging, err := in.see(ctx, set, true)
	if err != nil {
		return nil, err
	}
	most := max(500, int(numbers/float64(len(judging[0])*classes)))
	train = some(train, min(most, in.most()), in.Options.Seed)
	x, err := in.see(ctx, train, true)
	if err != nil {
		return nil, err
	}
	l := &judge.Learning{}
	var wrong [][][]float64 // [size][draw][picture], 0 or 1
	for s, d := range draws {
		n := int(math.Round(d.share * float64(train.Len())))
		size := judge.Size{Draws: d.times}
		var of [][]float64
		for k := range d.times {
			if ctx.Err() != nil {
				return nil, errEnding
			}
			part, px := train, x
			if n < train.Len() {
				part = some(train, n, in.Options.Seed+uint64(100*s+k))
				px = at(x, part.(*dataset.Subset).Index)
			}
			w, err := in.try(px, part, judging, set)
			if err != nil {
				return nil, err
			}
			size.Pictures, of = part.Len(), append(of, w)
		}
		l.Sizes, wrong = append(l.Sizes, size), append(wrong, of)
	}
	in.curve(l, wrong)
	l.Text = in.verdict(l, train.Len(), set.Len())
	return l, nil
}

// at is the vectors of an index.
func at(x [][]float32, index []int) [][]float32 {
	of := make([][]float32, len(index))
	for k, i := range index {
		of[k] = x[i]
	}
	return of
}

// try fits a classifier on the features x of training pictures, and says which of its answers to those of set are wrong.
func (in *Input) try(x [][]float32, train dataset.Set, judging [][]float32, set dataset.Set) ([]float64, error) {
	labels := make([]int, train.Len())
	for i := range labels {
		labels[i] = train.Label(i, 0)
	}
	m, err := linear.Fit(x, labels, len(set.Heads()[0].Labels), linear.Options{Decay: in.Options.Probe, Iterations: iterations})
	if err != nil {
		return nil, err
	}
	wrong := make([]float64, set.Len())
	for i, p := range m.Probabilities(judging) {
		if eval.Best(p) != set.Label(i, 0) {
			wrong[i] = 1
		}
	}
	return wrong, nil
}

// curve works out the accuracies and what twice as many training pictures would bring. The share of errors is taken for c + a/√n,
// which is how that of one kind of classifier comes near to its least (Cortes et al. 1994, with the exponent of the bounds for a fixed
// class of functions: four sizes do not tell it). The bootstrap draws pictures, and among the sets of a size.
func (in *Input) curve(l *judge.Learning, wrong [][][]float64) {
	m := len(wrong[0][0])
	total := float64(in.Data.Train.Len())
	errs := make([]float64, len(wrong))
	gain := func() float64 {
		var x, y []float64
		for s, e := range errs {
			x, y = append(x, 1/math.Sqrt(float64(l.Sizes[s].Pictures))), append(y, e)
		}
		return slope(x, y) * (1/math.Sqrt(total) - 1/math.Sqrt(2*total))
	}
	for s, of := range wrong {
		errs[s] = 0
		for _, w := range of {
			for _, v := range w {
				errs[s] += v / float64(len(of)*m)
			}
		}
		l.Sizes[s].Accuracy.Value = 1 - errs[s]
	}
	l.Gain.Value = gain()
	r := rand.New(rand.NewPCG(in.Options.Seed, 0x6A14))
	gains, right := make([]float64, resamples), make([][]float64, len(wrong))
	pick := make([]int, m)
	for k := range gains {
		for i := range pick {
			pick[i] = r.IntN(m)
		}
		for s, of := range wrong {
			errs[s] = 0
			for range of {
				w := of[r.IntN(len(of))]
				for _, i := range pick {
					errs[s] += w[i] / float64(len(of)*m)
				}
			}
			right[s] = append(right[s], 1-errs[s])
		}
		gains[k] = gain()
	}
	l.Gain.Low, l.Gain.High = interval(gains)
	for s := range l.Sizes {
		l.Sizes[s].Accuracy.Low, l.Sizes[s].Accuracy.High = interval(right[s])
	}
}

// slope is that of the least-squares line through points.
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var mx, my, xy, xx float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		xy, xx = xy+(x[i]-mx)*(y[i]-my), xx+(x[i]-mx)*(x[i]-mx)
	}
	return xy / xx
}

// interval is the middle 95 % of the draws.
func interval(draws []float64) (low, high float64) {
	slices.SortFunc(draws, cmp.Compare[float64])
	return draws[len(draws)*25/1000], draws[len(draws)*975/1000]
}

// verdict is the curve in words. That a classifier on random features gains little does not say that a network would.
func (in *Input) verdict(l *judge.Learning, n, judged int) string {
	g := fmt.Sprintf("about %+.1f points of accuracy (%+.1f to %+.1f) for twice as many", 100*l.Gain.Value, 100*l.Gain.Low, 100*l.Gain.High)
	text := "It cannot be told whether more pictures would help: " + g
	switch {
	case l.Gain.Low > 0 && l.Gain.Value >= 0.005:
		text = "More pictures would help: " + g
	case l.Gain.High < 0.01 && in.Learnt:
		text = "More pictures would hardly help: " + g
	case l.Gain.Low > 0:
		text = "More pictures would help, how much cannot be told: " + g + " at least"
	}
	seen := "as it was before this run, which must not have learnt from these very pictures; one that does learn from them what to look for may gain more"
	if !in.Learnt {
		seen = "with its first, random weights: a network that learns what to look for makes more of pictures than that, so take it for the least that they bring"
	}
	return fmt.Sprintf("%s. That is a linear classifier’s gain, fitted on up to %d of the %d training pictures and tried on %d others, with its errors taken to fall with 1/√n; it looks at them through the network %s.",
		text, n, in.Data.Train.Len(), judged, seen)
}
