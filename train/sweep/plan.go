// Package sweep tries options out: one run of train.Fit, or of train.CrossValidate, for each combination of values, each in a folder
// of its own, and a table of what they came to. Validation pictures choose, never test pictures. What a run is stands in train, what
// its folder says in train/runs, and how figures and curves are drawn in train/judge.
package sweep

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"gleaner/train/recipe"
)

// Plan is what a sweep tries. It is all that decides its runs.
type Plan struct {
	Args   []string `json:"args"`             // key=value, for all runs; out= is the sweep's folder
	Try    []string `json:"try"`              // key=value,value,... or key=low..high
	Random int      `json:"random,omitempty"` // so many combinations are drawn; 0: all of them are tried
	Seed   uint64   `json:"seed,omitempty"`   // of the draw
	Folds  int      `json:"folds,omitempty"`  // of the cross-validation that each run is; 0: a run
	Tested bool     `json:"tested,omitempty"` // test pictures measure every run, and choose nothing
}

// most is the greatest number of runs.
const most = 1000

// Keys that are the same for all runs, with the reason.
var fixed = map[string]string{
	"out":  "each run has a folder of its own below out=",
	"fold": "--folds cross-validates each run",
	"val":  "the runs could not be compared: they would be judged on different pictures",
	"test": "the runs could not be compared: they would be judged on different pictures",
}

// lists are the keys whose values have commas themselves.
var lists = []string{"mean", "std", "cut", "freeze", "rates"}

// try is a key with what it may be: values, or a range.
type try struct {
	key       string
	values    []string
	low, high float64 // a range where values is nil
	whole     bool    // of whole numbers
}

// parseTry reads key=a,b,c, key=a|b|c or key=low..high.
func parseTry(text string) (t try, err error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok || value == "" {
		return t, fmt.Errorf("--try %s: not of the form key=value,value", text)
	}
	if why := fixed[key]; why != "" {
		return t, fmt.Errorf("--try %s: %s= cannot be tried: %s", text, key, why)
	}
	t.key = key
	o := recipe.DefaultOptions()
	if low, high, ok := strings.Cut(value, ".."); ok && !strings.ContainsAny(value, "/,|") {
		if err := o.Set(key + "=" + high); err != nil {
			return t, fmt.Errorf("--try %s: %w", text, err)
		}
		var err1, err2 error
		t.low, err1 = strconv.ParseFloat(low, 64)
		t.high, err2 = strconv.ParseFloat(high, 64)
		if err1 != nil || err2 != nil || !(t.low >= 0 && t.low < t.high) || math.IsInf(t.high, 0) {
			return t, fmt.Errorf("--try %s: not of the form %s=low..high, with two numbers from 0 on, the lower first", text, key)
		}
		t.whole = o.Set(key+"=0.5") != nil
		return t, nil
	}
	by := ","
	if strings.Contains(value, "|") || slices.Contains(lists, key) {
		by = "|"
	}
	for v := range strings.SplitSeq(value, by) {
		v = strings.TrimSpace(v)
		if slices.Contains(t.values, v) {
			return t, fmt.Errorf("--try %s: %q is there twice", text, v)
		}
		if err := o.Set(key + "=" + v); err != nil {
			return t, fmt.Errorf("--try %s: %w", text, err)
		}
		t.values = append(t.values, v)
	}
	return t, nil
}

// trials are the combinations, each a list of key=value in the order of Plan.Try.
func (p *Plan) trials() ([][]string, error) {
	if len(p.Try) == 0 {
		return nil, fmt.Errorf("nothing is tried: --try lr=0.1,0.05 --try mixup=0,0.2 tries four combinations")
	}
	var all []try
	for _, text := range p.Try {
		t, err := parseTry(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o try) bool { return o.key == t.key }) {
			return nil, fmt.Errorf("--try %s: %s is tried twice: give all its values at once", text, t.key)
		}
		if slices.ContainsFunc(p.Args, func(a string) bool { return strings.HasPrefix(a, t.key+"=") }) {
			return nil, fmt.Errorf("--try %s: %s= is given for all runs as well: leave one of the two out", text, t.key)
		}
		if t.values == nil && p.Random == 0 {
			return nil, fmt.Errorf("--try %s: a range has no end of values: --random 20 draws so many", text)
		}
		all = append(all, t)
	}
	if p.Random != 0 {
		return draw(all, p.Random, p.Seed)
	}
	return grid(all)
}

// grid is every combination; the last key changes first.
func grid(all []try) ([][]string, error) {
	combos := [][]string{nil}
	for _, t := range all {
		var next [][]string
		for _, c := range combos {
			for _, v := range t.values {
				next = append(next, append(slices.Clone(c), t.key+"="+v))
			}
		}
		if combos = next; len(combos) > most {
			return nil, fmt.Errorf("more than %d combinations: try fewer values, or let --random 20 draw so many", most)
		}
	}
	return combos, nil
}

// draw draws n different combinations: of values one, of a range a number that is log-uniform (Bergstra and Bengio 2012), or uniform
// where the range begins at 0.
func draw(all []try, n int, seed uint64) (combos [][]string, err error) {
	if n < 1 || n > most {
		return nil, fmt.Errorf("--random %d: not in 1 to %d", n, most)
	}
	r := rand.New(rand.NewPCG(seed, 0x53EE9))
	seen := map[string]bool{}
	for misses := 0; len(combos) < n; {
		var c []string
		for _, t := range all {
			c = append(c, t.key+"="+t.draw(r))
		}
		if key := strings.Join(c, " "); !seen[key] {
			seen[key] = true
			combos, misses = append(combos, c), 0
		} else if misses++; misses > 1000 {
			return nil, fmt.Errorf("--random %d: there are no more than %d different combinations", n, len(combos))
		}
	}
	return combos, nil
}

func (t *try) draw(r *rand.Rand) string {
	if t.values != nil {
		return t.values[r.IntN(len(t.values))]
	}
	v := t.low + (t.high-t.low)*r.Float64()
	if t.low > 0 {
		v = t.low * math.Pow(t.high/t.low, r.Float64())
	}
	if t.whole {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// options are those of one trial, in a folder; setUp completes them as every run's options are.
func (p *Plan) options(trial []string, dir string, setUp func(*recipe.Options)) (recipe.Options, error) {
	o := recipe.DefaultOptions()
	own := slices.DeleteFunc(slices.Clone(p.Args), func(a string) bool { return strings.HasPrefix(a, "out=") })
	if err := o.SetAll(append(own, trial...)); err != nil {
		return o, err
	}
	if !p.has("report") && !slices.ContainsFunc(trial, isReport) {
		o.Report = false // the winner's is made when it is trained again
	}
	if setUp != nil {
		setUp(&o)
	}
	switch {
	case p.Folds > 0:
		o.Test = "" // a fold has its own
	case !p.Tested:
		o.Test = "none"
	}
	o.Out = dir
	check := o
	return o, check.Check()
}

func isReport(a string) bool { return strings.HasPrefix(a, "report=") }

// has tells whether a key is given for all runs.
func (p *Plan) has(key string) bool {
	return slices.ContainsFunc(p.Args, func(a string) bool { return strings.HasPrefix(a, key+"=") })
}

// out is the sweep's folder.
func (p *Plan) out() (dir string) {
	for _, a := range p.Args {
		if v, ok := strings.CutPrefix(a, "out="); ok {
			dir = v
		}
	}
	return dir
}
