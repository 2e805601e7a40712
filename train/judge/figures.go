package judge

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gleaner/train/chart"
	"gleaner/train/eval"
)

// Bounds of a report.
const (
	fewest     = 40 // pictures, without which they are not dealt into parts
	folds      = 5  // parts, of which each is tried at the thresholds of the others
	mostGroups = 50 // listed, the least accurate
)

// figures works out all that needs nothing but the answers. units are pictures that stay together when they are dealt.
func (r *Report) figures(a *eval.Answers, units [][]int, o *Options) error {
	s, err := eval.Summarise(a)
	if err != nil {
		return err
	}
	r.Pictures, r.Chance, r.NearChance, r.Accuracy = s.Pictures, s.ChanceCommonest, s.NearChance, s.Accuracy
	r.Classes, r.Confusion = s.Classes, s.Confusion
	most := slices.MaxFunc(s.Classes, func(a, b eval.Class) int { return cmp.Compare(a.Pictures, b.Pictures) })
	r.Commonest = most.Label
	r.Averages = eval.Average(len(a.Labels), a.Truth, a.Best())
	if r.Calibration, err = calibrate(a); err != nil {
		return err
	}
	if len(a.Truth) >= fewest {
		if r.Temperature, err = temperature(a, units); err != nil {
			return err
		}
	}
	r.Purity, r.Mix = []Purity{}, o.Mix
	mix, err := shares(o.Mix, a)
	if err != nil {
		return err
	}
	for _, target := range o.Purity {
		p, err := purity(a, units, target, mix)
		if err != nil {
			return err
		}
		r.Purity = append(r.Purity, p)
	}
	r.Coverage = eval.Coverages(a)
	return nil
}

// right tells which answers are.
func right(a *eval.Answers) []bool {
	good := make([]bool, len(a.P))
	for i, k := range a.Best() {
		good[i] = k == a.Truth[i]
	}
	return good
}

// part is the answers to some of the pictures.
func part(a *eval.Answers, index []int) *eval.Answers {
	b := &eval.Answers{Labels: a.Labels}
	for _, i := range index {
		b.Truth, b.P = append(b.Truth, a.Truth[i]), append(b.P, a.P[i])
	}
	return b
}

// unitsOf are the examples that stay together when they are dealt: those of a group and those that were cut out of one picture, as
// far as there are enough of both to deal; grouped tells whether groups do. group and name have one entry per example, the group's
// empty for none.
func unitsOf(group, name []string) (units [][]int, grouped bool) {
	pictures := joined(name)
	if units = joined(name, group); len(units) >= 2*folds {
		return units, len(units) < len(pictures)
	}
	if len(pictures) >= 2*folds {
		return pictures, false
	}
	return joined(make([]string, len(name))), false
}

// joined are the numbers of examples, those that share a name of any list together; an empty name is none.
func joined(lists ...[]string) (units [][]int) {
	var of []int // each example's unit
	for i := range lists[0] {
		of, units = append(of, i), append(units, []int{i})
	}
	for _, list := range lists {
		first := map[string]int{}
		for i, name := range list {
			j, ok := first[name]
			if !ok || name == "" {
				first[name] = i
				continue
			}
			if to, from := min(of[i], of[j]), max(of[i], of[j]); to != from {
				for _, k := range units[from] {
					of[k] = to
				}
				units[to], units[from] = append(units[to], units[from]...), nil
			}
		}
	}
	return slices.DeleteFunc(units, func(u []int) bool { return u == nil })
}

// deal deals units of pictures into parts, the largest first, else in an order drawn by a fixed seed: each goes to the part that
// has the fewest pictures of its first one's class, or among several of those the fewest in all.
func deal(units [][]int, truth []int, parts int) [][]int {
	order := slices.Clone(units)
	r := rand.New(rand.NewPCG(1, 0x4A1F))
	r.Shuffle(len(order), func(x, y int) { order[x], order[y] = order[y], order[x] })
	slices.SortStableFunc(order, func(x, y []int) int { return cmp.Compare(len(y), len(x)) })
	dealt, count := make([][]int, parts), make([]map[int]int, parts)
	for p := range count {
		count[p] = map[int]int{}
	}
	for _, unit := range order {
		class, to := truth[unit[0]], 0
		for p := range dealt {
			if cmp.Or(cmp.Compare(count[p][class], count[to][class]), cmp.Compare(len(dealt[p]), len(dealt[to]))) < 0 {
				to = p
			}
		}
		dealt[to] = append(dealt[to], unit...)
		for _, i := range unit {
			count[to][truth[i]]++
		}
	}
	return dealt
}

// calibrate is eval.Calibrate with the log loss's interval.
func calibrate(a *eval.Answers) (*Calibration, error) {
	c, err := eval.Calibrate(a)
	if err != nil {
		return nil, err
	}
	squares, n := 0.0, float64(len(a.P))
	for i, p := range a.P {
		d := -math.Log(max(float64(p[a.Truth[i]]), 1e-12)) - c.NLL
		squares += d * d
	}
	reach := 1.96 * math.Sqrt(squares/max(n-1, 1)/n)
	return &Calibration{c, max(0, c.NLL-reach), c.NLL + reach}, nil
}

// temperature fits one temperature on each half, and looks at each half at that of the other.
func temperature(a *eval.Answers, units [][]int) (*Temperature, error) {
	t, half := &Temperature{}, deal(units, a.Truth, 2)
	var err error
	if t.All, err = eval.Temperature(a); err != nil {
		return nil, err
	}
	scaled := &eval.Answers{Labels: a.Labels, Truth: a.Truth, P: make([][]float32, len(a.P))}
	for h := range half {
		if t.Halves[h], err = eval.Temperature(part(a, half[h])); err != nil {
			return nil, err
		}
		other := half[1-h]
		for k, p := range part(a, other).AtTemperature(t.Halves[h]).P {
			scaled.P[other[k]] = p
		}
	}
	t.Scaled, err = calibrate(scaled)
	return t, err
}

