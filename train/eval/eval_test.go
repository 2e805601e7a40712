package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// near fails when got is not want within tol.
func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

func TestWilson(t *testing.T) {
	// Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263 and 15 of 148 and 0 of 20.
	for _, c := range []struct {
		good, n   int
		low, high float64
	}{{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}} {
		s := Wilson(c.good, c.n)
		near(t, "low", s.Low, c.low, 5e-5)
		near(t, "high", s.High, c.high, 5e-5)
	}
}

func TestSummaryOfAKnownConfusion(t *testing.T) {
	// 8 cats of which 6 are seen, 4 dogs of which 3 are.
	truth := []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}
	said := []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0}
	s := SummariseAnswers([]string{"cat", "dog"}, truth, said)
	near(t, "accuracy", s.Accuracy.Value, 0.75, 1e-12)
	near(t, "cat precision", s.Classes[0].Precision.Value, 6.0/7, 1e-12)
	near(t, "dog recall", s.Classes[1].Recall.Value, 0.75, 1e-12)
	near(t, "cat F1", s.Classes[0].F1.Value, 12.0/15, 1e-12)
	near(t, "macro F1", s.MacroF1.Value, (12.0/15+6.0/9)/2, 1e-12)
	near(t, "weighted F1", s.WeightedF1.Value, (12.0/15*8+6.0/9*4)/12, 1e-12)
	near(t, "commonest", s.ChanceCommonest, 8.0/12, 1e-12)
	if !s.NearChance {
		t.Error("75 % of 12 is not clearly above 67 %, and nothing says so")
	}
	if f := s.Classes[0].F1; f.Low > f.Value || f.High < f.Value {
		t.Errorf("interval %+v", f)
	}
}

func TestAverages(t *testing.T) {
	// 8 cats of which 6 are seen, 4 dogs of which 3 are, no hen, and one dog is taken for one.
	truth := []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}
	said := []int{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2}
	a := Average(3, truth, said)
	near(t, "macro precision", a.MacroPrecision.Value, (6.0/6+3.0/5)/2, 1e-12)
	near(t, "macro recall", a.MacroRecall.Value, (6.0/8+3.0/4)/2, 1e-12)
	near(t, "weighted precision", a.WeightedPrecision.Value, (8*1+4*0.6)/12, 1e-12)
	near(t, "weighted recall", a.WeightedRecall.Value, 9.0/12, 1e-12)
	s := SummariseAnswers([]string{"cat", "dog", "hen"}, truth, said)
	if a.MacroF1 != s.MacroF1 || a.WeightedF1 != s.WeightedF1 {
		t.Errorf("F1 %v and %v here, %v and %v in the summary", a.MacroF1, a.WeightedF1, s.MacroF1, s.WeightedF1)
	}
	if r := a.MacroRecall; !(r.Low < r.Value && r.Value < r.High) {
		t.Errorf("interval %+v", r)
	}
}

