package hlotest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// tensor is an array, row-major; one of the slices is set, by its kind. Floats are float64 that their type can hold,
// or any, where a program is run exactly.
type tensor struct {
	typ
	f []float64
	u []uint32
	b []bool
}

func newTensor(t typ) *tensor {
	v := &tensor{typ: t}
	switch t.kind {
	case ui32:
		v.u = make([]uint32, t.size())
	case i1:
		v.b = make([]bool, t.size())
	default:
		v.f = make([]float64, t.size())
	}
	return v
}

// operator computes a statement's result.
type operator func(in []*tensor, out *tensor, exact bool)

// check makes an operator of each statement, which holds the types against the specification, so that running cannot fail.
func (p *Program) check(f *function) error {
	for i := range f.body {
		s := &f.body[i]
		if len(s.out) != 1 {
			return fmt.Errorf("%s has %d results", s.name, len(s.out))
		}
		run, err := s.operator()
		if err != nil {
			return fmt.Errorf("%%%d = %s: %w", s.out[0], s.name, err)
		}
		p.steps = append(p.steps, step{run, s.in, s.out[0], s.outType[0]})
	}
	results := map[int]bool{}
	for i, k := range f.donate {
		if k < 0 {
			continue
		}
		if k >= len(f.gives) || results[k] || !f.gives[k].equal(f.types[i]) {
			return fmt.Errorf("argument %d, %v, cannot hold result %d", i, f.types[i], k)
		}
		results[k] = true
	}
	for _, t := range append(slices.Clone(f.types), f.gives...) {
		if t.kind != f32 {
			return fmt.Errorf("main takes and gives f32, not %v", t)
		}
	}
	// What is used for the last time is let go.
	seen := map[int]bool{}
	for _, id := range f.result {
		seen[id] = true
	}
	p.last = make([][]int, len(p.steps))
	for i := len(p.steps) - 1; i >= 0; i-- {
		for _, id := range p.steps[i].in {
			if !seen[id] {
				seen[id] = true
				p.last[i] = append(p.last[i], id)
			}
		}
	}
	return nil
}

// Donated tells for each argument which result takes its place; -1 where none does.
func (p *Program) Donated() []int { return p.main.donate }

// Results are the shapes of main's results.
func (p *Program) Results() (shapes [][]int) {
	for _, t := range p.main.gives {
		shapes = append(shapes, t.dims)
	}
	return shapes
}

// Run computes main in float32: each operator's results are rounded, and sums are float32. The arguments must have main's sizes;
// the results are new memory.
func (p *Program) Run(args [][]float32) ([][]float32, error) {
	wide := make([][]float64, len(args))
	for i, d := range args {
		wide[i] = convert[float64](d)
	}
	results, err := p.run(wide, false)
	narrow := make([][]float32, len(results))
	for i, d := range results {
		narrow[i] = convert[float32](d)
	}
	return narrow, err
}

func convert[D, S float32 | float64](d []S) []D {
	out := make([]D, len(d))
	for i, x := range d {
		out[i] = D(x)
	}
	return out
}

// RunExact computes main as if every f32 were a float64: what differs from the mathematics then is no rounding.
func (p *Program) RunExact(args [][]float64) ([][]float64, error) { return p.run(args, true) }

func (p *Program) run(args [][]float64, exact bool) ([][]float64, error) {
	if len(args) != len(p.main.args) {
		return nil, fmt.Errorf("main takes %d arguments, not %d", len(p.main.args), len(args))
	}
	values := make([]*tensor, p.values)
	for i, d := range args {
		if len(d) != p.main.types[i].size() {
			return nil, fmt.Errorf("argument %d is %v, and has %d elements", i, p.main.types[i], len(d))
		}
		values[p.main.args[i]] = &tensor{typ: p.main.types[i], f: d}
	}
	in := make([]*tensor, 0, 8)
	for i, s := range p.steps {
		in = in[:0]
		for _, id := range s.in {
			in = append(in, values[id])
		}
		out := newTensor(s.typ)
		s.run(in, out, exact)
		for k, x := range out.f {
			switch {
			case out.kind == bf16:
				out.f[k] = float64(toBF16(float32(x)))
			case !exact:
				out.f[k] = float64(float32(x))
			}
		}
		values[s.out] = out
		for _, id := range p.last[i] {
			values[id] = nil
		}
	}
	results := make([][]float64, len(p.main.result))
	for i, id := range p.main.result {
		results[i] = slices.Clone(values[id].f)
	}
	return results, nil
}

