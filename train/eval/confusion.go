package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Answers are a network's answers to pictures whose classes are known.
type Answers struct {
	Labels []string    // of the classes, by number
	Truth  []int       // class of each picture
	P      [][]float32 // probabilities of each picture, one per class
}

// Check tells whether the parts fit each other: as many answers as pictures, as many probabilities as classes, all of them
// numbers.
func (a *Answers) Check() error {
	if len(a.Labels) < 2 {
		return fmt.Errorf("%d classes: nothing to tell apart", len(a.Labels))
	}
	if len(a.Truth) == 0 || len(a.P) != len(a.Truth) {
		return fmt.Errorf("%d answers to %d pictures", len(a.P), len(a.Truth))
	}
	for i, p := range a.P {
		if len(p) != len(a.Labels) || a.Truth[i] < 0 || a.Truth[i] >= len(a.Labels) {
			return fmt.Errorf("picture %d of class %d has %d probabilities, and there are %d classes", i, a.Truth[i], len(p), len(a.Labels))
		}
		for _, v := range p {
			if math.IsNaN(float64(v)) || v < 0 || v > 1.001 {
				return fmt.Errorf("picture %d has the probability %g", i, v)
			}
		}
	}
	return nil
}

// Best is the class of the greatest probability, the first of several.
func Best(p []float32) int {
	best := 0
	for k, v := range p {
		if v > p[best] {
			best = k
		}
	}
	return best
}

// Best is the class that is answered to each picture.
func (a *Answers) Best() []int {
	best := make([]int, len(a.P))
	for i, p := range a.P {
		best[i] = Best(p)
	}
	return best
}

// Share is a proportion or a mean of such, 0 to 1, with its 95 % interval.
type Share struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// String is the share in percent, as 93.4 % (91.0 to 95.2); a dash where it is a share of nothing.
func (s Share) String() string {
	if math.IsNaN(s.Value) {
		return "–"
	}
	return fmt.Sprintf("%.1f %% (%.1f to %.1f)", 100*s.Value, 100*s.Low, 100*s.High)
}

// z95 is the normal quantile of a two-sided 95 % interval.
const z95 = 1.959963984540054

// Wilson is the share of good out of n with Wilson's score interval (Wilson 1927). With n 0 nothing is known: 0 to 1.
func Wilson(good, n int) Share {
	if n == 0 {
		return Share{math.NaN(), 0, 1}
	}
	return WilsonOf(float64(good)/float64(n), float64(n))
}

// WilsonOf is Wilson for a share p, 0 to 1, of m pictures, more than 0, which need not be whole: what weighted ones are worth.
func WilsonOf(p, m float64) Share {
	centre := (p + z95*z95/(2*m)) / (1 + z95*z95/m)
	half := z95 / (1 + z95*z95/m) * math.Sqrt(p*(1-p)/m+z95*z95/(4*m*m))
	return Share{p, max(0, centre-half), min(1, centre+half)}
}

// Class is how well one class is told from the others.
type Class struct {
	Label     string `json:"label"`
	Pictures  int    `json:"pictures"` // of this class
	Answered  int    `json:"answered"` // pictures that were said to be of it
	Right     int    `json:"right"`
	Precision Share  `json:"precision"` // of those said to be of it, Wilson
	Recall    Share  `json:"recall"`    // of those that are of it, Wilson
	F1        Share  `json:"f1"`        // bootstrap
}

// Summary is the figures of a set of answers.
type Summary struct {
	Pictures   int     `json:"pictures"`
	Accuracy   Share   `json:"accuracy"` // Wilson
	MacroF1    Share   `json:"macro_f1"` // mean over classes that have pictures; bootstrap
	WeightedF1 Share   `json:"weighted_f1"`
	Classes    []Class `json:"classes"`
	Confusion  [][]int `json:"confusion"` // [truth][answer] pictures
	// Chance is what guessing reaches: always the commonest class, and at random by the classes' shares.
	ChanceCommonest float64 `json:"chance_commonest"`
	ChanceRandom    float64 `json:"chance_random"`
	// NearChance says that the accuracy is not clearly above the commonest class: predictions and labels may have been mixed up.
	NearChance bool `json:"near_chance"`
}

// bootstraps is how many resamples an interval is read from.
const bootstraps = 1000

// Summarise works out the figures. The bootstrap draws pictures with replacement, by a fixed seed.
func Summarise(a *Answers) (*Summary, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	return SummariseAnswers(a.Labels, a.Truth, a.Best()), nil
}

