package hlotest

import (
	"fmt"
	"math"
	"slices"
)

// binary are the sections add, subtract, multiply, divide, maximum, minimum, power, xor, and, shift_right_logical of the
// specification: for floats, for integers, for booleans; nil where they are not used.
var binary = map[string]struct {
	f func(a, b float64) float64
	u func(a, b uint32) uint32
	b func(a, b bool) bool
}{
	"add":                 {f: func(a, b float64) float64 { return a + b }, u: func(a, b uint32) uint32 { return a + b }},
	"subtract":            {f: func(a, b float64) float64 { return a - b }},
	"multiply":            {f: func(a, b float64) float64 { return a * b }, u: func(a, b uint32) uint32 { return a * b }},
	"divide":              {f: func(a, b float64) float64 { return a / b }},
	"maximum":             {f: func(a, b float64) float64 { return max(a, b) }},
	"minimum":             {f: func(a, b float64) float64 { return min(a, b) }},
	"power":               {f: func(a, b float64) float64 { return math.Pow(a, b) }},
	"xor":                 {u: func(a, b uint32) uint32 { return a ^ b }},
	"shift_right_logical": {u: func(a, b uint32) uint32 { return a >> b }}, // 0 for 32 and more, as the specification has it
	"and":                 {b: func(a, b bool) bool { return a && b }},
}

// unary are the sections exponential, log, log_plus_one, abs, negate, sqrt, rsqrt, round_nearest_even, logistic.
var unary = map[string]func(x float64) float64{
	"exponential": math.Exp, "log": math.Log, "log_plus_one": math.Log1p, "abs": math.Abs, "sqrt": math.Sqrt,
	"negate":             func(x float64) float64 { return -x },
	"rsqrt":              func(x float64) float64 { return 1 / math.Sqrt(x) },
	"round_nearest_even": math.RoundToEven,
	"logistic":           func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
}

func (s *stmt) binary(k struct {
	f func(a, b float64) float64
	u func(a, b uint32) uint32
	b func(a, b bool) bool
}) (operator, error) {
	if err := s.expects(2, 0); err != nil {
		return nil, err
	}
	t := s.outType[0]
	if !t.equal(s.inType[0]) || !t.equal(s.inType[1]) {
		return nil, errTypes
	}
	switch {
	case t.kind == ui32 && k.u != nil:
		return func(in []*tensor, out *tensor, exact bool) { zip(out.u, in[0].u, in[1].u, k.u) }, nil
	case t.kind == i1 && k.b != nil:
		return func(in []*tensor, out *tensor, exact bool) { zip(out.b, in[0].b, in[1].b, k.b) }, nil
	case s.floats() && k.f != nil:
		return func(in []*tensor, out *tensor, exact bool) { zip(out.f, in[0].f, in[1].f, k.f) }, nil
	}
	return nil, errTypes
}

func zip[T, R any](out []R, a, b []T, f func(a, b T) R) {
	for i, x := range a {
		out[i] = f(x, b[i])
	}
}

func (s *stmt) unary(f func(float64) float64) (operator, error) {
	if err := s.expects(1, 0); err != nil {
		return nil, err
	}
	if !s.outType[0].equal(s.inType[0]) || !s.floats() {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		for i, x := range in[0].f {
			out.f[i] = f(x)
		}
	}, nil
}

// constant is section constant.
func (s *stmt) constant() (operator, error) {
	return func(_ []*tensor, out *tensor, _ bool) {
		for i := range out.size() {
			x := s.data[i%len(s.data)]
			if out.kind == ui32 {
				out.u[i] = uint32(x)
			} else {
				out.f[i] = x
			}
		}
	}, nil
}

// iota is section iota, of one axis.
func (s *stmt) iota() (operator, error) {
	if err := s.expects(0, 0, "iota_dimension"); err != nil {
		return nil, err
	}
	if t := s.outType[0]; t.kind != ui32 || len(t.dims) != 1 || s.attrs["iota_dimension"] != "0:i64" {
		return nil, errTypes
	}
	return func(_ []*tensor, out *tensor, _ bool) {
		for i := range out.u {
			out.u[i] = uint32(i)
		}
	}, nil
}

func (s *stmt) isFinite() (operator, error) {
	if err := s.expects(1, 0); err != nil {
		return nil, err
	}
	if s.inType[0].kind != f32 || !s.outType[0].equal(typ{i1, s.inType[0].dims}) {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		for i, x := range in[0].f {
			out.b[i] = !math.IsNaN(x) && !math.IsInf(x, 0)
		}
	}, nil
}

// directions are those of section compare; a comparison with NaN is false.
var directions = map[string]func(a, b float64) bool{
	"EQ": func(a, b float64) bool { return a == b },
	"GE": func(a, b float64) bool { return a >= b },
	"GT": func(a, b float64) bool { return a > b },
	"LE": func(a, b float64) bool { return a <= b },
	"LT": func(a, b float64) bool { return a < b },
}

func (s *stmt) direction() (func(a, b float64) bool, error) {
	if err := s.expects(2, 0, "compare_type", "comparison_direction"); err != nil {
		return nil, err
	}
	if s.attrs["compare_type"] != "#stablehlo<comparison_typeFLOAT>" || len(s.attrs["comparison_direction"]) < 4 {
		return nil, errTypes
	}
	for name, f := range directions {
		if s.attrs["comparison_direction"] == "#stablehlo<comparison_direction"+name+">" {
			t := s.inType[0]
			if t.kind != f32 && t.kind != bf16 || !t.equal(s.inType[1]) || !s.outType[0].equal(typ{i1, t.dims}) {
				return nil, errTypes
			}
			return f, nil
		}
	}
	return nil, fmt.Errorf("the direction %s is not known", s.attrs["comparison_direction"])
}

func (s *stmt) compare() (operator, error) {
	f, err := s.direction()
	return func(in []*tensor, out *tensor, exact bool) { zip(out.b, in[0].f, in[1].f, f) }, err
}

// choose is section select; one boolean may stand for all.
func (s *stmt) choose() (operator, error) {
	if err := s.expects(3, 0); err != nil {
		return nil, err
	}
	p, t := s.inType[0], s.outType[0]
	if p.kind != i1 || len(p.dims) > 0 && !slices.Equal(p.dims, t.dims) || !t.equal(s.inType[1]) || !t.equal(s.inType[2]) ||
		t.kind != f32 && t.kind != bf16 {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		for i := range out.f {
			out.f[i] = in[2].f[i]
			if in[0].b[i%len(in[0].b)] {
				out.f[i] = in[1].f[i]
			}
		}
	}, nil
}

// convert is section convert, between the floats and from and to ui32. Floats that become integers are whole and in range.
func (s *stmt) convert() (operator, error) {
	if err := s.expects(1, 0); err != nil {
		return nil, err
	}
	a, b := s.inType[0], s.outType[0]
	if !slices.Equal(a.dims, b.dims) || a.kind == i1 || b.kind == i1 || a.kind == bf16 && b.kind == ui32 || a.kind == ui32 && b.kind == bf16 {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		for i := range a.size() {
			switch {
			case b.kind == ui32 && a.kind == ui32:
				out.u[i] = in[0].u[i]
			case b.kind == ui32:
				out.u[i] = uint32(min(max(in[0].f[i], 0), 1<<31))
			case a.kind == ui32:
				out.f[i] = float64(in[0].u[i])
			default:
				out.f[i] = in[0].f[i]
			}
		}
	}, nil
}