// toBF16 rounds to the nearest bfloat16, halves to even.
func toBF16(x float32) float32 {
	if x != x {
		return x
	}
	n := math.Float32bits(x)
	return math.Float32frombits((n + 0x7fff + n>>16&1) &^ 0xffff)
}

// operator finds what a statement means.
func (s *stmt) operator() (operator, error) {
	if k, ok := binary[s.name]; ok {
		return s.binary(k)
	}
	if f, ok := unary[s.name]; ok {
		return s.unary(f)
	}
	f := map[string]func() (operator, error){
		"constant": s.constant, "iota": s.iota, "is_finite": s.isFinite, "compare": s.compare, "select": s.choose,
		"convert": s.convert, "reshape": s.reshape, "transpose": s.transpose, "reverse": s.reverse, "slice": s.slice,
		"pad": s.pad, "concatenate": s.concatenate, "broadcast_in_dim": s.broadcast, "reduce": s.reduce,
		"reduce_window": s.reduceWindow, "select_and_scatter": s.selectAndScatter, "dot_general": s.dotGeneral,
		"convolution": s.convolution,
	}[s.name]
	if f == nil {
		return nil, fmt.Errorf("the operator is not known")
	}
	return f()
}

var errTypes = errors.New("its types or attributes are not what the specification wants")

func (s *stmt) floats() bool {
	for _, t := range append(slices.Clone(s.inType), s.outType...) {
		if t.kind != f32 && t.kind != bf16 {
			return false
		}
	}
	return true
}

// expects holds a statement to a number of operands, of regions, and to attributes of these names alone.
func (s *stmt) expects(operands, regions int, attrs ...string) error {
	if len(s.in) != operands || len(s.regions) != regions || len(s.attrs) != len(attrs) {
		return fmt.Errorf("%d operands, %d regions and the attributes %v", len(s.in), len(s.regions), s.attrs)
	}
	for _, a := range attrs {
		if _, ok := s.attrs[a]; !ok {
			return fmt.Errorf("the attribute %s is not there", a)
		}
	}
	return nil
}

// ints reads array<i64:1,2> of a length.
func (s *stmt) ints(name string, n int) ([]int, error) {
	text, ok := strings.CutPrefix(s.attrs[name], "array<i64")
	text, end := strings.CutSuffix(text, ">")
	if !ok || !end {
		return nil, fmt.Errorf("the attribute %s is %q", name, s.attrs[name])
	}
	list, err := numbers(strings.TrimPrefix(text, ":"))
	if err == nil && len(list) != n {
		err = fmt.Errorf("the attribute %s has %d numbers, not %d", name, len(list), n)
	}
	return list, err
}

// pairs reads dense<[[1,1],[0,0]]>:tensor<2x2xi64>.
func (s *stmt) pairs(name string, n int) ([]int, error) {
	text, ok := strings.CutPrefix(s.attrs[name], "dense<[")
	text, end := strings.CutSuffix(text, fmt.Sprintf("]>:tensor<%dx2xi64>", n))
	if !ok || !end {
		return nil, fmt.Errorf("the attribute %s is %q", name, s.attrs[name])
	}
	list, err := numbers(strings.NewReplacer("[", "", "]", "").Replace(text))
	if err == nil && len(list) != 2*n {
		err = fmt.Errorf("the attribute %s has %d numbers, not %d", name, len(list), 2*n)
	}
	return list, err
}

// numbers reads integers with commas between them; none is far from 0.
func numbers(text string) (list []int, err error) {
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		var n int
		if _, err := fmt.Sscanf(w, "%d", &n); err != nil || fmt.Sprint(n) != w || n < -maxElements || n > maxElements {
			return nil, fmt.Errorf("%q is no integer", w)
		}
		list = append(list, n)
	}
	return list, nil
}
