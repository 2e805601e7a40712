package engine

import "fmt"

// Optimiser says how parameters follow their gradients. The zero value of a number is its usual default where one is named.
//
//	sgd    v ← Momentum·v + g;  w ← w - lr·v, or lr·(g + Momentum·v) with Nesterov (Sutskever et al. 2013, as PyTorch has it)
//	adam   m ← β1·m + (1-β1)·g;  v ← β2·v + (1-β2)·g²;  w ← w - lr·(m/(1-β1^t))/(sqrt(v/(1-β2^t)) + ε) (Kingma and Ba 2015)
//	adamw  as adam, and w ← w - lr·Decay·w by itself (Loshchilov and Hutter 2019)
//
// For sgd and adam the decay goes through the gradient: g ← g + Decay·w.
type Optimiser struct {
	Kind     string  // sgd, adam, adamw
	Momentum float64 // of sgd, 0 to 1
	Nesterov bool
	Beta1    float64 // 0 means 0.9
	Beta2    float64 // 0 means 0.999
	Eps      float64 // 0 means 1e-8
	Decay    float64
	// Clip scales all gradients so that their joint norm is at most this; 0 leaves them. The norm is then an output.
	Clip float64
	// Average keeps a moving average of each parameter, in variables of role Average: avg += blend·(w - avg), the scalar input
	// "blend".
	Average bool
	// Group gives a parameter its own share of the learning rate and of the decay, 1 and 1 where nil: layer-wise rates, no
	// decay of biases.
	Group func(v *Var) (rate, decay float64)

	// State gives the variables that go with a parameter, by name: "velocity", "m", "v", "average". The caller keeps them and
	// writes their first values: zeros, for an average the parameter itself.
	State func(v *Var, name string, role Role) *Var
}

func (o *Optimiser) check() error {
	switch o.Kind {
	case "sgd", "adam", "adamw":
	default:
		return fmt.Errorf("optimiser %q is not known: sgd, adam and adamw are", o.Kind)
	}
	if o.Momentum < 0 || o.Momentum >= 1 || o.Beta1 < 0 || o.Beta1 >= 1 || o.Beta2 < 0 || o.Beta2 >= 1 || o.Clip < 0 || o.Decay < 0 {
		return fmt.Errorf("optimiser %s: momentum and betas are in [0, 1), clip and decay not negative", o.Kind)
	}
	if o.State == nil {
		return fmt.Errorf("optimiser %s has nowhere to keep its state", o.Kind)
	}
	for v, d := range map[*float64]float64{&o.Beta1: 0.9, &o.Beta2: 0.999, &o.Eps: 1e-8} {
		if *v == 0 {
			*v = d
		}
	}
	return nil
}

// optimise adds one step of the optimiser for each parameter.
func (l *lowering) optimise(o Optimiser, params []*Var, grads []*Value) {
	var clip *Value
	if o.Clip > 0 {
		op := &Op{Kind: GradNorm, Layer: "clip", Attr: Factor{o.Clip}, Out: []Shape{{}, {}}}
		clip = l.update(op, grads, nil, nil)
		norm := l.add(Value{Layer: "clip"})
		l.p.Steps[len(l.p.Steps)-1].Out[1] = norm
		l.p.Outputs = append(l.p.Outputs, norm)
	}
	rate := l.input(RateInput, Shape{})
	for i, p := range params {
		a := UpdateRule{Rate: 1, Decay: o.Decay, Decoupled: o.Kind == "adamw", Momentum: o.Momentum, Nesterov: o.Nesterov,
			Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps}
		if o.Group != nil {
			share, decay := o.Group(p)
			a.Rate, a.Decay = share, o.Decay*decay
		}
		var w *Value
		if o.Kind == "sgd" {
			w = l.momentum(o, p, grads[i], rate, clip, a)
		} else {
			w = l.adam(o, p, grads[i], rate, clip, a)
		}
		if o.Average {
			blend := l.input(BlendInput, Shape{})
			l.lerp(l.variable(o.State(p, "average", Average)), w, Blend{1, 1}, blend)
		}
	}
}

func (l *lowering) momentum(o Optimiser, p *Var, g, rate, clip *Value, a UpdateRule) *Value {
	v := o.State(p, "velocity", Slot)
	op := &Op{Kind: SGD, Layer: p.Name, Attr: a, Out: []Shape{p.Shape, p.Shape}}
	return l.update(op, []*Value{l.variable(p), g, l.variable(v), rate}, clip, []*Var{p, v})
}

func (l *lowering) adam(o Optimiser, p *Var, g, rate, clip *Value, a UpdateRule) *Value {
	m, v := o.State(p, "m", Slot), o.State(p, "v", Slot)
	op := &Op{Kind: Adam, Layer: p.Name, Attr: a, Out: []Shape{p.Shape, p.Shape, p.Shape}}
	in := []*Value{l.variable(p), g, l.variable(m), l.variable(v), rate, l.input(Corr1Input, Shape{}), l.input(Corr2Input, Shape{})}
	return l.update(op, in, clip, []*Var{p, m, v})
}

// lerp adds stat += rate·(factor·of - stat).
func (l *lowering) lerp(stat, of *Value, b Blend, rate *Value) {
	op := &Op{Kind: Lerp, Layer: stat.Var.Name, Attr: b, Out: []Shape{stat.Shape}}
	l.update(op, []*Value{stat, of}, rate, []*Var{stat.Var})
}

// update adds a step of the update phase, whose results become the variables' values.
func (l *lowering) update(op *Op, in []*Value, last *Value, vars []*Var) *Value {
	if last != nil {
		in = append(append([]*Value{}, in...), last)
	}
	for _, v := range in {
		op.In = append(op.In, v.Shape)
	}
	out := make([]*Value, len(op.Out))
	for i, v := range vars {
		out[i] = l.add(Value{Shape: v.Shape, Var: v, Layer: op.Layer})
	}
	if vars == nil {
		out[0] = l.add(Value{Shape: op.Out[0], Layer: op.Layer})
	}
	l.p.Steps = append(l.p.Steps, Step{op, in, out})
	return out[0]
}
