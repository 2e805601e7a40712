package engine

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// Value is one array of a program. Exactly one of the following holds: it is an input (Input is set), a variable's value
// (Var is set and no step makes it), a constant (Const is set), or a result of a step. A step's result with a Var replaces
// the variable's value; no step behind it reads the value of before.
type Value struct {
	ID    int
	Shape Shape
	Input string    // name of the input
	Var   *Var      // the variable whose value this is, or becomes
	Const []float32 // row-major; one element stands for all
	Layer string    // the layer whose step makes it
	View  *Value    // of a Reshape: the value whose elements these are
}

// Step is one operator at work on values.
type Step struct {
	Op  *Op
	In  []*Value
	Out []*Value // as Op.Out; nil where nothing reads the result
}

// Program is a network lowered to a list of steps, in an order in which they can run.
type Program struct {
	Steps   []Step
	Values  []*Value // all of them; Values[i].ID == i
	Inputs  []*Value // in the order of Runner.Run's in
	Outputs []*Value // in the order of Runner.Run's out
	// Update is where the update phase begins: Steps[Update:] are left out when the first output, the loss, is not finite.
	// It is len(Steps) in a program without one.
	Update int
}

// Names of the scalar inputs that a training program may have. Training loops fill them for each step.
const (
	StepInput  = "step"  // number of the step, from 0, below 2^24: dropout's randomness
	RateInput  = "lr"    // learning rate
	Corr1Input = "corr1" // Adam's 1/(1-β1^t), t from 1
	Corr2Input = "corr2" // Adam's 1/(1-β2^t)
	BlendInput = "blend" // share of the new weights in the moving average, 0 to 1
)

// Evaluation lowers what the outputs need.
func (g *Graph) Evaluation(outputs ...*Node) (*Program, error) {
	l := newLowering(g)
	if err := l.lower(outputs); err != nil {
		return nil, err
	}
	for _, n := range outputs {
		l.p.Outputs = append(l.p.Outputs, l.value(n))
	}
	l.p.Update = len(l.p.Steps)
	return l.p, nil
}

// Training differentiates the loss by the parameters and lowers the loss, the gradients and one step of the optimiser.
// The outputs are the loss, what the optimiser reports (the gradients' norm if it clips), then more.
func (g *Graph) Training(loss *Node, params []*Var, opt Optimiser, more ...*Node) (*Program, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	grads, err := g.gradients(loss, params)
	if err != nil {
		return nil, err
	}
	l := newLowering(g)
	wanted := append(append([]*Node{loss}, grads...), more...)
	for _, u := range g.updates {
		wanted = append(wanted, u.of)
	}
	if err := l.lower(wanted); err != nil {
		return nil, err
	}
	l.p.Outputs = append(l.p.Outputs, l.value(loss))
	l.p.Update = len(l.p.Steps)
	for _, u := range g.updates {
		l.lerp(l.variable(u.stat), l.value(u.of), u.blend, nil)
	}
	values := make([]*Value, len(grads))
	for i, n := range grads {
		values[i] = l.value(n)
	}
	l.optimise(opt, params, values)
	for _, n := range more {
		l.p.Outputs = append(l.p.Outputs, l.value(n))
	}
	return l.p, nil
}

// Gradients lowers the loss and its gradients by the parameters, which are the outputs in that order, then more.
func (g *Graph) Gradients(loss *Node, params []*Var, more ...*Node) (*Program, error) {
	grads, err := g.gradients(loss, params)
	if err != nil {
		return nil, err
	}
	return g.Evaluation(append(append([]*Node{loss}, grads...), more...)...)
}

// gradients emits the gradients' nodes. Gorgonia derives them; it wants every parameter to matter.
func (g *Graph) gradients(loss *Node, params []*Var) ([]*Node, error) {
	if len(params) == 0 {
		return nil, fmt.Errorf("nothing to train: every layer is frozen")
	}
	nodes := make([]*Node, len(params))
	for i, p := range params {
		if nodes[i] = g.nodes[p]; nodes[i] == nil {
			return nil, fmt.Errorf("parameter %s is in no layer", p.Name)
		}
	}
	grads, err := G.Grad(loss, nodes...)
	if err != nil {
		return nil, fmt.Errorf("differentiate the loss: %w", err)
	}
	return grads, nil
}

// lowering turns nodes into values and steps.
type lowering struct {
	g      *Graph
	p      *Program
	values map[*Node]*Value
	vars   map[*Var]*Value
	extra  map[*Node][]*Value // further results of a node's step
}

