package hlotest

import (
	"fmt"
	"slices"
	"strings"
)

// precise tells whether a precision_config is one of the two that are emitted.
func (s *stmt) precise() error {
	for _, p := range []string{"DEFAULT", "HIGHEST"} {
		if s.attrs["precision_config"] == fmt.Sprintf("[#stablehlo<precision%s>,#stablehlo<precision%s>]", p, p) {
			return nil
		}
	}
	return fmt.Errorf("the precision_config is %s", s.attrs["precision_config"])
}

// dotGeneral is section dot_general, of two matrices along one axis of each.
func (s *stmt) dotGeneral() (operator, error) {
	if err := s.expects(2, 0, "dot_dimension_numbers", "precision_config"); err != nil {
		return nil, err
	}
	var along, with int
	text := strings.NewReplacer("\n", "", " ", "").Replace(s.attrs["dot_dimension_numbers"])
	form := "#stablehlo.dot<lhs_batching_dimensions=[],rhs_batching_dimensions=[],lhs_contracting_dimensions=[%d],rhs_contracting_dimensions=[%d]>"
	_, err := fmt.Sscanf(text, form, &along, &with)
	a, b, t := s.inType[0], s.inType[1], s.outType[0]
	if err != nil || text != fmt.Sprintf(form, along, with) || along&^1 != 0 || with&^1 != 0 ||
		len(a.dims) != 2 || len(b.dims) != 2 || a.kind != b.kind || !s.floats() || a.dims[along] != b.dims[with] ||
		!slices.Equal(t.dims, []int{a.dims[1-along], b.dims[1-with]}) {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		n, m, k := t.dims[0], t.dims[1], a.dims[along]
		x, y := in[0].f, in[1].f
		if along == 0 {
			x = turned(x, a.dims)
		}
		if with == 0 {
			y = turned(y, b.dims)
		}
		for i := range n {
			for j := range m {
				out.f[i*m+j] = dot(x[i*k:(i+1)*k], y[j*k:(j+1)*k], exact)
			}
		}
	}, s.precise()
}

func turned(x []float64, dims []int) []float64 {
	y := make([]float64, len(x))
	gather(y, x, []int{dims[1], dims[0]}, []int{1, dims[1]}, 0)
	return y
}

// dot is Σ a·b, of float32 in blocks.
func dot(a, b []float64, exact bool) (sum float64) {
	for len(a) > 0 {
		n := min(block, len(a))
		if exact {
			for i, x := range a[:n] {
				sum += x * b[i]
			}
		} else {
			part := float32(0)
			for i, x := range a[:n] {
				part += float32(x) * float32(b[i])
			}
			sum = float64(float32(sum) + part)
		}
		a, b = a[n:], b[n:]
	}
	return sum
}

// conv is a convolution's geometry: lhs [b y x f], rhs [y x i o], result [b y x o], however their axes lie in the arrays.
type conv struct {
	lhs, rhs, out      [4]int // the arrays' axes in this order
	n, h, w, c         int    // lhs
	kh, kw, i, o       int    // rhs
	on, oh, ow         int    // result
	stride, ld, rd     [2]int
	pad                [4]int
	groups, batchGroup int
}

// convolution is section convolution, of two spatial axes.
func (s *stmt) convolution() (operator, error) {
	if err := s.expects(2, 0, "batch_group_count", "dimension_numbers", "feature_group_count", "lhs_dilation", "padding",
		"precision_config", "rhs_dilation", "window_reversal", "window_strides"); err != nil {
		return nil, err
	}
	c := &conv{}
	if err := c.read(s); err != nil {
		return nil, err
	}
	a, b, t := s.inType[0], s.inType[1], s.outType[0]
	if len(a.dims) != 4 || len(b.dims) != 4 || len(t.dims) != 4 || !s.floats() || a.kind != b.kind || a.kind != t.kind {
		return nil, errTypes
	}
	at := func(t typ, axes [4]int, i int) int { return t.dims[axes[i]] }
	c.n, c.h, c.w, c.c = at(a, c.lhs, 0), at(a, c.lhs, 1), at(a, c.lhs, 2), at(a, c.lhs, 3)
	c.kh, c.kw, c.i, c.o = at(b, c.rhs, 0), at(b, c.rhs, 1), at(b, c.rhs, 2), at(b, c.rhs, 3)
	c.on, c.oh, c.ow = at(t, c.out, 0), at(t, c.out, 1), at(t, c.out, 2)
	size := func(n, k, axis int) int {
		wide := (n-1)*c.ld[axis] + 1 + c.pad[2*axis] + c.pad[2*axis+1] - (k-1)*c.rd[axis] - 1
		if wide < 0 {
			return 0
		}
		return wide/c.stride[axis] + 1
	}
	if c.groups > 1 && c.batchGroup > 1 || c.n%c.batchGroup != 0 || c.o%c.batchGroup != 0 || c.o%c.groups != 0 || c.c != c.i*c.groups ||
		c.on != c.n/c.batchGroup || at(t, c.out, 3) != c.o || c.oh != size(c.h, c.kh, 0) || c.ow != size(c.w, c.kw, 1) {
		return nil, errTypes
	}
	return c.run(a.dims, b.dims, t.dims), s.precise()
}

