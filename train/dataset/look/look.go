// Package look finds what is odd about a data set before anybody trains on it: how many pictures there are of what, copies
// and near copies, also across classes, labels that are likely wrong, pictures too dark, too bright or blurred; and makes one
// HTML page of it that needs nothing else. It changes no data set.
package look

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gleaner/capture"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/similar"
	"gleaner/train/dataset/spelling"
	"gleaner/train/dataset/split"
	"gleaner/train/linear"
)

// Finding is one example with what is odd about it.
type Finding struct {
	Example int     `json:"example"` // index into the set's examples
	Path    string  `json:"path"`
	Class   string  `json:"class"`
	Said    string  `json:"said,omitempty"` // the class that it looks like, for labels
	Score   float64 `json:"score"`          // what it is sorted by; see the list's comment
	With    int     `json:"with"`           // another example, for copies; -1
}

// Count is a class with its numbers.
type Count struct {
	Class    string `json:"class"`
	Examples int    `json:"examples"`
	Sources  int    `json:"sources"` // pictures
	Groups   int    `json:"groups"`
}

// Report is what was found.
type Report struct {
	Set        string         `json:"set"`
	Examples   int            `json:"examples"`
	Counts     []Count        `json:"counts"`
	Attributes map[string]int `json:"attributes"` // "name: value" → examples
	Sizes      [5]float64     `json:"sizes"`      // shorter side of the boxes in pixels: least, quarter, median, three quarters, greatest
	Problems   []pack.Problem `json:"problems"`
	// Copies have the same pixels, Near nearly the same (Score: bits apart); With is the other one. Both are sorted such that
	// those between classes come first: they are label errors or leaks. At most listed of each are there; CopiesAll and NearAll
	// say how many there are.
	Copies    []Finding `json:"copies"`
	Near      []Finding `json:"near"`
	CopiesAll int       `json:"copies_all"`
	NearAll   int       `json:"near_all"`
	// Labels are likely label errors, the likeliest first: Score is how much more probable another class is, about -1 to 1, by a
	// classifier that did not see the example (confident learning's normalised margin, Northcutt et al. 2021). Examples that are
	// alone in their class are left out. Nil without features.
	Labels []Finding `json:"labels"`
	// Light are the darkest and brightest, Blurred the least sharp: Score is how many spreads they lie off the median, at least
	// outlier.
	Light   []Finding `json:"light"`
	Blurred []Finding `json:"blurred"`
	// Warnings are sentences on what stands in the way of training.
	Warnings []string `json:"warnings"`
}

// Options say what is looked for.
type Options struct {
	// Features are a backbone's answers to the examples, in their order, for label errors; nil: not looked for.
	Features [][]float32
	Seed     uint64
}

// outlier is how many spreads (1.4826 times the median absolute deviation) off the median is odd.
const outlier = 4

// At looks at a set.
func At(s *pack.Set, o Options) (*Report, error) {
	r := &Report{Set: s.Path, Examples: len(s.Examples), Problems: s.Problems, Attributes: map[string]int{}}
	if len(s.Examples) == 0 {
		return nil, fmt.Errorf("%s holds no example", s.Path)
	}
	r.count(s)
	hashes, flat, err := similar.Hashes(s)
	if err != nil {
		return nil, err
	}
	across := r.copies(s, hashes, flat)
	if err := r.pictures(s); err != nil {
		return nil, err
	}
	if o.Features != nil {
		if err := r.labels(s, o, similar.Clusters(hashes, flat)); err != nil {
			return nil, err
		}
	}
	r.warn(s, across)
	return r, nil
}

func (r *Report) finding(s *pack.Set, i int) Finding {
	return Finding{Example: i, Path: s.Examples[i].Source.Path, Class: s.Examples[i].Class, With: -1}
}

func (r *Report) count(s *pack.Set) {
	names, count := pack.Classes(s.Examples)
	sources, groups := map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, c := range names {
		sources[c], groups[c] = map[string]bool{}, map[string]bool{}
	}
	var sides []float64
	for _, e := range s.Examples {
		sources[e.Class][e.Source.Path] = true
		if e.Group != "" {
			groups[e.Class][e.Group] = true
		}
		for k, v := range e.Attributes {
			r.Attributes[k+": "+v]++
		}
		sides = append(sides, min(e.Box[2]-e.Box[0], e.Box[3]-e.Box[1]))
	}
	for _, c := range names {
		r.Counts = append(r.Counts, Count{c, count[c], len(sources[c]), len(groups[c])})
	}
	slices.Sort(sides)
	for k := range r.Sizes {
		r.Sizes[k] = sides[k*(len(sides)-1)/4]
	}
}

