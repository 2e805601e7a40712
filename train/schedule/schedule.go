// Package schedule says how the learning rate goes over a run: by the number of the step alone, or by what the validation loss
// makes of it.
package schedule

import (
	"fmt"
	"math"
)

// Rate says how the learning rate goes over a run.
type Rate struct {
	// Kind is one of
	//
	//	constant  Top
	//	step      Top·Factor^⌊step/Every⌋
	//	cosine    from Top to Final·Top along half a cosine (Loshchilov and Hutter 2017, without restarts)
	//	onecycle  from Top/25 up to Top over the first 30 % of the steps and down to Top/250,000, both along half a cosine
	//	          (Smith and Topin 2018, with the constants of PyTorch's OneCycleLR)
	//	plateau   Top times what a Plateau has made of it
	Kind string
	// Top is the learning rate at its highest; Warmup are the steps over which it rises to there from 0, in a straight line,
	// before the schedule begins; onecycle has its own rise.
	Top           float64
	Warmup, Total int     // steps
	Every         int     // steps, of step
	Factor        float64 // of step, above 0 and below 1
	Final         float64 // share of Top at the end of a cosine, 0 to 1
}

// The constants of one cycle.
const (
	cycleRise  = 0.3
	cycleStart = 1.0 / 25
	cycleEnd   = 1.0 / 25 / 1e4
)

// At is the learning rate of a step, from 0; scale is a plateau's, 1 for the others.
func (s Rate) At(step int, scale float64) float64 {
	if s.Kind == "onecycle" {
		return s.Top * s.cycle(step)
	}
	if step < s.Warmup {
		return s.Top * float64(step+1) / float64(s.Warmup)
	}
	step -= s.Warmup
	switch s.Kind {
	case "step":
		return s.Top * math.Pow(s.Factor, float64(step/s.Every))
	case "cosine":
		return s.Top * halfCosine(1, s.Final, float64(step)/float64(max(1, s.Total-s.Warmup)))
	case "plateau":
		return s.Top * scale
	}
	return s.Top
}

func (s Rate) cycle(step int) float64 {
	top := max(cycleRise*float64(s.Total)-1, 0)
	last := float64(s.Total - 1)
	at := float64(step)
	if at < top {
		return halfCosine(cycleStart, 1, at/top)
	}
	return halfCosine(1, cycleEnd, (at-top)/max(last-top, 1))
}

// halfCosine goes from a to b as t goes from 0 to 1.
func halfCosine(a, b, t float64) float64 {
	return b + (a-b)*(1+math.Cos(math.Pi*min(t, 1)))/2
}

// Check tells what is wrong with the numbers.
func (s Rate) Check() error {
	switch s.Kind {
	case "constant", "cosine", "onecycle", "plateau":
	case "step":
		if s.Every < 1 || !(s.Factor > 0 && s.Factor < 1) {
			return fmt.Errorf("schedule=step needs every ≥ 1 epoch and a factor between 0 and 1, not %d steps and %g", s.Every, s.Factor)
		}
	default:
		return fmt.Errorf("schedule=%s is not known: constant, step, cosine, onecycle and plateau are", s.Kind)
	}
	switch {
	case !(s.Top > 0) || math.IsInf(s.Top, 0):
		return fmt.Errorf("lr=%g is not above 0", s.Top)
	case s.Warmup < 0 || s.Warmup >= max(s.Total, 1) && s.Warmup > 0:
		return fmt.Errorf("the warm-up of %d steps is not shorter than the run of %d steps", s.Warmup, s.Total)
	case !(s.Final >= 0 && s.Final <= 1):
		return fmt.Errorf("final=%g is not in 0 to 1", s.Final)
	}
	return nil
}

// Plateau lowers the learning rate when the validation loss stops falling, as PyTorch's ReduceLROnPlateau does: better is lower
// by one part in ten thousand at least.
type Plateau struct {
	Best  float64 `json:"best"`  // lowest validation loss so far
	Bad   int     `json:"bad"`   // epochs since then
	Scale float64 `json:"scale"` // of the learning rate, at first 1
}

// Observe takes an epoch's validation loss; after more than patience epochs that were not better, the rate is multiplied by
// factor. It reports whether that happened.
func (p *Plateau) Observe(loss float64, patience int, factor float64) bool {
	if loss < p.Best*(1-1e-4) {
		p.Best, p.Bad = loss, 0
		return false
	}
	if p.Bad++; p.Bad <= patience {
		return false
	}
	p.Bad = 0
	p.Scale *= factor
	return true
}
