package engine

import (
	"cmp"
	"slices"
)

// align is the alignment of values in the arena, in elements: 64 bytes of float32.
const align = 16

// Layout says where the results of a program's steps live in one arena.
type Layout struct {
	// Offset is the place of each value by its ID, in elements; -1 for values that live elsewhere: inputs, constants,
	// variables. A view has its value's place.
	Offset []int
	Size   int // of the arena, in elements
	Naive  int // what it would be if no two values shared a place
}

// overwrites tells which input of a step its result may replace: the operator reads each element before it writes the same
// one. -1 for none.
func overwrites(op *Op) int {
	switch op.Kind {
	case Relu, Relu6, HSwish, Scale, Dropout, FakeQuant, NormInfer, Add, NormInferDX, Softmax, Sigmoid:
		return 0
	case ReluDX, Relu6DX, HSwishDX:
		return 1
	case FakeQuantDX:
		return 2
	case BatchNormDX:
		return 4
	}
	return -1
}

// Plan lays a program's values out: values whose lives overlap get different places, biggest first, each at the lowest place
// that fits (greedy by size, Pisarchyk and Lee 2020), and a result takes its input's place where the operator may overwrite
// it. Values that outlives tells of keep their place to the end, as outputs do.
func Plan(p *Program, outlives func(v *Value) bool) *Layout {
	l := &Layout{Offset: make([]int, len(p.Values))}
	for i := range l.Offset {
		l.Offset[i] = -1
	}
	lives := lifetimes(p, outlives)
	var order []*life
	for i := range lives {
		if f := &lives[i]; f.owner == i && f.made >= 0 {
			order = append(order, f)
		}
	}
	slices.SortStableFunc(order, func(a, b *life) int { return cmp.Compare(b.size, a.size) })
	var placed []*life // sorted by offset
	for _, f := range order {
		at := 0
		for _, o := range placed {
			if f.made > o.last || o.made > f.last {
				continue
			}
			if at+f.size <= o.offset {
				break
			}
			at = max(at, o.offset+o.size)
		}
		f.offset = at
		i, _ := slices.BinarySearchFunc(placed, f, func(a, b *life) int { return cmp.Compare(a.offset, b.offset) })
		placed = slices.Insert(placed, i, f)
		l.Size = max(l.Size, at+f.size)
	}
	for i := range lives {
		owner := &lives[lives[i].owner]
		if owner.made >= 0 {
			l.Offset[i] = owner.offset
		}
		if lives[i].result {
			l.Naive += lives[i].size
		}
	}
	return l
}

// life is when a value is needed: from the step that makes it to the last that reads it.
type life struct {
	owner      int // the value whose place this one has: itself, or what it is a view of or overwrites
	made, last int
	size       int
	offset     int
	result     bool // a step makes it, and it is no view
}

func lifetimes(p *Program, outlives func(v *Value) bool) []life {
	lives := make([]life, len(p.Values))
	for i := range lives {
		size := p.Values[i].Shape.Size()
		lives[i] = life{owner: i, made: -1, last: -1, size: (size + align - 1) / align * align}
	}
	root := func(v *Value) *life {
		for v.View != nil {
			v = v.View
		}
		return &lives[lives[v.ID].owner]
	}
	end := len(p.Steps)
	reads := make([]int, len(p.Values)) // last step that reads the value or a view of it
	base := func(v *Value) int {
		for v.View != nil {
			v = v.View
		}
		return v.ID
	}
	for i, s := range p.Steps {
		for _, v := range s.In {
			reads[base(v)] = i
		}
	}
	keep := func(v *Value) bool { return outlives != nil && outlives(v) }
	for _, v := range p.Values {
		if keep(v) || slices.Contains(p.Outputs, v) {
			reads[base(v)] = end
		}
	}
	for i, s := range p.Steps {
		for k, v := range s.Out {
			if v == nil || v.Var != nil || v.View != nil {
				continue
			}
			f := &lives[v.ID]
			f.result = true
			f.made, f.last = i, max(i, reads[v.ID])
			if k > 0 {
				continue
			}
			if in := overwrites(s.Op); in >= 0 {
				from := s.In[in]
				o := root(from)
				if o.made >= 0 && reads[base(from)] == i && o.last == i && from.Shape.Size() == v.Shape.Size() && onlyOnce(s.In, from, base) {
					f.owner = lives[base(from)].owner
					o.last = f.last
				}
			}
		}
	}
	for _, v := range p.Values {
		if v.View != nil {
			lives[v.ID].owner = lives[base(v)].owner
		}
	}
	return lives
}

// onlyOnce tells whether a value's place is read by one input of a step alone.
func onlyOnce(in []*Value, v *Value, base func(*Value) int) bool {
	n := 0
	for _, i := range in {
		if base(i) == base(v) {
			n++
		}
	}
	return n == 1
}
