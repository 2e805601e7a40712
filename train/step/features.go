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

// Mirrored is a set of pictures, as they are, with left and right swapped.
type Mirrored struct{ dataset.Set }

// Input writes example i, mirrored.
func (m Mirrored) Input(dst []float32, i int, _ *rand.Rand) error {
	if err := m.Set.Input(dst, i, nil); err != nil {
		return err
	}
	s := m.Shape()
	for row := range slices.Chunk(dst, s[1]*s[2]) {
		for a, b := 0, s[1]-1; a < b; a, b = a+1, b-1 {
			for c := range s[2] {
				row[a*s[2]+c], row[b*s[2]+c] = row[b*s[2]+c], row[a*s[2]+c]
			}
		}
	}
	return nil
}

// Changed is a set of training pictures, each changed at random as in training: the same way each time for the same Seed and View.
type Changed struct {
	dataset.Set
	Seed, View uint64
}

// Input writes example i, changed.
func (c Changed) Input(dst []float32, i int, _ *rand.Rand) error {
	return c.Set.Input(dst, i, rand.New(rand.NewPCG(c.Seed^c.View<<32, uint64(i))))
}
