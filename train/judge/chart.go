package judge

import (
	"fmt"
	"math"
	"strings"

	"gleaner/train/eval"
)

// The plotting area of a chart in the units of its drawing, which is chartSide wide and high.
const (
	chartSide              = 320.0
	chartLeft, chartBottom = 46.0, 40.0 // room for the numbers of the axes
	chartTop, chartRight   = 26.0, 14.0
)

// axes turns values into places: X runs from x0 to x1, Y from y0 to y1.
type axes struct{ x0, x1, y0, y1 float64 }

// shareAxes are axes of shares: X from 0 to 1, Y from floor to 1.
func shareAxes(floor float64) axes { return axes{0, 1, floor, 1} }

func (a axes) x(v float64) float64 {
	return chartLeft + (v-a.x0)/(a.x1-a.x0)*(chartSide-chartLeft-chartRight)
}

func (a axes) y(v float64) float64 {
	share := (v - a.y0) / (a.y1 - a.y0)
	return chartSide - chartBottom - min(max(share, 0), 1)*(chartSide-chartBottom-chartTop)
}

// tick is a number at an axis.
type tick struct {
	At   float64
	Text string
}

// Chart is a drawing, as the page's template draws; places are in the drawing's units.
type Chart struct {
	Side, Left, Right, Top, Bottom float64
	X, Y                           []tick
	XName, YName, Title, Text      string
	Diagonal                       bool // from 0,0 to 1,1: where the points of perfect answers lie
	Lines                          []curve
	Points                         []point
	Targets, Marks                 []tick // lines across, and up
}

// point is a disc with an interval up and down.
type point struct {
	X, Y, Low, High, R float64
	Text               string
}

// newChart has axes, five numbers at each that are shares, and no data.
func newChart(a axes) *Chart {
	c := bare(a)
	for k := range 6 {
		v := a.x0 + (a.x1-a.x0)*float64(k)/5
		c.X = append(c.X, tick{a.x(v), percent(v)})
		v = a.y0 + (a.y1-a.y0)*float64(k)/5
		c.Y = append(c.Y, tick{a.y(v), percent(v)})
	}
	return c
}

// bare has axes and no numbers.
func bare(a axes) *Chart {
	return &Chart{Side: chartSide, Left: a.x(a.x0), Right: a.x(a.x1), Top: a.y(a.y1), Bottom: a.y(a.y0)}
}

// curve is a line through points. Class is what the page's style knows it by.
type curve struct{ Class, Points, Text string }

// trace is a line through values, in the order of x.
func (a axes) trace(class string, x, y []float64) curve {
	var line strings.Builder
	for i := range x {
		fmt.Fprintf(&line, "%.1f,%.1f ", a.x(x[i]), a.y(y[i]))
	}
	return curve{Class: class, Points: strings.TrimSpace(line.String())}
}

func percent(v float64) string { return fmt.Sprintf("%g", math.Round(1000*v)/10) }

// reliability is the reliability diagram (DeGroot and Fienberg 1983): the share of right answers against confidence. The area of
// a disc is the share of the pictures that it stands for.
func reliability(title string, c *Calibration) *Chart {
	a := shareAxes(0)
	d := newChart(a)
	d.Title, d.Diagonal, d.XName, d.YName = title, true, "confidence, %", "right, %"
	d.Text = "log loss " + c.LogLoss() + "; " + c.Calibration.String()
	total := 0
	for _, b := range c.Bins {
		total += b.Pictures
	}
	for _, b := range c.Bins {
		d.Points = append(d.Points, point{X: a.x(b.Confidence), Y: a.y(b.Accuracy.Value), Low: a.y(b.Accuracy.Low), High: a.y(b.Accuracy.High),
			R:    2.5 + 10*math.Sqrt(float64(b.Pictures)/float64(total)),
			Text: fmt.Sprintf("%d pictures, confidence %.1f %%, right %v", b.Pictures, 100*b.Confidence, b.Accuracy)})
	}
	return d
}

// coverage is the precision-coverage curve, with a line for each purity that was wanted.
func coverage(points []eval.Coverage, purity []Purity) *Chart {
	least := 0.9
	for _, p := range points {
		least = min(least, math.Floor(10*p.Precision)/10)
	}
	a := shareAxes(max(least, 0))
	d := newChart(a)
	d.Title, d.XName, d.YName = "precision and coverage", "pictures that get an answer, %", "right among them, %"
	var x, y []float64
	for _, p := range points {
		x, y = append(x, p.Coverage), append(y, p.Precision)
	}
	d.Lines = []curve{a.trace("", x, y)}
	for _, p := range purity {
		if p.Target >= a.y0 {
			d.Targets = append(d.Targets, tick{a.y(p.Target), percent(p.Target)})
		}
	}
	return d
}
