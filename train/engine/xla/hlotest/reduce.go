package hlotest

import (
	"fmt"
	"math"
	"slices"
)

// fold is a region of two floats that is one operator: the only ones that are emitted. neutral changes nothing.
type fold struct {
	f       func(a, b float64) float64
	neutral float64
}

// fold reads a region of a reduction of elements of a kind.
func (s *stmt) fold(i int, k kind) (fold, error) {
	body, err := s.single(i, k)
	if err != nil {
		return fold{}, err
	}
	if _, err := body.operator(); err != nil {
		return fold{}, err
	}
	neutral, ok := map[string]float64{"add": 0, "maximum": math.Inf(-1), "minimum": math.Inf(1)}[body.name]
	if !ok || k != body.outType[0].kind {
		return fold{}, fmt.Errorf("a region of %s is not known", body.name)
	}
	return fold{binary[body.name].f, neutral}, nil
}

// at is the region as it computes: rounded to float32, or exactly.
func (f fold) at(exact bool) fold {
	if exact {
		return f
	}
	return fold{func(a, b float64) float64 { return float64(float32(f.f(a, b))) }, f.neutral}
}

// single is the one statement of a region of two scalars, on the region's arguments in their order.
func (s *stmt) single(i int, k kind) (*stmt, error) {
	r := s.regions[i]
	if k != f32 && k != bf16 || len(r.args) != 2 || !r.types[0].equal(typ{k, nil}) || !r.types[1].equal(typ{k, nil}) ||
		len(r.body) != 1 || len(r.body[0].out) != 1 || !slices.Equal(r.body[0].in, r.args) || !slices.Equal(r.result, r.body[0].out) {
		return nil, fmt.Errorf("a region is one operator of its two arguments")
	}
	return &r.body[0], nil
}

// block is how many rows are added up before they are added to the sum: float32 loses fewer digits so, and a card adds in
// blocks too.
const block = 64

