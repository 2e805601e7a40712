package eval

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// auroc is the area by ranks.
func auroc(known, unknown []float64) float64 {
	type score struct {
		v       float64
		unknown bool
	}
	all := make([]score, 0, len(known)+len(unknown))
	for _, v := range known {
		all = append(all, score{v, false})
	}
	for _, v := range unknown {
		all = append(all, score{v, true})
	}
	slices.SortFunc(all, func(a, b score) int { return cmp.Compare(a.v, b.v) })
	sum := 0.0 // of the unknown ones' ranks
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		rank := float64(i+j+1) / 2
		for _, s := range all[i:j] {
			if s.unknown {
				sum += rank
			}
		}
		i = j
	}
	u, k := float64(len(unknown)), float64(len(known))
	return (sum - u*(u+1)/2) / (u * k)
}

func bootstrapAUROC(known, unknown []float64) (low, high float64) {
	r := rand.New(rand.NewPCG(1, 0xA0C))
	draw := func(from []float64) []float64 {
		to := make([]float64, len(from))
		for i := range to {
			to[i] = from[r.IntN(len(from))]
		}
		return to
	}
	draws := make([]float64, 200)
	for i := range draws {
		draws[i] = auroc(draw(known), draw(unknown))
	}
	return percentiles(draws)
}