// listed is how many pairs of copies, and of near copies, a report has: of a thousand copies of one picture there are half a
// million pairs.
const listed = 10_000

// copies finds exact copies and near ones, and says how many pairs have different classes.
func (r *Report) copies(s *pack.Set, hashes []uint64, flat []bool) (across int) {
	var exact, near firstFew
	similar.Each(hashes, flat, func(p similar.Pair) {
		a, b := &s.Examples[p.A], &s.Examples[p.B]
		other := a.Class != b.Class
		if other {
			across++
		}
		if a.CRC == b.CRC {
			exact.add(p, other)
		} else {
			near.add(p, other)
		}
	})
	findings := func(few *firstFew) (all []Finding) {
		few.cut()
		for _, c := range few.list {
			f := r.finding(s, c.A)
			f.With, f.Score = c.B, float64(c.Distance)
			if c.across {
				f.Said = s.Examples[c.B].Class
			}
			all = append(all, f)
		}
		return all
	}
	r.CopiesAll, r.NearAll = exact.all, near.all
	r.Copies, r.Near = findings(&exact), findings(&near)
	return across
}

// copied is a pair, and whether its classes differ.
type copied struct {
	similar.Pair
	across bool
}

// order puts pairs between classes first, then the nearest, then those of the first examples.
func (a copied) order(b copied) int {
	switch {
	case a.across && !b.across:
		return -1
	case b.across && !a.across:
		return 1
	}
	return cmp.Or(a.Distance-b.Distance, a.A-b.A, a.B-b.B)
}

// firstFew counts pairs and keeps the first ones, twice listed at most at a time.
type firstFew struct {
	list []copied
	last *copied // that is kept, once there are enough
	all  int
}

func (f *firstFew) add(p similar.Pair, across bool) {
	f.all++
	c := copied{p, across}
	if f.last != nil && f.last.order(c) < 0 {
		return
	}
	if f.list = append(f.list, c); len(f.list) >= 2*listed {
		f.cut()
		last := f.list[listed-1]
		f.last = &last
	}
}

func (f *firstFew) cut() {
	slices.SortFunc(f.list, copied.order)
	f.list = f.list[:min(len(f.list), listed)]
}

// pictures finds odd light and blur.
func (r *Report) pictures(s *pack.Set) error {
	buf := make([]byte, s.Format.Bytes())
	light, sharp := make([]float64, len(s.Examples)), make([]float64, len(s.Examples))
	for i := range s.Examples {
		if err := s.Pixels(i, buf); err != nil {
			return err
		}
		light[i], sharp[i] = measure(capture.Image{Pix: buf, Stride: 3 * s.Format.Width, W: s.Format.Width, H: s.Format.Height})
	}
	for i, v := range spreads(light) {
		if math.Abs(v) >= outlier {
			f := r.finding(s, i)
			f.Score = v
			r.Light = append(r.Light, f)
		}
	}
	for i, v := range spreads(sharp) {
		if v <= -outlier {
			f := r.finding(s, i)
			f.Score = v
			r.Blurred = append(r.Blurred, f)
		}
	}
	for _, list := range [][]Finding{r.Light, r.Blurred} {
		slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score)) })
	}
	return nil
}

// measure is a picture's mean brightness, 0 to 255, and the logarithm of its Laplacian's variance, which blur lowers
// (Pech-Pacheco et al. 2000).
func measure(im capture.Image) (light, sharp float64) {
	grey := make([]float64, im.W*im.H)
	for y := range im.H {
		row := im.Row(y)
		for x := range im.W {
			v := 0.114*float64(row[3*x]) + 0.587*float64(row[3*x+1]) + 0.299*float64(row[3*x+2]) // BT.601
			grey[y*im.W+x] = v
			light += v
		}
	}
	light /= float64(len(grey))
	sum, squares, n := 0.0, 0.0, 0.0
	for y := 1; y < im.H-1; y++ {
		for x := 1; x < im.W-1; x++ {
			i := y*im.W + x
			l := grey[i-1] + grey[i+1] + grey[i-im.W] + grey[i+im.W] - 4*grey[i]
			sum, squares, n = sum+l, squares+l*l, n+1
		}
	}
	if n == 0 {
		return light, 0
	}
	return light, math.Log(max(squares/n-(sum/n)*(sum/n), 1e-3))
}

