// Package chart draws charts for pages that work offline: axes, lines and discs, as inline SVG that a template writes.
package chart

import (
	"fmt"
	"math"
	"strings"
)

// The plotting area of a chart in the units of its drawing, which is chartSide wide and high.
const (
	chartSide              = 320.0
	chartLeft, chartBottom = 46.0, 40.0 // room for the numbers of the axes
	chartTop, chartRight   = 26.0, 14.0
)

// Axes turns values into places: X runs from x0 to x1, Y from y0 to y1.
type Axes struct{ X0, X1, Y0, Y1 float64 }

// ShareAxes are axes of shares: X from 0 to 1, Y from floor to 1.
func ShareAxes(floor float64) Axes { return Axes{0, 1, floor, 1} }

// X is the place of a value along the horizontal axis, in the drawing's units.
func (a Axes) X(v float64) float64 {
	return chartLeft + (v-a.X0)/(a.X1-a.X0)*(chartSide-chartLeft-chartRight)
}

// Y is the place of a value along the vertical axis; what lies outside is put at its end.
func (a Axes) Y(v float64) float64 {
	share := (v - a.Y0) / (a.Y1 - a.Y0)
	return chartSide - chartBottom - min(max(share, 0), 1)*(chartSide-chartBottom-chartTop)
}

// Tick is a number at an axis.
type Tick struct {
	At   float64
	Text string
}

// Chart is a drawing, as the page's template draws; places are in the drawing's units.
type Chart struct {
	Side, Left, Right, Top, Bottom float64
	X, Y                           []Tick
	XName, YName, Title, Text      string
	Diagonal                       bool // from 0,0 to 1,1: where the points of perfect answers lie
	Lines                          []Trace
	Points                         []Point
	Targets, Marks                 []Tick // lines across, and up
}

// Point is a disc with an interval up and down.
type Point struct {
	X, Y, Low, High, R float64
	Text               string
}

// New has axes, five numbers at each that are shares, and no data.
func New(a Axes) *Chart {
	c := Bare(a)
	for k := range 6 {
		v := a.X0 + (a.X1-a.X0)*float64(k)/5
		c.X = append(c.X, Tick{a.X(v), Percent(v)})
		v = a.Y0 + (a.Y1-a.Y0)*float64(k)/5
		c.Y = append(c.Y, Tick{a.Y(v), Percent(v)})
	}
	return c
}

// Bare has axes and no numbers.
func Bare(a Axes) *Chart {
	return &Chart{Side: chartSide, Left: a.X(a.X0), Right: a.X(a.X1), Top: a.Y(a.Y1), Bottom: a.Y(a.Y0)}
}

// Trace is a line through points. Class is what the page's style knows it by.
type Trace struct{ Class, Points, Text string }

// Trace is a line through values, in the order of x.
func (a Axes) Trace(class string, x, y []float64) Trace {
	var line strings.Builder
	for i := range x {
		fmt.Fprintf(&line, "%.1f,%.1f ", a.X(x[i]), a.Y(y[i]))
	}
	return Trace{Class: class, Points: strings.TrimSpace(line.String())}
}

// Percent is a share as a number of hundredths, to a tenth of one.
func Percent(v float64) string { return fmt.Sprintf("%g", math.Round(1000*v)/10) }

// Steps are round numbers from lo to hi, some five of them: multiples of 1, 2 or 5 times a power of ten; whole ones where whole is
// set.
func Steps(lo, hi float64, whole bool) (all []float64) {
	rough := (hi - lo) / 5
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, k := range []float64{1, 2, 5, 10} {
		if unit*k >= rough*0.999 {
			unit *= k
			break
		}
	}
	if whole {
		unit = max(1, math.Round(unit))
	}
	for k := math.Ceil(lo/unit - 1e-9); k*unit <= hi+1e-9*unit; k++ {
		all = append(all, math.Round(k*unit*1e9)/1e9+0) // + 0: no -0
	}
	return all
}
