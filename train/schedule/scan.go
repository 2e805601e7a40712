package schedule

import (
	"fmt"
	"math"
)

// The learning rates at the ends of a scan, which ReadScan's texts name.
const (
	ScanLow  = 1e-7
	ScanHigh = 10
)

// ReadScan says, in one line, what the losses at rising learning rates mean for the one that was chosen: the range test of Smith,
// "Cyclical Learning Rates for Training Neural Networks", 2017. Rates and losses are of the same length, in the order of the steps;
// a line that begins with WARNING says that the run will hardly learn.
func ReadScan(rates, losses []float64, chosen float64) string {
	steepest, limit := scanEnds(rates, losses)
	switch {
	case steepest == 0:
		return "WARNING: no learning rate between 1e-7 and 10 lets the loss fall: the network or the labels are wrong"
	case limit > 0 && chosen >= limit:
		return fmt.Sprintf("WARNING: learning rates: the loss falls fastest at %.2g and rises from %.2g on: lr=%.3g is too high", steepest, limit, chosen)
	case limit > 0:
		return fmt.Sprintf("learning rates: the loss falls fastest at %.2g and rises from %.2g on; this run goes up to %.3g", steepest, limit, chosen)
	}
	return fmt.Sprintf("learning rates: the loss falls fastest at %.2g; this run goes up to %.3g", steepest, chosen)
}

// scanWindow is how many losses are averaged, so that a batch that happens to be easy means nothing.
const scanWindow = 11

// scanEnds are the rate at which the loss falls fastest, 0 if it never falls, and the one from which on it is above where it
// began, 0 if that was not reached. Losses are means over scanWindow neighbours.
func scanEnds(rates, losses []float64) (steepest, limit float64) {
	for i, l := range losses {
		if !finite(l) {
			limit, losses = rates[i], losses[:i]
			break
		}
	}
	if len(losses) < 2*scanWindow {
		return 0, limit
	}
	var means []float64 // means[i] is that of the losses from i on
	for i := range len(losses) - scanWindow + 1 {
		sum := 0.0
		for _, l := range losses[i : i+scanWindow] {
			sum += l
		}
		means = append(means, sum/scanWindow)
	}
	low := 0
	for i, m := range means {
		if m < means[low] {
			low = i
		}
	}
	for i := low + 1; i < len(means); i++ {
		if means[i] > means[0] {
			limit = rates[i+scanWindow-1]
			break
		}
	}
	if means[low] > 0.98*means[0] {
		return 0, limit
	}
	fall := 0.0
	for i := 0; i+scanWindow <= low+scanWindow/2 && i+scanWindow < len(means); i++ {
		if f := means[i] - means[i+scanWindow]; f > fall {
			fall, steepest = f, rates[i+scanWindow]
		}
	}
	return steepest, limit
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