// spreads are how many robust spreads each value lies off the median.
func spreads(v []float64) []float64 {
	median := func(x []float64) float64 { return x[len(x)/2] }
	sorted := slices.Sorted(slices.Values(v))
	m := median(sorted)
	off := make([]float64, len(v))
	for i, x := range v {
		off[i] = math.Abs(x - m)
	}
	slices.Sort(off)
	spread := max(1.4826*median(off), 1e-9)
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = (x - m) / spread
	}
	return out
}

// parts is into how many parts the examples are dealt: what judges one saw the others.
const parts = 10

// labels ranks the examples by how unlikely their label is to a classifier that was fitted without them and without what is
// near to them. A class with one example says nothing about it.
func (r *Report) labels(s *pack.Set, o Options, cluster []int) error {
	if len(o.Features) != len(s.Examples) {
		return fmt.Errorf("%d feature vectors for %d examples", len(o.Features), len(s.Examples))
	}
	names, count := pack.Classes(s.Examples)
	if len(names) < 2 {
		return nil // said by warn
	}
	labels := make([]int, len(s.Examples))
	for i, e := range s.Examples {
		labels[i] = slices.Index(names, e.Class)
	}
	shares := make([]float64, parts)
	for i := range shares {
		shares[i] = 1.0 / parts
	}
	fold, err := split.Parts(s.Examples, cluster, shares, o.Seed)
	if err != nil {
		return err
	}
	p, _, err := linear.LeaveOut(o.Features, labels, len(names), fold, parts)
	if err != nil {
		return fmt.Errorf("look for label errors: %w", err)
	}
	for i, q := range p {
		if count[s.Examples[i].Class] < 2 {
			continue
		}
		best := -1
		for k := range q {
			if k != labels[i] && (best < 0 || q[k] > q[best]) {
				best = k
			}
		}
		f := r.finding(s, i)
		f.Said, f.Score = names[best], float64(q[best]-q[labels[i]])
		r.Labels = append(r.Labels, f)
	}
	slices.SortStableFunc(r.Labels, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	return nil
}

// warn puts into words what stands in the way of training. across is how many pairs of copies have different classes.
func (r *Report) warn(s *pack.Set, across int) {
	say := func(format string, args ...any) { r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...)) }
	first, last := r.Counts[0], r.Counts[len(r.Counts)-1]
	if len(r.Counts) < 2 {
		say("All examples are %q: a classifier needs at least two classes.", first.Class)
	}
	for _, c := range r.Counts {
		if c.Sources < 20 {
			say("%q has %d pictures: take at least 20, better 100, before a figure on it means anything.", c.Class, c.Sources)
		}
	}
	if first.Examples >= 5*last.Examples {
		say("%q has %d times as many examples as %q: balance them (class weights, or a sampler) and look at the rare class's recall.",
			first.Class, first.Examples/max(last.Examples, 1), last.Class)
	}
	var names []string
	for _, c := range r.Counts {
		names = append(names, c.Class)
	}
	alike := spelling.Alike(names)
	for _, c := range names {
		if f, ok := alike[c]; ok {
			say("%q looks like %q spelt otherwise: join them with a label map (data import --map), or they are two classes.", c, f)
		}
	}
	if across > 0 {
		say("%d pairs of copies or near copies have different classes: one of the two labels is wrong.", across)
	}
	if n := r.CopiesAll + r.NearAll; n > 0 {
		say("%d pairs are copies or near copies: a split keeps each on one side.", n)
	}
	left := 0
	for _, p := range s.Problems {
		if !p.Mended {
			left++
		}
	}
	if left > 0 {
		say("%d files or objects were left out by the import; the list says why.", left)
	}
}