func (c *conv) read(s *stmt) error {
	text, ok := strings.CutPrefix(s.attrs["dimension_numbers"], "#stablehlo.conv<")
	lhs, rest, ok1 := strings.Cut(text, "x[")
	rhs, out, ok2 := strings.Cut("["+rest, "->")
	if !ok || !ok1 || !ok2 {
		return fmt.Errorf("the dimension_numbers are %s", s.attrs["dimension_numbers"])
	}
	for _, p := range []struct {
		text, letters string
		axes          *[4]int
	}{{lhs, "b01f", &c.lhs}, {rhs, "01io", &c.rhs}, {strings.TrimSuffix(out, ">"), "b01f", &c.out}} {
		letters := strings.NewReplacer("[", "", "]", "", ",", "").Replace(p.text)
		for i, l := range p.letters {
			if p.axes[i] = strings.IndexRune(letters, l); p.axes[i] < 0 || len(letters) != 4 {
				return fmt.Errorf("the dimension_numbers have %s", p.text)
			}
		}
	}
	for name, d := range map[string]*[2]int{"window_strides": &c.stride, "lhs_dilation": &c.ld, "rhs_dilation": &c.rd} {
		list, err := s.ints(name, 2)
		if err != nil {
			return err
		}
		if *d = [2]int(list); min(d[0], d[1]) < 1 || max(d[0], d[1]) > 1<<16 {
			return errTypes
		}
	}
	list, err := s.pairs("padding", 2)
	if err != nil {
		return err
	}
	c.pad = [4]int(list)
	for name, n := range map[string]*int{"feature_group_count": &c.groups, "batch_group_count": &c.batchGroup} {
		if _, err := fmt.Sscanf(s.attrs[name], "%d:i64", n); err != nil || *n < 1 {
			return errTypes
		}
	}
	if s.attrs["window_reversal"] != "array<i1:false,false>" {
		return fmt.Errorf("a reversed window is not known")
	}
	return nil
}

// order gathers an array so that its axes lie as named.
func order(d []float64, dims []int, axes [4]int) []float64 {
	from := strides(dims)
	want, step := make([]int, 4), make([]int, 4)
	for i, axis := range axes {
		want[i], step[i] = dims[axis], from[axis]
	}
	out := make([]float64, len(d))
	gather(out, d, want, step, 0)
	return out
}

func (c *conv) run(lhs, rhs, out []int) operator {
	back := make([]int, 4) // strides of the result in the order that it is computed in
	from := strides([]int{c.on, c.oh, c.ow, c.o})
	for i, axis := range c.out {
		back[axis] = from[i]
	}
	return func(in []*tensor, r *tensor, exact bool) {
		x, w := order(in[0].f, lhs, c.lhs), order(in[1].f, rhs, c.rhs)
		y := make([]float64, len(r.f))
		for i := range c.on * c.oh * c.ow {
			for kh := range c.kh {
				py := c.place(i/c.ow%c.oh, kh, 0, c.h)
				if py < 0 {
					continue
				}
				for kw := range c.kw {
					if px := c.place(i%c.ow, kw, 1, c.w); px >= 0 {
						c.tap(y[i*c.o:(i+1)*c.o], x, w[(kh*c.kw+kw)*c.i*c.o:], i/(c.oh*c.ow), py, px, exact)
					}
				}
			}
		}
		gather(r.f, y, out, back, 0)
	}
}

// place is which row or column of lhs lies under a tap; -1 for padding and for what a dilation puts between.
func (c *conv) place(o, k, axis, n int) int {
	p := o*c.stride[axis] + k*c.rd[axis] - c.pad[2*axis]
	if p < 0 || p%c.ld[axis] != 0 || p/c.ld[axis] >= n {
		return -1
	}
	return p / c.ld[axis]
}

// tap adds what one tap [i o] of the filters gives to a pixel y of the result's picture n.
func (c *conv) tap(y, x, w []float64, n, py, px int, exact bool) {
	parts := max(c.groups, c.batchGroup) // of the output features
	per := c.o / parts
	for g := range parts {
		picture, feature := n, g*c.i
		if c.batchGroup > 1 {
			picture, feature = g*c.on+n, 0
		}
		pixel := x[((picture*c.h+py)*c.w+px)*c.c+feature:]
		to := y[g*per : (g+1)*per]
		for i, v := range pixel[:c.i] {
			filter := w[i*c.o+g*per : i*c.o+(g+1)*per]
			if exact {
				for k, f := range filter {
					to[k] += v * f
				}
				continue
			}
			for k, f := range filter {
				to[k] = float64(float32(to[k]) + float32(v)*float32(f))
			}
		}
	}
}
