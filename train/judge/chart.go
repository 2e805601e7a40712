package judge

import (
	"fmt"
	"math"

	"gleaner/train/chart"
	"gleaner/train/eval"
)

// reliability is the reliability diagram (DeGroot and Fienberg 1983): the share of right answers against confidence. The area of
// a disc is the share of the pictures that it stands for.
func reliability(title string, c *Calibration) *chart.Chart {
	a := chart.ShareAxes(0)
	d := chart.New(a)
	d.Title, d.Diagonal, d.XName, d.YName = title, true, "confidence, %", "right, %"
	d.Text = "log loss " + c.LogLoss() + "; " + c.Calibration.String()
	total := 0
	for _, b := range c.Bins {
		total += b.Pictures
	}
	for _, b := range c.Bins {
		d.Points = append(d.Points, chart.Point{X: a.X(b.Confidence), Y: a.Y(b.Accuracy.Value), Low: a.Y(b.Accuracy.Low), High: a.Y(b.Accuracy.High),
			R:    2.5 + 10*math.Sqrt(float64(b.Pictures)/float64(total)),
			Text: fmt.Sprintf("%d pictures, confidence %.1f %%, right %v", b.Pictures, 100*b.Confidence, b.Accuracy)})
	}
	return d
}

// coverage is the precision-coverage curve, with a line for each purity that was wanted.
func coverage(points []eval.Coverage, purity []Purity) *chart.Chart {
	least := 0.9
	for _, p := range points {
		least = min(least, math.Floor(10*p.Precision)/10)
	}
	a := chart.ShareAxes(max(least, 0))
	d := chart.New(a)
	d.Title, d.XName, d.YName = "precision and coverage", "pictures that get an answer, %", "right among them, %"
	var x, y []float64
	for _, p := range points {
		x, y = append(x, p.Coverage), append(y, p.Precision)
	}
	d.Lines = []chart.Trace{a.Trace("", x, y)}
	for _, p := range purity {
		if p.Target >= a.Y0 {
			d.Targets = append(d.Targets, chart.Tick{At: a.Y(p.Target), Text: chart.Percent(p.Target)})
		}
	}
	return d
}
