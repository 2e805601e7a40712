package enginetest

import (
	"fmt"
	"slices"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// CompareSteps gives each step of a network, fused and up to the update phase, to a backend by itself, on the values that the
// oracle has before it, rounded to float32, and compares what it makes with what the oracle makes of the same. worst is as
// Differ has it, and where says which step.
//
// This is how a deep network's gradients are compared: among millions of activations some are so near a kink that float32 puts
// them on its other side, and from there on two runs of the whole differ by a step, both being right.
func CompareSteps(n *Net, b engine.Backend) (worst float64, where string, err error) {
	p := engine.Fuse(n.Program)
	o := ref.New[float64]()
	defer o.Close()
	values, err := between(n, p, o)
	if err != nil {
		return 0, "", err
	}
	if err := Load(n, b); err != nil {
		return 0, "", err
	}
	grads := n.gradientValues(p)
	steepest := 0.0
	for v := range grads {
		steepest = max(steepest, greatest(widen(values[v])))
	}
	for _, s := range p.Steps[:p.Update] {
		if s.Op.Kind == engine.Reshape {
			continue
		}
		one, in := alone(p, s, values)
		want, err := outputs(one, in, o)
		if err != nil {
			return 0, "", err
		}
		got, err := outputs(one, in, b)
		if err != nil {
			return 0, "", fmt.Errorf("%s: %v: %w", n.Name, s.Op, err)
		}
		k := 0
		for _, v := range s.Out {
			if v == nil {
				continue
			}
			least := 0.0
			if grads[v] {
				least = small * steepest
			}
			if off, at := apartBy(widen(got[k]), widen(want[k]), least); off > worst {
				worst, where = off, fmt.Sprintf("%s: %v: result %d%s", n.Name, s.Op, k, at)
			}
			k++
		}
	}
	return worst, where, nil
}

// gradientValues are the values that are gradients by a parameter.
func (n *Net) gradientValues(p *engine.Program) map[*engine.Value]bool {
	grads := map[*engine.Value]bool{}
	if n.Grads == nil {
		for _, v := range p.Outputs[1 : 1+len(n.Params)] {
			grads[v] = true
		}
	}
	for _, s := range p.Steps[p.Update:] {
		if s.Op.Kind == engine.SGD {
			grads[s.In[1]] = true
		}
	}
	return grads
}

// between are all values of a program's first run before the update phase.
func between(n *Net, p *engine.Program, o *ref.Backend[float64]) (map[*engine.Value][]float32, error) {
	if err := Load(n, o); err != nil {
		return nil, err
	}
	r, err := o.Prepare(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	values := map[*engine.Value][]float32{}
	for i, v := range p.Inputs {
		values[v] = n.Runs[0][i]
	}
	err = r.Trace(n.Runs[0], func(_ *engine.Step, v *engine.Value, d []float32) { values[v] = append([]float32(nil), d...) })
	for _, v := range p.Values {
		if v.View != nil {
			values[v] = values[v.View]
		}
	}
	return values, err
}

// alone is a program of one step of p, and its inputs. What was a variable or a constant is one; all else is an input, but the
// result of a max pooling before its gradient: there the pooling comes along, which may leave more for its gradient than that.
func alone(p *engine.Program, s engine.Step, values map[*engine.Value][]float32) (one *engine.Program, in [][]float32) {
	a := &excerpt{p: &engine.Program{}, values: values, twins: map[*engine.Value]*engine.Value{}}
	if s.Op.Kind == engine.MaxPoolDX {
		a.add(p.Steps[slices.IndexFunc(p.Steps, func(o engine.Step) bool { return slices.Contains(o.Out, s.In[1]) })])
	}
	last := a.add(s)
	for _, v := range last.Out {
		if v != nil {
			a.p.Outputs = append(a.p.Outputs, v)
		}
	}
	a.p.Update = len(a.p.Steps)
	return a.p, a.in
}

// excerpt is a program that takes steps from another.
type excerpt struct {
	p      *engine.Program
	values map[*engine.Value][]float32
	twins  map[*engine.Value]*engine.Value
	in     [][]float32
}

func (a *excerpt) add(s engine.Step) engine.Step {
	step := engine.Step{Op: s.Op, Out: make([]*engine.Value, len(s.Out))}
	for _, v := range s.In {
		if a.twins[v] == nil {
			switch {
			case v.Var != nil:
				a.twin(v, engine.Value{Shape: v.Shape, Var: v.Var})
			case v.Const != nil:
				a.twin(v, engine.Value{Shape: v.Shape, Const: v.Const})
			default:
				name := fmt.Sprintf("in%d", len(a.in))
				a.p.Inputs = append(a.p.Inputs, a.twin(v, engine.Value{Shape: v.Shape, Input: name}))
				a.in = append(a.in, a.values[v])
			}
		}
		step.In = append(step.In, a.twins[v])
	}
	for i, v := range s.Out {
		if v != nil {
			step.Out[i] = a.twin(v, engine.Value{Shape: v.Shape, Layer: v.Layer})
		}
	}
	a.p.Steps = append(a.p.Steps, step)
	return step
}

func (a *excerpt) twin(of *engine.Value, v engine.Value) *engine.Value {
	v.ID = len(a.p.Values)
	a.p.Values = append(a.p.Values, &v)
	a.twins[of] = &v
	return &v
}

func outputs(p *engine.Program, in [][]float32, b engine.Backend) ([][]float32, error) {
	r, err := b.Compile(p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out [][]float32
	for _, v := range p.Outputs {
		out = append(out, make([]float32, v.Shape.Size()))
	}
	return out, engine.Run(r, in, out)
}
