package chart

import (
	_ "embed"
	"fmt"
	"html/template"
	"math"
)

//go:embed parts.html
var partsHTML string

// Parts are the templates that pages share: "style", and "chart", which takes a *Chart. Each call gives others, to add a page to.
func Parts() *template.Template {
	return template.Must(template.New("parts").Funcs(template.FuncMap{"percent": Percent, "hundred": func(x float64) float64 { return 100 * x }}).Parse(partsHTML))
}

// Line is a line through values, in the order of X. Class is "", "train" or "faint"; Text is what the line is. Mark, if not
// empty, is what a mark at the epoch At says.
type Line struct {
	Class, Text, Mark string
	X, Y              []float64
	At                float64
}

// Curves draws lines over epochs: shares, 0 to 1, or losses in nats. nil where they span no two epochs.
func Curves(title string, shares bool, lines []Line) *Chart {
	a := Axes{math.Inf(1), math.Inf(-1), 0, 0}
	least, most := 0.9, 0.0
	for _, l := range lines {
		for i, y := range l.Y {
			a.X0, a.X1 = min(a.X0, l.X[i]), max(a.X1, l.X[i])
			least, most = min(least, math.Floor(10*y)/10), max(most, y)
		}
	}
	if !(a.X1 > a.X0) {
		return nil
	}
	if a.Y1 = 1.05 * most; shares {
		a.Y0, a.Y1 = max(least, 0), 1
	} else if !(a.Y1 > 0) {
		a.Y1 = 1
	}
	c := Bare(a)
	c.Title, c.XName, c.YName = title, "epoch", "right, %"
	if shares {
		c.Y = New(a).Y
	} else {
		c.YName = "nats"
		for _, v := range Steps(0, a.Y1, false) {
			c.Y = append(c.Y, Tick{a.Y(v), fmt.Sprintf("%g", v)})
		}
	}
	for _, v := range Steps(a.X0, a.X1, true) {
		c.X = append(c.X, Tick{a.X(v), fmt.Sprintf("%g", v)})
	}
	for _, l := range lines {
		t := a.Trace(l.Class, l.X, l.Y)
		t.Text = l.Text
		c.Lines = append(c.Lines, t)
		if l.Mark != "" {
			c.Marks = append(c.Marks, Tick{a.X(l.At), l.Mark})
		}
	}
	return c
}