func newLowering(g *Graph) *lowering {
	return &lowering{g, &Program{}, map[*Node]*Value{}, map[*Var]*Value{}, map[*Node][]*Value{}}
}

func (l *lowering) add(v Value) *Value {
	v.ID = len(l.p.Values)
	l.p.Values = append(l.p.Values, &v)
	return &v
}

// lower adds the steps that the nodes need, in the order in which the graph was made: forward as the layers were applied,
// then backward as gorgonia walked them, which keeps few values alive and is the same every time.
func (l *lowering) lower(wanted []*Node) error {
	need := map[*Node]bool{}
	var stack []*Node
	push := func(n *Node) {
		if !need[n] {
			need[n] = true
			stack = append(stack, n)
		}
	}
	for _, n := range wanted {
		push(n)
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range l.children(n) {
			push(c)
		}
	}
	for _, n := range l.g.g.AllNodes() {
		if need[n] {
			if err := l.node(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// children are a node's inputs in their order.
func (l *lowering) children(n *Node) (c []*Node) {
	it := l.g.g.From(n.ID())
	if it == nil {
		return nil
	}
	for it.Next() {
		c = append(c, it.Node().(*Node))
	}
	return c
}

func (l *lowering) node(n *Node) error {
	if v, ok := l.g.vars[n]; ok {
		l.values[n] = l.variable(v)
		return nil
	}
	if name, ok := l.g.inputs[n]; ok {
		l.values[n] = l.input(name, shapeOf(n))
		return nil
	}
	kids := l.children(n)
	in := make([]*Value, len(kids))
	for i, k := range kids {
		if in[i] = l.values[k]; in[i] == nil {
			return fmt.Errorf("%v stands before its input %v in gorgonia's graph", n, k)
		}
	}
	op, ours := n.Op().(*Op)
	switch {
	case ours && op.Kind == Pick:
		l.values[n] = l.result(kids[0], op.Index)
	case ours:
		l.step(n, op, in)
	case len(in) == 0: // the constant 1 that seeds the gradients
		l.values[n] = l.add(Value{Const: []float32{1}})
	case len(in) == 2 && in[0].Shape.Equal(in[1].Shape): // gorgonia's own +, where a value is used twice
		l.step(n, &Op{Kind: Add, Layer: in[0].Layer, Attr: Sum{}, In: []Shape{in[0].Shape, in[1].Shape}, Out: []Shape{in[0].Shape}}, in)
	default:
		return fmt.Errorf("gorgonia's operator %v is not known here", n.Op())
	}
	return nil
}

// step adds a node's step. Further results get a value only when something picks them.
func (l *lowering) step(n *Node, op *Op, in []*Value) {
	main := l.add(Value{Shape: op.Out[0], Layer: op.Layer})
	if op.Kind == Reshape {
		main.View = in[0]
	}
	l.values[n] = main
	out := make([]*Value, len(op.Out))
	out[0] = main
	l.extra[n] = out
	l.p.Steps = append(l.p.Steps, Step{op, in, out})
}

func (l *lowering) result(n *Node, index int) *Value {
	out := l.extra[n]
	if out[index] == nil {
		op := n.Op().(*Op)
		out[index] = l.add(Value{Shape: op.Out[index], Layer: op.Layer})
	}
	return out[index]
}

func (l *lowering) value(n *Node) *Value { return l.values[n] }

func (l *lowering) variable(v *Var) *Value {
	if l.vars[v] == nil {
		l.vars[v] = l.add(Value{Shape: v.Shape, Var: v})
	}
	return l.vars[v]
}

func (l *lowering) input(name string, s Shape) *Value {
	for _, v := range l.p.Inputs {
		if v.Input == name {
			return v
		}
	}
	v := l.add(Value{Shape: s, Input: name})
	l.p.Inputs = append(l.p.Inputs, v)
	return v
}

// Input is the value of a named input; nil if the program has none of that name.
func (p *Program) Input(name string) *Value {
	for _, v := range p.Inputs {
		if v.Input == name {
			return v
		}
	}
	return nil
}

// Vars are the variables that the program reads or writes, in the order of their first use.
func (p *Program) Vars() (vars []*Var) {
	seen := map[*Var]bool{}
	for _, v := range p.Values {
		if v.Var != nil && !seen[v.Var] {
			seen[v.Var] = true
			vars = append(vars, v.Var)
		}
	}
	return vars
}
