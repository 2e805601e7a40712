package export

import (
	"math"

	"gleaner/train/engine"
)

// span is a range of real numbers.
type span struct{ lo, hi float32 }

// with is the range that holds both.
func (s span) with(o span) span { return span{min(s.lo, o.lo), max(s.hi, o.hi)} }

// params turn an int8 element q, -128 to 127, into the real number scale·(q-zero).
type params struct {
	scale float32
	zero  int
}

// unit are the parameters that TensorFlow Lite demands of int8 probabilities, 0 to 255/256.
var unit = params{1. / 256, -128}

// params are those of fake quantisation (engine.FakeQuant): the range is widened to hold 0, and 0 has an integer of its own. A
// range without width, of an activation that was 0 on all pictures, becomes 0 to 1.
func (s span) params() params {
	lo, hi := min(s.lo, 0), max(s.hi, 0)
	if hi == lo {
		hi = 1
	}
	scale := (hi - lo) / 255
	return params{scale, int(min(max(math.RoundToEven(float64(-lo/scale)), 0), 255)) - 128}
}

// group are arrays of one quantisation: what a pooling, a join or a reshape hands through keeps its integers.
type group struct {
	parent *group
	span   span
	fixed  bool // given, by training or by an operator
	known  bool // measured or worked out
	params params
}

func (g *group) root() *group {
	for g.parent != nil {
		g = g.parent
	}
	return g
}

// join makes one group of two. Two ranges that are given cannot become one; a QUANTIZE stands between them then.
func (g *group) join(o *group) {
	a, b := g.root(), o.root()
	if a == b || a.fixed && b.fixed {
		return
	}
	if b.fixed {
		a, b = b, a
	}
	b.parent = a
}

// passes tells whether a layer hands integers through as they are.
func (l *layer) passes() bool {
	switch l.kind {
	case engine.MaxPool, engine.AvgPool, engine.Reshape, engine.Slice:
		return true
	}
	return false
}

// widens tells whether a layer's result can lie outside the ranges of what goes in.
func (l *layer) widens() bool { return !l.passes() && l.kind != engine.Concat }

// quantise gives every array of an int8 file its quantisation.
func (net *plan) quantise(o Options) error {
	for _, a := range net.arrays {
		a.group = &group{fixed: a.fixed, span: a.span}
	}
	for _, l := range net.layers {
		if (l.kind == engine.Softmax || l.kind == engine.Sigmoid) && !l.out.fixed {
			// A last softmax is computed in float32, unless the file has to end in integers.
			l.out.real = l.out.output && l.out.readers == 1 && !o.Integer
			l.out.fixed = true
			*l.out.group = group{fixed: true, span: span{0, 255. / 256}, params: unit}
		}
	}
	for _, l := range net.layers {
		l.unify()
	}
	for _, a := range net.arrays {
		if g := a.group.root(); a.meter != nil && a.meter.Seen() && !g.fixed && (a.by == nil || a.by.widens()) {
			lo, hi := a.meter.Range()
			if a.by != nil && !a.logits { // two logits that were both cut off would be one answer
				lo, hi = a.meter.LeastSquares()
			}
			if g.known {
				lo, hi = min(lo, g.span.lo), max(hi, g.span.hi)
			}
			g.span, g.known = span{lo, hi}, true
		}
	}
	in := net.input.group.root()
	if s, ok := pixelSpan(o.Meta.Mean, o.Meta.Std); ok && !in.fixed {
		in.span, in.known = s, true
	}
	if !in.fixed && !in.known {
		return layerError(net.input.name, "the input has no range: calibrate, or state mean and std")
	}
	if !in.fixed {
		in.span = in.span.offGrid()
	}
	in.settle()
	for _, l := range net.layers {
		if err := l.settle(); err != nil {
			return err
		}
	}
	return nil
}

// unify joins the arrays that a layer hands through. What is behind an average or a cut has a range of its own where that is
// given: the greatest of what goes in may lie outside it.
func (l *layer) unify() {
	out := l.out.group
	switch {
	case l.kind == engine.Concat:
		for _, a := range l.in {
			if a.group.root().fixed {
				return
			}
		}
	case !l.passes(), out.root().fixed && (l.kind == engine.AvgPool || l.kind == engine.Slice):
		return
	}
	for _, a := range l.in {
		a.group.join(out)
	}
}

// offGrid widens the range of an input by a ten thousandth. Pixels from -1 to 1 are the numbers k+1/2 in steps of 2/255, so that
// the last digit of a division would say which way each is rounded, and the device and a program that trains would differ.
func (s span) offGrid() span { return span{s.lo * (1 + 1e-4), s.hi * (1 + 1e-4)} }

// pixelSpan is what pixels from 0 to 255 become, by any channel's mean and std.
func pixelSpan(mean, std []float32) (s span, ok bool) {
	if len(mean) == 0 || len(std) == 0 {
		return s, false
	}
	for i := range max(len(mean), len(std)) {
		m, d := mean[i%len(mean)], std[i%len(std)]
		c := span{(0 - m) / d, (255 - m) / d}
		if i == 0 {
			s = c
		}
		s = s.with(c)
	}
	return s, true
}

func (g *group) settle() {
	if g.params.scale != 0 {
		return
	}
	g.known = true
	g.params = g.span.params()
}

// settle works the range of a layer's result out, where it was neither given nor measured.
func (l *layer) settle() error {
	g := l.out.group.root()
	if g.fixed || g.known {
		g.settle()
		return nil
	}
	switch {
	case l.kind == engine.Concat, l.kind == engine.GlobalAvgPool, l.passes():
		g.span = l.in[0].group.root().span
		for _, a := range l.in[1:] {
			g.span = g.span.with(a.group.root().span)
		}
	default:
		return layerError(l.name, "nothing says what range its values have: calibrate on pictures")
	}
	g.settle()
	return nil
}

// q are the array's parameters.
func (a *array) q() params { return a.group.root().params }
