package schedule

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestScanEnds reads scans with a known course: flat, then falling around one learning rate, then rising.
func TestScanEnds(t *testing.T) {
	const n = 100
	rate := func(i int) float64 { return ScanLow * math.Pow(ScanHigh/ScanLow, float64(i)/(n-1)) }
	course := func(fall, rise int, noise float64) (rates, losses []float64) {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			l := 2.3 - 1.5/(1+math.Exp(-float64(i-fall)/3))
			if rise > 0 && i > rise {
				l += math.Pow(float64(i-rise), 2) / 20
			}
			rates, losses = append(rates, rate(i)), append(losses, l+noise*(r.Float64()-0.5))
		}
		return rates, losses
	}
	for _, c := range []struct {
		name           string
		fall, rise     int
		noise          float64
		steepest, high int // steps
	}{
		{"clear", 50, 80, 0, 50, 87}, {"noisy", 50, 80, 0.6, 50, 87}, {"late", 70, 85, 0.2, 70, 92}, {"no limit", 50, 0, 0.2, 50, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			rates, losses := course(c.fall, c.rise, c.noise)
			steepest, limit := scanEnds(rates, losses)
			if off := math.Log(steepest / rate(c.steepest)); math.Abs(off) > 1.5 {
				t.Errorf("falls fastest at %.2g, want about %.2g", steepest, rate(c.steepest))
			}
			if c.high < 0 && limit != 0 || c.high >= 0 && math.Abs(math.Log(limit/rate(c.high))) > 1.5 {
				t.Errorf("rises from %.2g, want about %.2g", limit, rate(max(c.high, 0)))
			}
		})
	}
	rates, flat := course(1000, 0, 0.1)
	if s, _ := scanEnds(rates, flat); s != 0 {
		t.Errorf("noise alone falls fastest at %g", s)
	}
	rates, losses := course(50, 0, 0.1)
	losses[80] = math.NaN()
	if _, limit := scanEnds(rates, losses); limit != rates[80] {
		t.Errorf("NaN at %g is seen at %g", rates[80], limit)
	}
	for chosen, want := range map[float64]string{1e-3: "this run goes up to 0.001", 5: "WARNING"} {
		if s := ReadScan(rates, losses, chosen); !strings.Contains(s, want) {
			t.Errorf("lr=%g: %s", chosen, s)
		}
	}
	if s := ReadScan(rates, flat, 0.1); !strings.HasPrefix(s, "WARNING: no learning rate") {
		t.Error(s)
	}
}