// reduce is section reduce.
func (s *stmt) reduce() (operator, error) {
	if err := s.expects(2, 1, "dimensions"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	f, err := s.fold(0, a.kind)
	if err != nil {
		return nil, err
	}
	rank := len(a.dims)
	axes, err := s.ints("dimensions", rank-len(t.dims))
	if err != nil {
		return nil, err
	}
	step, left, to := make([]int, rank), []int{}, strides(t.dims)
	for i := range rank {
		if !slices.Contains(axes, i) {
			if len(left) < len(to) {
				step[i] = to[len(left)]
			}
			left = append(left, a.dims[i])
		}
	}
	if !t.equal(typ{a.kind, left}) || !s.inType[1].equal(typ{a.kind, nil}) {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		f.at(exact).reduce(out.f, in[0].f, a.dims, step, in[1].f[0])
	}, nil
}

// reduce folds src, an array of dims, into dst, along whose axes it goes by step, which is 0 for those that are reduced.
func (f fold) reduce(dst, src []float64, dims, step []int, first float64) {
	for i := range dst {
		dst[i] = first
	}
	row, last := 1, 0
	if n := len(dims); n > 0 {
		row, last = dims[n-1], step[n-1]
		dims = dims[:n-1]
	}
	part := slices.Repeat([]float64{f.neutral}, len(dst))
	flush := func() {
		for i, x := range part {
			dst[i] = f.f(dst[i], x)
			part[i] = f.neutral
		}
	}
	every := block * max(1, len(dst)/row)
	index, at := make([]int, len(dims)), 0
	for n := 0; len(src) > 0; n++ {
		if last == 0 {
			part[at] = f.f(part[at], f.row(src[:row]))
		} else {
			p := part[at : at+row]
			for k, x := range src[:row] {
				p[k] = f.f(p[k], x)
			}
		}
		src = src[row:]
		if n%every == every-1 {
			flush()
		}
		for a := len(dims) - 1; a >= 0; a-- {
			index[a]++
			at += step[a]
			if index[a] < dims[a] {
				break
			}
			at -= dims[a] * step[a]
			index[a] = 0
		}
	}
	flush()
}

// row folds numbers that lie side by side, in blocks.
func (f fold) row(d []float64) float64 {
	sum := f.neutral
	for len(d) > 0 {
		part := f.neutral
		n := min(block, len(d))
		for _, x := range d[:n] {
			part = f.f(part, x)
		}
		sum = f.f(sum, part)
		d = d[n:]
	}
	return sum
}

// windows are those of a reduce_window or a select_and_scatter over height and width of [N H W C].
type windows struct {
	n, h, w, c  int
	oh, ow      int
	kh, kw      int
	sh, sw      int
	top, left   int
	bottom, end int
}

// windows reads the attributes; wide is the array that the windows move over, narrow has one element for each.
func (s *stmt) windows(wide, narrow typ) (v windows, err error) {
	if len(wide.dims) != 4 || len(narrow.dims) != 4 || wide.kind != narrow.kind {
		return v, errTypes
	}
	size, err := s.ints("window_dimensions", 4)
	if err != nil {
		return v, err
	}
	step, err := s.ints("window_strides", 4)
	if err != nil {
		return v, err
	}
	pad, err := s.pairs("padding", 4)
	if err != nil {
		return v, err
	}
	if slices.Min(size) < 1 || slices.Min(step) < 1 || slices.Min(pad) < 0 || size[0] != 1 || size[3] != 1 || step[0] != 1 || step[3] != 1 ||
		pad[0] != 0 || pad[1] != 0 || pad[6] != 0 || pad[7] != 0 {
		return v, fmt.Errorf("windows go over height and width alone")
	}
	v = windows{wide.dims[0], wide.dims[1], wide.dims[2], wide.dims[3], narrow.dims[1], narrow.dims[2], size[1], size[2], step[1], step[2],
		pad[2], pad[4], pad[3], pad[5]}
	oh, ow := (v.h+v.top+v.bottom-v.kh)/v.sh+1, (v.w+v.left+v.end-v.kw)/v.sw+1
	if v.h+v.top+v.bottom < v.kh || v.w+v.left+v.end < v.kw || oh != v.oh || ow != v.ow || narrow.dims[0] != v.n || narrow.dims[3] != v.c {
		return v, errTypes
	}
	return v, nil
}

// each calls f with each window's place and its pixels' places, row by row, padding left out; a place is a pixel's first channel.
func (v windows) each(f func(to int, from []int)) {
	var pixels []int
	for i := range v.n * v.oh * v.ow {
		y, x := i/v.ow%v.oh*v.sh-v.top, i%v.ow*v.sw-v.left
		pixels = pixels[:0]
		for py := max(y, 0); py < min(y+v.kh, v.h); py++ {
			for px := max(x, 0); px < min(x+v.kw, v.w); px++ {
				pixels = append(pixels, ((i/(v.ow*v.oh)*v.h+py)*v.w+px)*v.c)
			}
		}
		f(i*v.c, pixels)
	}
}

// reduceWindow is section reduce_window. Padding holds the initial value, which must change nothing.
func (s *stmt) reduceWindow() (operator, error) {
	if err := s.expects(2, 1, "window_dimensions", "window_strides", "base_dilations", "window_dilations", "padding"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	f, err := s.fold(0, a.kind)
	if err != nil {
		return nil, err
	}
	v, err := s.windows(a, t)
	if err != nil {
		return nil, err
	}
	if s.attrs["base_dilations"] != "array<i64:1,1,1,1>" || s.attrs["window_dilations"] != "array<i64:1,1,1,1>" || !s.inType[1].equal(typ{a.kind, nil}) {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		f := f.at(exact)
		for i := range out.f {
			out.f[i] = in[1].f[0]
		}
		v.each(func(to int, from []int) {
			for _, p := range from {
				for k, x := range in[0].f[p : p+v.c] {
					out.f[to+k] = f.f(out.f[to+k], x)
				}
			}
		})
	}, nil
}

// selectAndScatter is section select_and_scatter: of each window the element that the others do not take the place of, that is
// where select(the one held, the next) is true, gets the window's source.
func (s *stmt) selectAndScatter() (operator, error) {
	if err := s.expects(3, 2, "window_dimensions", "window_strides", "padding"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	v, err := s.windows(a, s.inType[1])
	if err != nil {
		return nil, err
	}
	body, err := s.single(0, a.kind)
	if err != nil {
		return nil, err
	}
	holds, err := body.direction()
	if err != nil {
		return nil, err
	}
	f, err := s.fold(1, a.kind)
	if err != nil {
		return nil, err
	}
	if !t.equal(a) || !s.inType[2].equal(typ{a.kind, nil}) {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		f := f.at(exact)
		for i := range out.f {
			out.f[i] = in[2].f[0]
		}
		x := in[0].f
		v.each(func(to int, from []int) {
			for k := range v.c {
				if len(from) == 0 {
					continue
				}
				held := from[0] + k
				for _, p := range from[1:] {
					if !holds(x[held], x[p+k]) {
						held = p + k
					}
				}
				out.f[held] = f.f(out.f[held], in[1].f[to+k])
			}
		})
	}, nil
}
