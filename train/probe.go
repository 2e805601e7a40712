package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"gleaner/train/dataset"
	"gleaner/train/features"
	"gleaner/train/net"
	"gleaner/train/probe"
	"gleaner/train/runs"
	"gleaner/train/step"
	"gleaner/train/weights"
)

// probe fits the heads on what the network's first weights make of the training pictures: the linear probe that fine-tuning does
// well to begin with, since a head of random weights would first tear the backbone's features apart (Kumar et al., "Fine-Tuning
// can Distort Pretrained Features", 2022). Each picture counts as it is, and with views= changed at random so many times, as in
// training; without, flip=true adds the mirrored ones.
func (r *run) probe(ctx context.Context) error {
	set := r.data.Train
	var x [][]float32
	for _, view := range step.Views(&r.o) {
		more, err := r.features(ctx, set, view)
		if err != nil {
			return err
		}
		x = append(x, more...)
	}
	w, err := probe.Fit(r.net, x, set, r.o.ClassWeights(r.data), probe.Options{Decay: r.o.Probe, Squares: r.o.Squares})
	maps.Copy(r.first, w)
	return err
}

// judgeProbe says how good the probe is. Its weights are the best until an epoch's are better, and where none follows; with withprobe=
// they are kept beside the best ones.
func (r *run) judgeProbe() error {
	if r.o.JoinsProbe() {
		if err := weights.Save(r.folder.Candidate(0), r.net, r.data.Heads(), r.first, runs.Row{}); err != nil {
			return err
		}
	}
	var row runs.Row
	if r.val != nil {
		var err error
		if row.ValLoss, row.ValAcc, err = r.val.Score(); err != nil {
			return fmt.Errorf("validation: %w", err)
		}
		r.tell.note(fmt.Sprintf("the linear probe: %.2f %% right on validation pictures, loss %.4f", 100*row.ValAcc, row.ValLoss))
		if err := r.candidate(row); err != nil {
			return err
		}
	}
	if r.o.Epochs > 0 && (r.val == nil || r.o.Keep == "last") {
		return nil
	}
	r.best, r.state.Best = r.first, row
	return weights.Save(r.folder.Best(), r.net, r.data.Heads(), r.best, row)
}

// features are what the heads are fed for the examples of a set in one view, from the cache where it has them. It
// holds those of the whole set that set is a part of, so that all parts share them, and is keyed by the network and its first
// weights, the pictures and how they become numbers.
func (r *run) features(ctx context.Context, set dataset.Set, view int) ([][]float32, error) {
	whole := set
	var index []int // nil: all of whole
	for part, ok := set.(*dataset.Subset); ok; part, ok = whole.(*dataset.Subset) {
		if whole = part.Set; index == nil {
			index = slices.Clone(part.Index)
			continue
		}
		for k, i := range index {
			index[k] = part.Index[i]
		}
	}
	path := ""
	if dir, err := os.UserCacheDir(); err == nil {
		path = filepath.Join(dir, "gleaner", "features", r.featuresKey(whole, view)+".features")
	}
	all, err := features.Keep(path, whole.Len(), r.tell.note, func() ([][]float32, error) {
		r.tell.note(fmt.Sprintf("the backbone looks at %d pictures, once: what it sees is kept in the cache", whole.Len()))
		if err := r.net.Load(r.backend, r.first); err != nil {
			return nil, err
		}
		return r.look(ctx, step.View(whole, view, r.o.Seed))
	})
	if err != nil || index == nil {
		return all, err
	}
	of := make([][]float32, len(index))
	for at, i := range index {
		of[at] = all[i]
	}
	return of, nil
}

func (r *run) featuresKey(set dataset.Set, view int) string {
	h := sha256.New()
	if s, err := r.net.Summarise(); err == nil {
		for _, l := range s.Layers {
			if !net.IsHead(l.Name) {
				fmt.Fprintf(h, "%s %s %v\n", l.Name, l.Kind, l.Out)
			}
		}
	}
	fmt.Fprintf(h, "\n%v %v %s %T\n%+v\n%s\n", view, r.net.Input, r.o.Numbers, r.backend.Backend, r.data.Input, r.data.Sum)
	var b []byte
	for _, v := range r.net.Vars() {
		if net.IsHead(v.Name) {
			continue
		}
		b = b[:0]
		for _, x := range r.first[v.Name] {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		fmt.Fprintf(h, "%s\n", v.Name)
		h.Write(b)
	}
	if view > 0 {
		fmt.Fprintf(h, "%d %+v\n", r.o.Seed, r.o.Changes())
		if floor, err := r.o.Backdrop(); err == nil {
			h.Write(floor.Pix)
		}
	}
	for i := range set.Len() {
		fmt.Fprintf(h, "%s\n", set.Name(i))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

// look asks the network, with the weights that the backend has, for the features of a set's examples.
func (r *run) look(ctx context.Context, set dataset.Set) ([][]float32, error) {
	x, err := step.Features(ctx, r.backend, r.net, set, &r.o, r.tell.Decoded)
	if ctx.Err() != nil {
		return nil, errEarly
	}
	return x, err
}
