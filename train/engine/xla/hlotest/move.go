package hlotest

import (
	"fmt"
	"slices"
)

// strides are those of a row-major array.
func strides(dims []int) []int {
	s := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

// gather fills dst, an array of dims, from the element at of src on, with steps along each axis.
func gather[T any](dst, src []T, dims, step []int, at int) {
	if len(dst) == 0 {
		return
	}
	if len(dims) == 0 {
		dst[0] = src[at]
		return
	}
	last := len(dims) - 1
	index := make([]int, len(dims))
	for i := 0; i < len(dst); i += dims[last] {
		for k, from := 0, at; k < dims[last]; k, from = k+1, from+step[last] {
			dst[i+k] = src[from]
		}
		for a := last - 1; a >= 0; a-- {
			index[a]++
			at += step[a]
			if index[a] < dims[a] {
				break
			}
			at -= dims[a] * step[a]
			index[a] = 0
		}
	}
}

// moved is an operator that gathers, whatever the elements are.
func moved(dims, step []int, at int) operator {
	return func(in []*tensor, out *tensor, exact bool) {
		gather(out.f, in[0].f, dims, step, at)
		gather(out.u, in[0].u, dims, step, at)
		gather(out.b, in[0].b, dims, step, at)
	}
}

// reshape is section reshape.
func (s *stmt) reshape() (operator, error) {
	if err := s.expects(1, 0); err != nil {
		return nil, err
	}
	if s.inType[0].kind != s.outType[0].kind || s.inType[0].size() != s.outType[0].size() {
		return nil, errTypes
	}
	flat := []int{s.outType[0].size()}
	return moved(flat, []int{1}, 0), nil
}

// transpose is section transpose: axis i of the result is axis permutation[i] of the operand.
func (s *stmt) transpose() (operator, error) {
	if err := s.expects(1, 0, "permutation"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	axes, err := s.ints("permutation", len(a.dims))
	if err != nil {
		return nil, err
	}
	from, want, step := strides(a.dims), make([]int, len(axes)), make([]int, len(axes))
	for i, axis := range axes {
		if axis < 0 || axis >= len(axes) || slices.Contains(axes[:i], axis) {
			return nil, errTypes
		}
		want[i], step[i] = a.dims[axis], from[axis]
	}
	if !t.equal(typ{a.kind, want}) {
		return nil, errTypes
	}
	return moved(t.dims, step, 0), nil
}

// reverse is section reverse.
func (s *stmt) reverse() (operator, error) {
	if err := s.expects(1, 0, "dimensions"); err != nil {
		return nil, err
	}
	t := s.outType[0]
	if !t.equal(s.inType[0]) {
		return nil, errTypes
	}
	axes, err := s.ints("dimensions", 2)
	if err != nil {
		return nil, err
	}
	step, at := strides(t.dims), 0
	for i, axis := range axes {
		if axis < 0 || axis >= len(t.dims) || slices.Contains(axes[:i], axis) {
			return nil, errTypes
		}
		at += (t.dims[axis] - 1) * step[axis]
		step[axis] = -step[axis]
	}
	return moved(t.dims, step, at), nil
}

// slice is section slice.
func (s *stmt) slice() (operator, error) {
	if err := s.expects(1, 0, "start_indices", "limit_indices", "strides"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	rank := len(a.dims)
	from, err := s.ints("start_indices", rank)
	if err != nil {
		return nil, err
	}
	to, err := s.ints("limit_indices", rank)
	if err != nil {
		return nil, err
	}
	by, err := s.ints("strides", rank)
	if err != nil {
		return nil, err
	}
	step, at, want := strides(a.dims), 0, make([]int, rank)
	for i := range rank {
		if from[i] < 0 || from[i] >= to[i] || to[i] > a.dims[i] || by[i] < 1 {
			return nil, errTypes
		}
		want[i] = (to[i] - from[i] + by[i] - 1) / by[i]
		at += from[i] * step[i]
		step[i] *= by[i]
	}
	if !t.equal(typ{a.kind, want}) {
		return nil, errTypes
	}
	return moved(t.dims, step, at), nil
}

// broadcast is section broadcast_in_dim; no axis of one element is stretched.
func (s *stmt) broadcast() (operator, error) {
	if err := s.expects(1, 0, "broadcast_dimensions"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	axes, err := s.ints("broadcast_dimensions", len(a.dims))
	if err != nil {
		return nil, err
	}
	step, from := make([]int, len(t.dims)), strides(a.dims)
	for i, axis := range axes {
		if axis < 0 || axis >= len(t.dims) || slices.Contains(axes[:i], axis) || a.dims[i] != t.dims[axis] {
			return nil, errTypes
		}
		step[axis] = from[i]
	}
	if a.kind != t.kind {
		return nil, errTypes
	}
	return moved(t.dims, step, 0), nil
}

// pad is section pad, without negative padding.
func (s *stmt) pad() (operator, error) {
	if err := s.expects(2, 0, "edge_padding_low", "edge_padding_high", "interior_padding"); err != nil {
		return nil, err
	}
	a, t := s.inType[0], s.outType[0]
	rank := len(a.dims)
	low, err := s.ints("edge_padding_low", rank)
	if err != nil {
		return nil, err
	}
	high, err := s.ints("edge_padding_high", rank)
	if err != nil {
		return nil, err
	}
	inner, err := s.ints("interior_padding", rank)
	if err != nil {
		return nil, err
	}
	to, at, want := strides(t.dims), 0, make([]int, rank)
	for i := range rank {
		if low[i] < 0 || high[i] < 0 || inner[i] < 0 || inner[i] > maxElements/a.dims[i] {
			return nil, errTypes
		}
		want[i] = low[i] + a.dims[i] + (a.dims[i]-1)*inner[i] + high[i]
	}
	if !t.equal(typ{a.kind, want}) || !s.inType[1].equal(typ{a.kind, nil}) || !s.floats() {
		return nil, errTypes
	}
	for i := range rank {
		at += low[i] * to[i]
		to[i] *= inner[i] + 1
	}
	return func(in []*tensor, out *tensor, exact bool) {
		for i := range out.f {
			out.f[i] = in[1].f[0]
		}
		scatter(out.f, in[0].f, a.dims, to, at)
	}, nil
}

// scatter is gather the other way: it lays src, an array of dims, into dst.
func scatter(dst, src []float64, dims, step []int, at int) {
	place := make([]int, len(src))
	index := make([]int, len(dst))
	for i := range index {
		index[i] = i
	}
	gather(place, index, dims, step, at)
	for i, p := range place {
		dst[p] = src[i]
	}
}

// concatenate is section concatenate.
func (s *stmt) concatenate() (operator, error) {
	t := s.outType[0]
	axis := len(t.dims) - 1
	if len(s.in) == 0 || axis < 0 || len(s.regions) > 0 || len(s.attrs) != 1 || s.attrs["dimension"] != fmt.Sprintf("%d:i64", axis) || !s.floats() {
		return nil, errTypes
	}
	sum := 0
	for _, a := range s.inType {
		if a.kind != t.kind || len(a.dims) != len(t.dims) || !slices.Equal(a.dims[:axis], t.dims[:axis]) {
			return nil, errTypes
		}
		sum += a.dims[axis]
	}
	if sum != t.dims[axis] {
		return nil, errTypes
	}
	return func(in []*tensor, out *tensor, exact bool) {
		at := 0
		for i, v := range in {
			n := s.inType[i].dims[axis]
			for row := range len(v.f) / n {
				copy(out.f[row*sum+at:], v.f[row*n:(row+1)*n])
			}
			at += n
		}
	}, nil
}
