package report

import (
	"cmp"
	"context"
	"math"
	"slices"

	"gleaner/train/dataset"
	"gleaner/train/judge"
)

// beside is how many training pictures stand beside an error.
const beside = 3

// nearest finds, for each of the worst errors, the training pictures whose features have the greatest cosine with its own, as the
// network with the bundle's weights sees them.
func (in *Input) nearest(ctx context.Context, r *judge.Report, set dataset.Set) error {
	if len(r.Worst) == 0 {
		return nil
	}
	errs := &dataset.Subset{Set: set}
	for _, w := range r.Worst {
		errs.Index = append(errs.Index, w.Picture)
	}
	of, err := in.see(ctx, errs, false)
	if err != nil {
		return err
	}
	train := some(in.Data.Train, in.most(), in.Options.Seed)
	x, err := in.see(ctx, train, false)
	if err != nil {
		return err
	}
	number := func(i int) int { return i }
	if part, ok := train.(*dataset.Subset); ok && train != in.Data.Train {
		number = func(i int) int { return part.Index[i] }
	}
	for _, v := range x {
		unit(v)
	}
	all := shown{in, in.Data.Train}
	for k := range r.Worst {
		unit(of[k])
		var best []judge.Near
		for i, v := range x {
			if c := dot(of[k], v); len(best) < beside || c > best[len(best)-1].Cosine {
				best = append(best, judge.Near{Picture: number(i), Cosine: c})
				slices.SortStableFunc(best, func(a, b judge.Near) int { return cmp.Compare(b.Cosine, a.Cosine) })
				best = best[:min(len(best), beside)]
			}
		}
		for b := range best {
			best[b].Path, best[b].Label = all.Name(best[b].Picture), train.Heads()[0].Labels[in.Data.Train.Label(best[b].Picture, 0)]
		}
		r.Worst[k].Nearest = best
	}
	return nil
}

// unit makes a vector's length 1; one of zeros stays as it is.
func unit(v []float32) {
	if n := math.Sqrt(dot(v, v)); n > 0 {
		for i := range v {
			v[i] = float32(float64(v[i]) / n)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}
