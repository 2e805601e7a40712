package ref

import (
	"math"

	"gleaner/train/engine"
)

// PrepareNaive is Prepare with a place of its own for each value.
func (b *Backend[T]) PrepareNaive(p *engine.Program) (*Runner[T], error) {
	l := &engine.Layout{Offset: make([]int, len(p.Values))}
	for i := range l.Offset {
		l.Offset[i] = -1
	}
	for _, s := range p.Steps {
		for _, v := range s.Out {
			if v != nil && v.Var == nil && v.View == nil {
				l.Offset[v.ID] = l.Size
				l.Size += v.Shape.Size()
			}
		}
	}
	return b.prepare(p, l)
}

// Poison fills the arena with NaN: a result that depends on what was there before becomes one.
func (r *Runner[T]) Poison() {
	for _, s := range r.p.Steps {
		for _, v := range s.Out {
			if v != nil && v.Var == nil {
				for i := range r.values[v.ID] {
					r.values[v.ID][i] = T(math.NaN())
				}
			}
		}
	}
}
