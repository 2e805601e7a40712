package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Bin is the answers of one range of confidence.
type Bin struct {
	From       float64 `json:"from"`
	To         float64 `json:"to"`
	Pictures   int     `json:"pictures"`
	Confidence float64 `json:"confidence"` // mean of the greatest probabilities
	Accuracy   Share   `json:"accuracy"`
}

// Calibration is whether probabilities mean what they say.
type Calibration struct {
	Bins []Bin   `json:"bins"`
	ECE  float64 `json:"ece"` // expected calibration error (Naeini et al. 2015), 15 bins of equal width
	// Perfect is the ECE that perfectly calibrated answers with the same confidences reach in 95 of 100 draws: an ECE below it
	// cannot be told from perfect (Vaicenavicius et al. 2019, consistency resampling).
	Perfect float64 `json:"perfect"`
	NLL     float64 `json:"nll"` // mean negative log-likelihood, nats
}

const calibrationBins = 15

// Calibrate works out how answers are calibrated.
func Calibrate(a *Answers) (*Calibration, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	confidence, right := make([]float64, len(a.P)), make([]bool, len(a.P))
	c := &Calibration{}
	for i, p := range a.P {
		k := Best(p)
		confidence[i], right[i] = float64(p[k]), k == a.Truth[i]
		c.NLL -= math.Log(max(float64(p[a.Truth[i]]), 1e-12)) / float64(len(a.P))
	}
	c.Bins = bins(confidence, right)
	c.ECE = ece(confidence, right)
	r := rand.New(rand.NewPCG(1, 0xCA11))
	draws := make([]float64, bootstraps)
	drawn := make([]bool, len(right))
	for d := range draws {
		for i, p := range confidence {
			drawn[i] = r.Float64() < p
		}
		draws[d] = ece(confidence, drawn)
	}
	slices.Sort(draws)
	c.Perfect = draws[bootstraps*95/100]
	return c, nil
}

func binOf(p float64) int { return min(max(int(p*calibrationBins), 0), calibrationBins-1) }

func ece(confidence []float64, right []bool) (e float64) {
	var sum [calibrationBins]float64 // confidence less right answers
	for i, p := range confidence {
		b := binOf(p)
		sum[b] += p
		if right[i] {
			sum[b]--
		}
	}
	for _, s := range sum {
		e += math.Abs(s) / float64(len(right))
	}
	return e
}

func bins(confidence []float64, right []bool) (all []Bin) {
	for b := range calibrationBins {
		bin := Bin{From: float64(b) / calibrationBins, To: float64(b+1) / calibrationBins}
		good := 0
		for i, p := range confidence {
			if binOf(p) == b {
				bin.Pictures++
				bin.Confidence += p
				if right[i] {
					good++
				}
			}
		}
		if bin.Pictures > 0 {
			bin.Confidence /= float64(bin.Pictures)
			bin.Accuracy = Wilson(good, bin.Pictures)
			all = append(all, bin)
		}
	}
	return all
}

// Temperature is the T that makes the answers' likelihood greatest when each logit is divided by it (Guo et al. 2017), in
// 0.05 to 20, by golden-section search on log T. Fit it on pictures that training did not see.
func Temperature(a *Answers) (float64, error) {
	if err := a.Check(); err != nil {
		return 0, err
	}
	nll := func(logT float64) (sum float64) {
		t := math.Exp(logT)
		for i, p := range a.P {
			sum -= math.Log(max(scaled(p, t)[a.Truth[i]], 1e-12))
		}
		return sum
	}
	lo, hi := math.Log(0.05), math.Log(20)
	g := (math.Sqrt(5) - 1) / 2
	x, y := hi-g*(hi-lo), lo+g*(hi-lo)
	fx, fy := nll(x), nll(y)
	for range 60 {
		if fx < fy {
			hi, y, fy = y, x, fx
			x = hi - g*(hi-lo)
			fx = nll(x)
		} else {
			lo, x, fx = x, y, fy
			y = lo + g*(hi-lo)
			fy = nll(y)
		}
	}
	return math.Exp((lo + hi) / 2), nil
}

// scaled are probabilities at another temperature: p^(1/T), made to sum to 1.
func scaled(p []float32, t float64) []float64 {
	out := make([]float64, len(p))
	sum := 0.0
	for k, v := range p {
		out[k] = math.Pow(max(float64(v), 1e-12), 1/t)
		sum += out[k]
	}
	for k := range out {
		out[k] /= sum
	}
	return out
}

// AtTemperature is the answers with their probabilities at temperature t.
func (a *Answers) AtTemperature(t float64) *Answers {
	b := &Answers{Labels: a.Labels, Truth: a.Truth, P: make([][]float32, len(a.P))}
	for i, p := range a.P {
		b.P[i] = make([]float32, len(p))
		for k, v := range scaled(p, t) {
			b.P[i][k] = float32(v)
		}
	}
	return b
}

// Calibrated tells whether the calibration cannot be told from perfect.
func (c *Calibration) Calibrated() bool { return c.ECE <= c.Perfect }

// String is the calibration in a line.
func (c *Calibration) String() string {
	word := "cannot be told from perfect"
	if !c.Calibrated() {
		word = "not calibrated"
	}
	return fmt.Sprintf("expected calibration error %.3f (perfect answers stay below %.3f): %s", c.ECE, c.Perfect, word)
}
