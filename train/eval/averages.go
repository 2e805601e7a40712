package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
)

// Averages are precision, recall and F1 over all classes, each with a 95 % bootstrap interval. Macro counts each class that has
// pictures the same, weighted counts it by its pictures. A class that is never answered has precision 0. The weighted recall is
// the accuracy.
type Averages struct {
	MacroPrecision    Share `json:"macro_precision"`
	MacroRecall       Share `json:"macro_recall"`
	MacroF1           Share `json:"macro_f1"`
	WeightedPrecision Share `json:"weighted_precision"`
	WeightedRecall    Share `json:"weighted_recall"`
	WeightedF1        Share `json:"weighted_f1"`
}

// Average works out the averages of answers that are classes, 0 to classes-1; truth and answers have one entry per picture, and
// there is at least one. The bootstrap draws pictures with replacement, by a fixed seed, the same pictures as SummariseAnswers.
func Average(classes int, truth, answers []int) Averages {
	value := averages(confusion(classes, truth, answers, nil))
	r := rand.New(rand.NewPCG(1, 0xB007))
	var draws [6][]float64
	pick := make([]int, len(truth))
	for range bootstraps {
		for i := range pick {
			pick[i] = r.IntN(len(truth))
		}
		for k, v := range averages(confusion(classes, truth, answers, pick)) {
			draws[k] = append(draws[k], v)
		}
	}
	var s [6]Share
	for k := range s {
		s[k].Value = value[k]
		s[k].Low, s[k].High = percentiles(draws[k])
	}
	return Averages{s[0], s[1], s[2], s[3], s[4], s[5]}
}

// averages are the fields of Averages, in their order.
func averages(m [][]int) (v [6]float64) {
	present, total := 0.0, 0.0
	for c := range m {
		is, said := 0, 0
		for o := range m {
			is += m[c][o]
			said += m[o][c]
		}
		if is == 0 {
			continue
		}
		n, right := float64(is), float64(m[c][c])
		precision := right / float64(max(said, 1))
		for k, x := range [3]float64{precision, right / n, 2 * right / float64(is+said)} {
			v[k] += x
			v[3+k] += x * n
		}
		present, total = present+1, total+n
	}
	for k := range 3 {
		v[k] /= max(present, 1)
		v[3+k] /= max(total, 1)
	}
	return v
}

// MarshalJSON gives value, low and high; the value of a share of nothing, which is not a number, is null.
func (s Share) MarshalJSON() ([]byte, error) {
	var value *float64
	if !math.IsNaN(s.Value) {
		value = &s.Value
	}
	return json.Marshal(struct {
		Value *float64 `json:"value"`
		Low   float64  `json:"low"`
		High  float64  `json:"high"`
	}{value, s.Low, s.High})
}