func TestShareOfNothing(t *testing.T) {
	s := Wilson(0, 0)
	if b, err := json.Marshal(s); err != nil || string(b) != `{"value":null,"low":0,"high":1}` || s.String() != "–" {
		t.Errorf("%s, %v, %v", b, err, s)
	}
	if b, err := json.Marshal(Share{0.5, 0.25, 0.75}); err != nil || string(b) != `{"value":0.5,"low":0.25,"high":0.75}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestCompare(t *testing.T) {
	pairs := func(both, old, new, none int) (a, b []bool) {
		for i := range both + old + new + none {
			a = append(a, i < both+old)
			b = append(b, i < both || i >= both+old && i < both+old+new)
		}
		return a, b
	}
	for _, c := range []struct {
		both, old, new, none int
		p                    float64
		word                 string
	}{
		{80, 1, 9, 10, 0.021484375, "better"}, // 2·P(X ≤ 1), X ~ B(10, ½)
		{80, 9, 1, 10, 0.021484375, "worse"},
		{80, 4, 6, 10, 0.75390625, "cannot tell"},
		{90, 0, 0, 10, 1, "cannot tell"},
	} {
		got, err := Compare(pairs(c.both, c.old, c.new, c.none))
		if err != nil {
			t.Fatal(err)
		}
		near(t, "p", got.P, c.p, 1e-12)
		if !strings.HasPrefix(got.String(), c.word) {
			t.Errorf("%s, want %s", got, c.word)
		}
	}
	got, _ := Compare(pairs(80, 4, 6, 10))
	if got.Needed < 800 || got.Needed > 1000 { // z²·0.1/0.02² = 960 in all
		t.Errorf("%d more pictures are said to be needed", got.Needed)
	}
}

// drawn are answers whose confidence is right at temperature 1 and too high when sharpened.
func drawn(n int, temperature float64, seed uint64) *Answers {
	r := rand.New(rand.NewPCG(seed, 1))
	a := &Answers{Labels: []string{"a", "b", "c"}}
	for range n {
		p := make([]float32, 3)
		sum := float32(0)
		for k := range p {
			p[k] = float32(math.Exp(2 * r.NormFloat64()))
			sum += p[k]
		}
		u, truth := float32(r.Float64())*sum, 0
		for k := range p {
			if u -= p[k]; u < 0 {
				truth = k
				break
			}
		}
		for k := range p {
			p[k] /= sum
		}
		a.P, a.Truth = append(a.P, p), append(a.Truth, truth)
	}
	return a.AtTemperature(temperature)
}

func TestCalibration(t *testing.T) {
	good, err := Calibrate(drawn(3000, 1, 1))
	if err != nil || !good.Calibrated() {
		t.Errorf("right confidences: %v, %v", good, err)
	}
	sharp := drawn(3000, 0.4, 1)
	bad, err := Calibrate(sharp)
	if err != nil || bad.Calibrated() || bad.ECE < 0.05 {
		t.Errorf("confidences that are too high: %v, %v", bad, err)
	}
	temperature, err := Temperature(sharp)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "temperature", temperature, 2.5, 0.2)
	if mended, err := Calibrate(sharp.AtTemperature(temperature)); err != nil || !mended.Calibrated() {
		t.Errorf("after scaling: %v, %v", mended, err)
	}
}

// TestPurityHoldsOnOtherPictures solves thresholds on one draw and counts on another.
func TestPurityHoldsOnOtherPictures(t *testing.T) {
	for _, target := range []float64{0.8, 0.9, 0.95} {
		solved, err := SolvePurity(drawn(6000, 1, 2), target, nil)
		if err != nil {
			t.Fatal(err)
		}
		fresh := drawn(6000, 1, 3)
		right, n := 0, 0
		for i, p := range fresh.P {
			if k := Best(p); float64(p[k]) >= solved.Classes[k].Threshold {
				n++
				if k == fresh.Truth[i] {
					right++
				}
			}
		}
		if s := Wilson(right, n); s.High < target || n == 0 {
			t.Errorf("asked for %g, got %v of %d", target, s, n)
		}
		if share := 1 - float64(n)/float64(len(fresh.P)); math.Abs(share-solved.Rejected) > 0.05 {
			t.Errorf("%.2f is rejected, %.2f was said", share, solved.Rejected)
		}
	}
}

func TestPurityWithAMix(t *testing.T) {
	a := drawn(4000, 1, 4)
	even, err := SolvePurity(a, 0.9, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Where the first class is rare, more must be sure before an answer of it is as pure.
	rare, err := SolvePurity(a, 0.9, []float64{0.05, 0.45, 0.5})
	if err != nil || rare.Classes[0].Threshold <= even.Classes[0].Threshold {
		t.Errorf("%v, %v against %v", err, rare.Classes[0], even.Classes[0])
	}
	if _, err := SolvePurity(a, 0.9, []float64{1}); err == nil {
		t.Error("a mix of one share for three classes is taken")
	}
}

func TestCoverages(t *testing.T) {
	a := &Answers{Labels: []string{"a", "b"}, Truth: []int{0, 1, 0, 0}, P: [][]float32{{0.75, 0.25}, {0.75, 0.25}, {1, 0}, {0.5, 0.5}}}
	got := Coverages(a)
	if want := []Coverage{{1, 0.25, 1}, {0.75, 0.75, 2.0 / 3}, {0.5, 1, 0.75}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := len(Coverages(drawn(399, 1, 5))); n > 200 {
		t.Errorf("%d points", n)
	}
}

func TestAUROC(t *testing.T) {
	s, err := AUROC([]float64{1, 2, 3, 4}, []float64{3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "area", s.Value, (2.5+3.5+4)/12, 1e-12)
	if _, err := AUROC(nil, []float64{1}); err == nil {
		t.Error("an area of nothing")
	}
}

func TestCheck(t *testing.T) {
	for name, a := range map[string]*Answers{
		"one class":  {Labels: []string{"a"}, Truth: []int{0}, P: [][]float32{{1}}},
		"none":       {Labels: []string{"a", "b"}},
		"too few":    {Labels: []string{"a", "b"}, Truth: []int{0}, P: [][]float32{{1}}},
		"not number": {Labels: []string{"a", "b"}, Truth: []int{0}, P: [][]float32{{float32(math.NaN()), 1}}},
		"class":      {Labels: []string{"a", "b"}, Truth: []int{2}, P: [][]float32{{0, 1}}},
	} {
		if _, err := Summarise(a); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
