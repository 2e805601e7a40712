package unknown

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/train/dataset"
	"gleaner/train/export/trial"
)

// From is what a score is made of.
type From struct {
	Share float64     // of the validation pictures that may be refused, 0 to 0.5; 0: no score is wanted
	Train dataset.Set // whose pictures are familiar
	Val   dataset.Set // which choose the threshold; nil: there are none, and there is no score
	// Seen gives what the head is fed with for the examples of a set.
	Seen func(ctx context.Context, set dataset.Set) ([][]float32, error)
	Dir  string // where the file may stand for a moment, under a name that begins with Try
	Try  string
	Note func(line string) // is told how it went
}

// Into puts the score into a network's file, and says what the manifest has to. A bundle is never held up by it: where there can be
// none, Note hears why, and the file stays as it is.
func Into(ctx context.Context, file []byte, f From) ([]byte, *bundle.Unknown) {
	if f.Share == 0 {
		return file, nil
	}
	if f.Val == nil {
		f.Note(fmt.Sprintf("the bundle has no score of unknown objects (unknown=%g): its threshold is chosen on validation pictures, and val= names none", f.Share))
		return file, nil
	}
	with, u, err := f.into(ctx, file)
	if err != nil {
		f.Note(fmt.Sprintf("WARNING: the bundle has no score of unknown objects (unknown=%g): %v", f.Share, err))
		return file, nil
	}
	f.Note(fmt.Sprintf("unknown objects: those with a familiarity below %.3f, as %.1f %% of the %s have", u.Threshold, 100*u.Refused, u.On))
	return with, u
}

// About says of a bundle's score what a report has to, a sentence; empty where there is none.
func About(u *bundle.Unknown) string {
	if u == nil {
		return ""
	}
	return fmt.Sprintf("Objects that look like none of the training pictures, with a familiarity below %.3f, are unknown to it; so are %.1f %% of the %s.",
		u.Threshold, 100*u.Refused, u.On)
}

func (f *From) into(ctx context.Context, file []byte) ([]byte, *bundle.Unknown, error) {
	familiar := &dataset.Subset{Set: f.Train, Index: evenly(f.Train, bankPictures)}
	features, err := f.Seen(ctx, familiar)
	if err != nil {
		return nil, nil, err
	}
	s, err := New(features)
	if err != nil {
		return nil, nil, err
	}
	m, err := flat.Read(file)
	if err != nil {
		return nil, nil, err
	}
	u := &bundle.Unknown{On: fmt.Sprintf("%d validation pictures", f.Val.Len())}
	if u.Output, err = s.Append(m); err != nil {
		return nil, nil, err
	}
	if file, err = m.Bytes(); err != nil {
		return nil, nil, err
	}
	known, err := f.known(ctx, s, file, u.Output)
	if err != nil {
		return nil, nil, err
	}
	for i, v := range known {
		known[i] = min(max(v, -1), 1) // the runtime's sums leave the range by their rounding
	}
	u.Threshold, u.Refused = Threshold(known, f.Share)
	return file, u, nil
}

// known is the familiarity of the validation pictures, as the file tells it; in a build that cannot run it, as it should.
func (f *From) known(ctx context.Context, s *Score, file []byte, output int) (known []float32, err error) {
	if trial.Possible() {
		err = trial.Each(ctx, f.Dir, f.Try, file, trial.Gallery(f.Val), func(outputs [][]byte) {
			known = append(known, math.Float32frombits(binary.NativeEndian.Uint32(outputs[output])))
		})
	} else {
		var features [][]float32
		features, err = f.Seen(ctx, f.Val)
		for _, x := range features {
			known = append(known, s.Of(x))
		}
	}
	if i := slices.IndexFunc(known, func(v float32) bool { return v != v }); err == nil && i >= 0 {
		err = fmt.Errorf("the familiarity of %s is not a number", f.Val.Name(i))
	}
	return known, err
}

// evenly are n of a set's examples at most, by number: of each class of the first head as many as of every other as far as they
// reach, spread evenly over its own.
func evenly(set dataset.Set, n int) []int {
	of := map[int][]int{}
	for i := range set.Len() {
		l := set.Label(i, 0)
		of[l] = append(of[l], i)
	}
	var kept []int
	classes := slices.SortedFunc(maps.Values(of), func(a, b []int) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a[0], b[0])) })
	for at, all := range classes {
		take := min(len(all), (n-len(kept))/(len(classes)-at))
		for i := range take {
			kept = append(kept, all[i*len(all)/take])
		}
	}
	slices.Sort(kept)
	return kept
}
