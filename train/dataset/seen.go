package dataset

import (
	"math/rand/v2"
	"slices"
)

// View is an example as a training step takes it.
type View struct {
	X     []float32 // row-major in the set's Shape
	With  int       // the example that is mixed in; -1: none
	Share float32   // that the example itself keeps, 0.5 to 1
}

// Seen is what a Feed with these options gives of example i in an epoch, from 0, bit for bit; where it comes several times, the
// first of them. An epoch that leaves the example out shows it as it would be, unmixed. Epoch, Number and Epochs of the options
// do not matter.
func Seen(set Set, o FeedOptions, epoch, i int) (View, error) {
	size := 1
	for _, d := range set.Shape() {
		size *= d
	}
	source := rand.NewPCG(0, 0)
	r := rand.New(source)
	input := func(v int) ([]float32, error) {
		x := make([]float32, size)
		draw(source, o.Seed, epoch, v)
		return x, set.Input(x, v%set.Len(), r)
	}
	x, err := input(i)
	view := View{X: x, With: -1, Share: 1}
	if err != nil || o.Mix <= 0 {
		return view, err
	}
	order := newDealer(set, o.Balance, o.Seed).order(epoch)
	at := slices.Index(order, i)
	if at < 0 {
		return view, nil
	}
	first := at - at%o.Batch
	batch := order[first:min(first+o.Batch, len(order))]
	row, other := at-first, partner(at-first, len(batch))
	if row == other || o.Whole && len(batch) < o.Batch {
		return view, nil
	}
	with, err := input(batch[other])
	if err != nil {
		return view, err
	}
	view.With, view.Share = batch[other]%set.Len(), newMixer(o.Mix, o.Seed).share(epoch, batch[min(row, other)])
	blend(view.X, with, view.Share)
	return view, nil
}
