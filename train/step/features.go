package step

import (
	"context"
	"math/rand/v2"
	"slices"

	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/net"
	"gleaner/train/recipe"
)

// Features are what the heads of a network are fed with for the examples of a set, as they are, in their order: vectors of one
// length. b has the network's weights. told, if not nil, hears how many examples are done. A network whose heads are its file's own
// has none, which is an error, and so is the end of ctx.
func Features(ctx context.Context, b engine.Backend, n *net.Net, set dataset.Set, o *recipe.Options, told func(done, total int)) ([][]float32, error) {
	batch := min(o.Batch, set.Len())
	p, err := n.Features(batch)
	if err != nil {
		return nil, err
	}
	run, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	defer run.Close()
	width := p.Outputs[0].Shape[1]
	out, all := make([]float32, batch*width), make([][]float32, 0, set.Len())
	feed := dataset.NewFeed(set, dataset.FeedOptions{Batch: batch, Epochs: 1, Workers: o.Decoders()})
	defer feed.Close()
	for len(all) < set.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := feed.Next()
		if err != nil {
			return nil, err
		}
		if err := engine.Run(run, [][]float32{b.X}, [][]float32{out}); err != nil {
			return nil, err
		}
		for i := range b.N {
			all = append(all, slices.Clone(out[i*width:(i+1)*width]))
		}
		feed.Release(b)
		if told != nil {
			told(len(all), set.Len())
		}
	}
	return all, nil
}

// Mirror is the view of View in a mirror.
const Mirror = -1

// Views are those in which the probe sees each picture: as it is, and views= others, or else its mirror image, where training would
// see it.
func Views(o *recipe.Options) (views []int) {
	for k := range o.Views + 1 {
		views = append(views, k)
	}
	if o.Views == 0 && o.Flip {
		views = append(views, Mirror)
	}
	return views
}

// View is a set of training pictures in one of its views: 0 as they are, Mirror, or from 1 on one of the changed looks of each, drawn
// as training draws them, the same each time for the same seed.
func View(set dataset.Set, view int, seed uint64) dataset.Set {
	switch {
	case view == 0:
		return set
	case view == Mirror:
		return mirrored{set}
	}
	return changed{set, seed ^ uint64(view)<<32}
}

// mirrored is a set of pictures, as they are, with left and right swapped.
type mirrored struct{ dataset.Set }

// Input writes example i, mirrored.
func (m mirrored) Input(dst []float32, i int, _ *rand.Rand) error {
	if err := m.Set.Input(dst, i, nil); err != nil {
		return err
	}
	FlipRows(dst, m.Shape())
	return nil
}

// FlipRows swaps left and right of pictures that follow each other, each of a shape of height, width and channels.
func FlipRows(pictures []float32, shape []int) {
	w, c := shape[1], shape[2]
	for row := range slices.Chunk(pictures, w*c) {
		for a, b := 0, w-1; a < b; a, b = a+1, b-1 {
			for k := range c {
				row[a*c+k], row[b*c+k] = row[b*c+k], row[a*c+k]
			}
		}
	}
}

// changed is a set of training pictures, each changed at random as in training.
type changed struct {
	dataset.Set
	seed uint64
}

// Input writes example i, changed.
func (c changed) Input(dst []float32, i int, _ *rand.Rand) error {
	return c.Set.Input(dst, i, rand.New(rand.NewPCG(c.seed, uint64(i))))
}
