// Package split deals a data set's examples into parts without fooling oneself: what belongs together (a group: one object,
// scene or session; a cluster of near-duplicates; one source picture) stays in one part, each class keeps its share, and the
// same seed gives the same parts. It looks at no pixel: near-duplicates come from similar.
package split

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"

	"gleaner/train/dataset/pack"
)

// unit is examples that must not be torn apart.
type unit struct {
	examples []int
	classes  map[string]int
}

// units joins examples that share a group, a source or a cluster; cluster may be nil.
func units(examples []pack.Example, cluster []int) []unit {
	parent := make([]int, len(examples))
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := map[string]int{}
	join := func(key string, i int) {
		if j, ok := first[key]; ok {
			a, b := find(i), find(j)
			parent[max(a, b)] = min(a, b)
			return
		}
		first[key] = i
	}
	for i, e := range examples {
		join(fmt.Sprintf("source %x", e.Source.SHA256), i)
		if e.Group != "" {
			join("group "+e.Group, i)
		}
		if cluster != nil {
			join(fmt.Sprintf("cluster %d", cluster[i]), i)
		}
	}
	at := map[int]int{}
	var all []unit
	for i, e := range examples {
		root := find(i)
		if _, ok := at[root]; !ok {
			at[root] = len(all)
			all = append(all, unit{classes: map[string]int{}})
		}
		u := &all[at[root]]
		u.examples = append(u.examples, i)
		u.classes[e.Class]++
	}
	return all
}

// Single tells whether no two examples belong together; cluster may be nil.
func Single(examples []pack.Example, cluster []int) bool {
	return len(units(examples, cluster)) == len(examples)
}

// Parts deals the examples into parts of the given shares, which sum to 1 or less (the rest goes to the first). Units are
// dealt biggest first, and by the seed among those of one size, each to the part that lacks most of the unit's rarest class:
// the iterative stratification of Sechidis et al. 2011. It returns each example's part.
func Parts(examples []pack.Example, cluster []int, shares []float64, seed uint64) ([]int, error) {
	if err := checkShares(shares); err != nil {
		return nil, err
	}
	if len(examples) == 0 {
		return nil, errors.New("nothing to split: the data set is empty")
	}
	all := units(examples, cluster)
	r := rand.New(rand.NewPCG(seed, 0x5917))
	r.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	slices.SortStableFunc(all, func(a, b unit) int { return cmp.Compare(len(b.examples), len(a.examples)) })
	names, count := pack.Classes(examples)
	want := make([]map[string]float64, len(shares)) // what each part still lacks of each class
	for p, share := range shares {
		want[p] = map[string]float64{}
		for _, c := range names {
			want[p][c] = share * float64(count[c])
		}
	}
	part := make([]int, len(examples))
	for _, u := range all {
		to := lacksMost(u, want, count)
		for _, i := range u.examples {
			part[i] = to
		}
		for c, n := range u.classes {
			want[to][c] -= float64(n)
		}
	}
	return part, nil
}

func checkShares(shares []float64) error {
	sum := 0.0
	for _, s := range shares {
		if !(s > 0 && s <= 1) {
			return fmt.Errorf("a part's share is above 0 and at most 1, not %g", s)
		}
		sum += s
	}
	if len(shares) < 2 || sum > 1+1e-9 {
		return fmt.Errorf("%d shares that sum to %g: at least two, and at most 1", len(shares), sum)
	}
	return nil
}

// lacksMost is the part that lacks most of the unit's rarest class, in examples; ties go to the part that lacks most of all.
func lacksMost(u unit, want []map[string]float64, count map[string]int) int {
	rarest := ""
	for c := range u.classes {
		if rarest == "" || count[c] < count[rarest] || count[c] == count[rarest] && c < rarest {
			rarest = c
		}
	}
	best, lack := 0, 0.0
	for p := range want {
		l := want[p][rarest]
		if p == 0 || l > lack+1e-9 || l > lack-1e-9 && total(want[p]) > total(want[best])+1e-9 {
			best, lack = p, l
		}
	}
	return best
}

func total(want map[string]float64) (sum float64) {
	for _, v := range want {
		sum += v
	}
	return sum
}

// Folds deals the examples into k parts of one size, for cross-validation. A class with fewer units than folds is an error
// that names it: some fold would have none of it.
func Folds(examples []pack.Example, cluster []int, k int, seed uint64) ([]int, error) {
	if k < 2 {
		return nil, fmt.Errorf("%d folds: at least 2 are needed", k)
	}
	have := map[string]int{}
	for _, u := range units(examples, cluster) {
		for c := range u.classes {
			have[c]++
		}
	}
	names, _ := pack.Classes(examples)
	for _, c := range names {
		if have[c] < k {
			return nil, fmt.Errorf("class %q has %d independent pictures, and %d folds need at least %d: take fewer folds or more pictures", c, have[c], k, k)
		}
	}
	shares := make([]float64, k)
	for i := range shares {
		shares[i] = 1 / float64(k)
	}
	return Parts(examples, cluster, shares, seed)
}

// Record is a split as it is written down: which set, how, and the part of each example by its source and box.
type Record struct {
	Set    string         `json:"set"` // the set's identity, hex
	Seed   uint64         `json:"seed"`
	Shares []float64      `json:"shares"`
	Parts  map[string]int `json:"parts"`
}

// Key names an example in a Record: its source's path and its box.
func Key(e pack.Example) string {
	return fmt.Sprintf("%s %g,%g,%g,%g", e.Source.Path, e.Box[0], e.Box[1], e.Box[2], e.Box[3])
}

// Write writes a split down, as Load reads it.
func Write(w io.Writer, s *pack.Set, part []int, shares []float64, seed uint64) error {
	r := Record{Set: fmt.Sprintf("%x", s.Identity), Seed: seed, Shares: shares, Parts: map[string]int{}}
	for i, e := range s.Examples {
		r.Parts[Key(e)] = part[i]
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Load reads a split of a set. A split of another set, or one that lacks an example, is an error.
func Load(path string, s *pack.Set) ([]int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("split %s: %w", path, err)
	}
	if r.Set != fmt.Sprintf("%x", s.Identity) {
		return nil, fmt.Errorf("split %s is of another data set than %s: split again", path, s.Path)
	}
	part := make([]int, len(s.Examples))
	for i, e := range s.Examples {
		p, ok := r.Parts[Key(e)]
		if !ok || p < 0 || p >= len(r.Shares) {
			return nil, fmt.Errorf("split %s: it has no part for %s", path, Key(e))
		}
		part[i] = p
	}
	return part, nil
}