// SummariseAnswers is Summarise for answers that are classes. Both slices have one entry per picture.
func SummariseAnswers(labels []string, truth, answers []int) *Summary {
	k := len(labels)
	s := &Summary{Pictures: len(truth), Confusion: confusion(k, truth, answers, nil)}
	right := 0
	for c := range k {
		right += s.Confusion[c][c]
	}
	s.Accuracy = Wilson(right, len(truth))
	f1, macro, weighted := scores(s.Confusion)
	s.MacroF1.Value, s.WeightedF1.Value = macro, weighted
	r := rand.New(rand.NewPCG(1, 0xB007))
	draws := make([][]float64, k+2)
	pick := make([]int, len(truth))
	for range bootstraps {
		for i := range pick {
			pick[i] = r.IntN(len(truth))
		}
		f, m, w := scores(confusion(k, truth, answers, pick))
		for c := range f {
			draws[c] = append(draws[c], f[c])
		}
		draws[k], draws[k+1] = append(draws[k], m), append(draws[k+1], w)
	}
	s.MacroF1.Low, s.MacroF1.High = percentiles(draws[k])
	s.WeightedF1.Low, s.WeightedF1.High = percentiles(draws[k+1])
	for c, label := range labels {
		class := Class{Label: label, Right: s.Confusion[c][c]}
		for o := range k {
			class.Pictures += s.Confusion[c][o]
			class.Answered += s.Confusion[o][c]
		}
		class.Precision, class.Recall = Wilson(class.Right, class.Answered), Wilson(class.Right, class.Pictures)
		class.F1.Value = f1[c]
		class.F1.Low, class.F1.High = percentiles(draws[c])
		s.Classes = append(s.Classes, class)
		share := float64(class.Pictures) / float64(len(truth))
		s.ChanceCommonest = max(s.ChanceCommonest, share)
		s.ChanceRandom += share * share
	}
	s.NearChance = s.Accuracy.Low <= s.ChanceCommonest
	return s
}

// confusion counts; pick chooses pictures, nil all of them.
func confusion(k int, truth, answers, pick []int) [][]int {
	m := make([][]int, k)
	for c := range m {
		m[c] = make([]int, k)
	}
	if pick == nil {
		for i, t := range truth {
			m[t][answers[i]]++
		}
		return m
	}
	for _, i := range pick {
		m[truth[i]][answers[i]]++
	}
	return m
}

// scores are F1 per class, its mean over classes that have pictures, and the mean weighted by the classes' pictures. A class
// that is neither there nor answered has 0.
func scores(m [][]int) (f1 []float64, macro, weighted float64) {
	f1 = make([]float64, len(m))
	present, total := 0, 0
	for c := range m {
		is, said := 0, 0
		for o := range m {
			is += m[c][o]
			said += m[o][c]
		}
		if is+said > 0 {
			f1[c] = 2 * float64(m[c][c]) / float64(is+said)
		}
		if is > 0 {
			present++
			macro += f1[c]
			weighted += f1[c] * float64(is)
			total += is
		}
	}
	return f1, macro / float64(max(present, 1)), weighted / float64(max(total, 1))
}

// percentiles are the ends of a 95 % bootstrap interval.
func percentiles(draws []float64) (low, high float64) {
	slices.Sort(draws)
	n := len(draws)
	return draws[n*25/1000], draws[min(n-1, n*975/1000)]
}

// Comparison is whether a new model answers the same pictures better than an old one.
type Comparison struct {
	Pictures int     `json:"pictures"`
	OldOnly  int     `json:"old_only"` // right by the old model alone
	NewOnly  int     `json:"new_only"`
	P        float64 `json:"p"`      // two-sided, exact McNemar
	Gain     Share   `json:"gain"`   // of the accuracy, -1 to 1; normal interval on the paired difference
	Needed   int     `json:"needed"` // more pictures until this gain would show, about; 0 if it shows, or there is none
}

// Compare is the exact McNemar test (McNemar 1947) of two models on the same pictures: rightOld and rightNew say which
// answers were right.
func Compare(rightOld, rightNew []bool) (Comparison, error) {
	if len(rightOld) != len(rightNew) || len(rightOld) == 0 {
		return Comparison{}, fmt.Errorf("%d answers of one model and %d of the other: they must be to the same pictures", len(rightOld), len(rightNew))
	}
	c := Comparison{Pictures: len(rightOld), P: 1}
	for i := range rightOld {
		switch {
		case rightOld[i] && !rightNew[i]:
			c.OldOnly++
		case rightNew[i] && !rightOld[i]:
			c.NewOnly++
		}
	}
	n, d := float64(c.Pictures), float64(c.OldOnly+c.NewOnly)
	if d > 0 {
		b := distuv.Binomial{N: d, P: 0.5}
		c.P = min(1, 2*b.CDF(float64(min(c.OldOnly, c.NewOnly))))
	}
	gain := float64(c.NewOnly-c.OldOnly) / n
	half := z95 * math.Sqrt(max(d/n-gain*gain, 0)/n)
	c.Gain = Share{gain, gain - half, gain + half}
	if c.P >= 0.05 && gain != 0 {
		// The pictures at which the same shares of discordant answers would be two-sided significant at 95 %.
		c.Needed = max(1, int(math.Ceil(z95*z95*(d/n)/(gain*gain)))-c.Pictures)
	}
	return c, nil
}

// String is the sentence for people.
func (c Comparison) String() string {
	facts := fmt.Sprintf("%d pictures right by the new model alone, %d by the old alone, p = %.3g", c.NewOnly, c.OldOnly, c.P)
	switch {
	case c.P < 0.05 && c.NewOnly > c.OldOnly:
		return "better: " + facts
	case c.P < 0.05:
		return "worse: " + facts
	case c.Needed > 0:
		return fmt.Sprintf("cannot tell: %s; about %d more pictures would", facts, c.Needed)
	}
	return "cannot tell: " + facts
}