// groups counts per group and per value of each attribute, where there are at least two of them; the least accurate first.
func (r *Report) groups(data Pictures, a *eval.Answers, index []int) {
	r.Groups = []Group{}
	of := map[string]map[string][]int{} // by, name: places in a
	add := func(by, name string, at int) {
		if of[by] == nil {
			of[by] = map[string][]int{}
		}
		of[by][name] = append(of[by][name], at)
	}
	for at, i := range index {
		if g := data.Group(i); g != "" {
			add("group", g, at)
		}
		for k, v := range data.Attributes(i) {
			add(k, v, at)
		}
	}
	for _, by := range slices.Sorted(maps.Keys(of)) {
		if len(of[by]) < 2 {
			continue
		}
		all := groupsOf(by, of[by], right(a))
		if len(all) > mostGroups {
			r.Notes = append(r.Notes, fmt.Sprintf("There are %d values of %q; the %d least accurate are listed.", len(all), by, mostGroups))
			all = all[:mostGroups]
		}
		for k := range all {
			g := part(a, of[by][all[k].Name])
			all[k].MacroF1 = eval.Average(len(a.Labels), g.Truth, g.Best()).MacroF1
		}
		r.Groups = append(r.Groups, all...)
	}
}

// groupsOf are groups with their accuracies, the least accurate first. places are each group's pictures.
func groupsOf(by string, places map[string][]int, right []bool) (all []Group) {
	for name, list := range places {
		good := 0
		for _, at := range list {
			if right[at] {
				good++
			}
		}
		all = append(all, Group{By: by, Name: name, Pictures: len(list), Accuracy: eval.Wilson(good, len(list))})
	}
	slices.SortFunc(all, worseGroup)
	return all
}

// worseGroup orders groups, the least accurate first.
func worseGroup(x, y Group) int {
	return cmp.Or(cmp.Compare(x.Accuracy.Value, y.Accuracy.Value), cmp.Compare(y.Pictures, x.Pictures), strings.Compare(x.Name, y.Name))
}

// worst lists the errors that the bundle was surest of.
func (r *Report) worst(data Pictures, a *eval.Answers, index []int, most int) {
	r.Worst = []Wrong{}
	for at, k := range a.Best() {
		if t := a.Truth[at]; k != t {
			r.Worst = append(r.Worst, Wrong{Picture: index[at], Path: data.Name(index[at]), Truth: a.Labels[t], Answer: a.Labels[k],
				P: float64(a.P[at][k]), PTruth: float64(a.P[at][t])})
		}
	}
	slices.SortStableFunc(r.Worst, func(x, y Wrong) int { return cmp.Compare(y.P-y.PTruth, x.P-x.PTruth) })
	r.Worst = r.Worst[:min(most, len(r.Worst))]
}

// beside compares with another bundle's answers to the same pictures.
func (r *Report) beside(old *Model, a, before *eval.Answers) error {
	s, err := eval.Summarise(before)
	if err != nil {
		return err
	}
	c, err := eval.Compare(right(before), right(a))
	if err != nil {
		return err
	}
	r.Old = &Old{Bundle: old.Name, ID: old.ID, Accuracy: s.Accuracy, MacroF1: s.MacroF1, Paired: c, Verdict: c.String()}
	return nil
}

// note says what a reader must know before any figure.
func (r *Report) note(a *eval.Answers, group []string, grouped bool) {
	say := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	var without []string
	for _, c := range r.Classes {
		if c.Pictures == 0 {
			without = append(without, c.Label)
		}
	}
	switch present := len(r.Classes) - len(without); {
	case present == 1:
		say("All pictures are of the class %s: its recall is the only figure that means anything.", r.Commonest)
	case r.NearChance:
		say("WARNING: the accuracy is not clearly above that of always saying %s. Are the labels those of these pictures, and is this the right bundle?", r.Commonest)
	}
	if len(without) > 0 {
		say("The bundle knows %s, of which there are no pictures: they count only where they are answered.", some(without))
	}
	if len(r.LeftOut) > 0 {
		say("%d files could not be read and are left out, such as %s: %s.", len(r.LeftOut), r.LeftOut[0].Path, r.LeftOut[0].Reason)
	}
	if r.Temperature == nil {
		say("%d pictures are too few to deal into parts: no temperature is fitted, and thresholds are not tried on other pictures.", r.Pictures)
	}
	if len(a.Truth) < 100 {
		say("%d pictures are few: look at the intervals before the figures.", r.Pictures)
	}
	for _, p := range r.Purity {
		if !slices.ContainsFunc(p.Classes, func(t eval.Threshold) bool { return t.Threshold <= 1 }) {
			say("These pictures cannot show a purity of %s %%: it takes %.0f right answers of a class, the surest, before the first wrong one.", chart.Percent(p.Target),
				math.Ceil(p.Target/(1-p.Target)/2-1e-9)) // the half a picture of eval.SolvePurity
		}
	}
	if groups := distinct(group); groups > 0 && len(group) >= 2*groups {
		apart := "when pictures are dealt into parts, groups stay whole"
		if !grouped {
			apart = "and there are too few groups to keep them whole when pictures are dealt into parts"
		}
		say("The pictures come in %d groups, and those of one group resemble each other: the intervals take them for independent and are too narrow; %s.", groups, apart)
	}
}

// distinct is how many names there are, empty ones aside.
func distinct(group []string) int {
	seen := map[string]bool{}
	for _, g := range group {
		if g != "" {
			seen[g] = true
		}
	}
	return len(seen)
}
