package engine

import "slices"

// Fuse joins each convolution, dense layer, batch norm and addition with the ReLU or ReLU6 behind it, where nothing else reads
// what is between, and the mask of that activation's gradient with a batch norm's. p is not changed; the values are shared.
func Fuse(p *Program) *Program {
	f := &fusion{readers: make([]int, len(p.Values)), made: make([]int, len(p.Values))}
	for i, s := range p.Steps {
		for _, v := range s.In {
			f.readers[v.ID]++
		}
		for _, v := range s.Out {
			if v != nil {
				f.made[v.ID] = i
			}
		}
	}
	for _, v := range p.Outputs {
		f.readers[v.ID]++
	}
	f.steps = slices.Clone(p.Steps)
	f.gone = make([]bool, len(p.Steps))
	for i := range f.steps {
		f.join(i)
	}
	q := *p
	q.Steps = nil
	for i, s := range f.steps {
		if i == p.Update {
			q.Update = len(q.Steps)
		}
		if !f.gone[i] {
			q.Steps = append(q.Steps, s)
		}
	}
	if p.Update == len(p.Steps) {
		q.Update = len(q.Steps)
	}
	return &q
}

type fusion struct {
	steps   []Step
	gone    []bool
	readers []int // by value: how many steps and outputs read it
	made    []int // by value: the step that makes it
}

// join fuses step i with the step before it, if it can.
func (f *fusion) join(i int) {
	s := f.steps[i]
	switch s.Op.Kind {
	case Relu, Relu6:
		act := ActRelu
		if s.Op.Kind == Relu6 {
			act = ActRelu6
		}
		x := s.In[0]
		if f.readers[x.ID] != 1 || x.Layer == "" || x.Var != nil || x.View != nil {
			return
		}
		before := &f.steps[f.made[x.ID]]
		if op := before.Op.withAct(act); op != nil && before.Out[0] == x {
			out := slices.Clone(before.Out)
			out[0] = s.Out[0]
			*before = Step{op, before.In, out}
			f.made[s.Out[0].ID] = f.made[x.ID]
			f.gone[i] = true
		}
	case BatchNormDX:
		dy := s.In[4]
		if f.readers[dy.ID] != 1 || dy.Layer == "" {
			return
		}
		m := f.made[dy.ID]
		mask := f.steps[m]
		if mask.Op.Kind != ReluDX && mask.Op.Kind != Relu6DX || mask.Out[0] != dy {
			return
		}
		act := ActRelu
		if mask.Op.Kind == Relu6DX {
			act = ActRelu6
		}
		op := *s.Op
		a := op.Attr.(Norm)
		a.Act = act
		op.Attr = a
		op.In = append(slices.Clone(op.In), mask.In[0].Shape)
		in := slices.Clone(s.In)
		in[4] = mask.In[1]
		f.steps[i] = Step{&op, append(in, mask.In[0]), s.Out}
		f.gone[m] = true
	}
}

// withAct is the operator with an activation behind it; nil if it cannot have one.
func (o *Op) withAct(act Act) *Op {
	c := *o
	switch a := o.Attr.(type) {
	case Conv:
		if o.Kind != Conv2D || a.Act != NoAct {
			return nil
		}
		a.Act = act
		c.Attr = a
	case Lin:
		if o.Kind != Dense || a.Act != NoAct {
			return nil
		}
		a.Act = act
		c.Attr = a
	case Norm:
		if o.Kind != BatchNorm && o.Kind != NormInfer || a.Act != NoAct {
			return nil
		}
		a.Act = act
		c.Attr = a
	case Sum:
		if o.Kind != Add || a.Act != NoAct {
			return nil
		}
		a.Act = act
		c.Attr = a
	default:
		return nil
	}
	return &c
}
