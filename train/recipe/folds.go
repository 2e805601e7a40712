package recipe

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"gleaner/train/dataset"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/similar"
	"gleaner/train/dataset/split"
)

// fold is which part of how many is the test's, from 1; ok is false where there is no cross-validation.
func (o *Options) fold() (part, parts int, ok bool, err error) {
	if o.Fold == "" {
		return 0, 0, false, nil
	}
	a, b, _ := strings.Cut(o.Fold, "/")
	part, err1 := strconv.Atoi(a)
	parts, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || parts < 2 || part < 1 || part > parts {
		return 0, 0, false, fmt.Errorf("fold=%s: not of the form 2/5, the second of five parts", o.Fold)
	}
	return part, parts, true, nil
}

// folded are a fold's parts; val is nil where no share is validation.
type folded struct{ train, val, test *dataset.Subset }

// dealFold deals the pictures for one fold of a cross-validation. What belongs together, one group, one source or near copies,
// stays in one part, in the fold as in what is cut from the rest for validation.
func dealFold(ctx context.Context, all labelled, part, parts int, val float64, seed uint64) (*folded, error) {
	examples, cluster, err := kinship(ctx, all, true)
	if err != nil {
		return nil, err
	}
	fold, err := split.Folds(examples, cluster, parts, seed)
	if err != nil {
		return nil, err
	}
	f := &folded{train: &dataset.Subset{Set: all}, test: &dataset.Subset{Set: all}}
	for i, p := range fold {
		if p == part-1 {
			f.test.Index = append(f.test.Index, i)
		} else {
			f.train.Index = append(f.train.Index, i)
		}
	}
	if val == 0 {
		return f, nil
	}
	var rest []pack.Example
	var kin []int
	for _, i := range f.train.Index {
		rest, kin = append(rest, examples[i]), append(kin, cluster[i])
	}
	f.train, f.val, err = cut(f.train, rest, kin, val, seed)
	return f, err
}

// cut takes a share of a part for validation. By example, kin is its cluster.
func cut(from *dataset.Subset, examples []pack.Example, kin []int, val float64, seed uint64) (train, rest *dataset.Subset, err error) {
	piece, err := split.Parts(examples, kin, []float64{1 - val, val}, seed)
	if err != nil {
		return nil, nil, err
	}
	train, rest = &dataset.Subset{Set: from.Set}, &dataset.Subset{Set: from.Set}
	for at, i := range from.Index {
		if piece[at] == 1 {
			rest.Index = append(rest.Index, i)
		} else {
			train.Index = append(train.Index, i)
		}
	}
	return train, rest, nil
}

// copiesLimit is how many pictures are looked at for near copies before a training: more take minutes.
const copiesLimit = 20_000

// dealVal takes a share of all pictures for validation. Near copies, groups and sources stay on one side: weights that are chosen by
// pictures as good as known are the wrong ones, and look better than they are. Where nothing belongs together each class has its share
// exactly. In idx files, which are drawn sets of small pictures, and above copiesLimit no copies are looked for.
func dealVal(ctx context.Context, all labelled, val float64, seed uint64, look bool) (train, rest *dataset.Subset, err error) {
	examples, cluster, err := kinship(ctx, all, look && val > 0 && all.Len() <= copiesLimit)
	if err != nil {
		return nil, nil, err
	}
	if val == 0 || split.Single(examples, cluster) {
		return dataset.Split(all, val, seed)
	}
	every := &dataset.Subset{Set: all}
	for i := range all.Len() {
		every.Index = append(every.Index, i)
	}
	return cut(every, examples, cluster, val, seed)
}

// kinship says of each picture its class, group and source, as split wants them, and the cluster of near copies that it is in; nil
// where they are not looked for.
func kinship(ctx context.Context, all labelled, look bool) (examples []pack.Example, cluster []int, err error) {
	n := all.Len()
	examples = make([]pack.Example, n)
	for i := range examples {
		e := &examples[i]
		e.Class, e.Group = all.Heads()[0].Labels[all.Label(i, 0)], all.Group(i)
		for h, head := range all.Heads()[1:] { // each combination of labels has its share in each part
			if l := all.Label(i, h+1); l >= 0 {
				e.Class += " " + head.Labels[l]
			}
		}
		e.Source.Path = all.Name(i)
		e.Source.SHA256 = sha256.Sum256([]byte(e.Source.Path))
	}
	if !look {
		return examples, nil, nil
	}
	hashes, flat, err := similar.HashesOf(ctx, n, all.Picture)
	if err != nil {
		return nil, nil, err
	}
	return examples, similar.Clusters(hashes, flat), nil
}
