package engine

import (
	"errors"
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Node is a value of the expression graph.
type Node = G.Node

// Role says what a variable is for.
type Role int

// The roles. Parameters are what gradients are taken by; statistics are what training keeps of the activations (running
// means, ranges); slots are the optimiser's; an average is the moving average of a parameter.
const (
	Param Role = iota
	Stat
	Slot
	Average
)

// Var is an array that lives longer than a run: a parameter, a running statistic, or a part of the optimiser's state. Programs
// that were compiled by one Backend share the Vars they have in common; Backend.Write and Read move their values.
type Var struct {
	Name  string // unique in a network, such as conv1/w
	Shape Shape
	Role  Role
}

// LayerError says which layer could not be applied, and why.
type LayerError struct {
	Layer string
	Err   error
}

func (e *LayerError) Error() string { return fmt.Sprintf("layer %s: %v", e.Layer, e.Err) }
func (e *LayerError) Unwrap() error { return e.Err }

// Graph builds a network's expression graph. Its methods apply layers and panic with a *LayerError where shapes do not fit;
// Build turns that into an error. A Graph belongs to one goroutine.
type Graph struct {
	g       *G.ExprGraph
	ids     int
	vars    map[*Node]*Var
	nodes   map[*Var]*Node
	inputs  map[*Node]string
	byName  map[string]*Node
	updates []update
	kernels func(op *Op, in, out [][]float32) error
}

// update is what a training program does to a statistic after the gradients: stat += rate·(factor·of - stat).
type update struct {
	stat  *Var
	of    *Node
	blend Blend
}

// Build makes a graph; what build panics with as a *LayerError is returned.
func Build(build func(g *Graph)) (g *Graph, err error) {
	g = &Graph{
		g:      G.NewGraph(),
		vars:   map[*Node]*Var{},
		nodes:  map[*Var]*Node{},
		inputs: map[*Node]string{},
		byName: map[string]*Node{},
	}
	defer func() {
		if r := recover(); r != nil {
			var le *LayerError
			e, ok := r.(error)
			if !ok || !errors.As(e, &le) {
				panic(r)
			}
			g, err = nil, le
		}
	}()
	build(g)
	return g, nil
}

// Fail ends Build with an error that names the layer.
func Fail(layer, format string, args ...any) {
	panic(&LayerError{layer, fmt.Errorf(format, args...)})
}

// SetKernels lets gorgonia's own machines run the graph: f computes an operator's results out of its inputs.
func (g *Graph) SetKernels(f func(op *Op, in, out [][]float32) error) { g.kernels = f }

// Expr is gorgonia's graph, for its own machines.
func (g *Graph) Expr() *G.ExprGraph { return g.g }

// NodeOf is the node that stands for a variable; nil if no layer uses it.
func (g *Graph) NodeOf(v *Var) *Node { return g.nodes[v] }

// InputNode is the node of a named input; nil if there is none.
func (g *Graph) InputNode(name string) *Node { return g.byName[name] }

// Input is an array that the caller gives for each run. A second call with the same name gives the same node.
func (g *Graph) Input(name string, shape ...int) *Node {
	if n, ok := g.byName[name]; ok {
		if !shapeOf(n).Equal(shape) {
			Fail(name, "the input is %v and cannot be %v as well", shapeOf(n), Shape(shape))
		}
		return n
	}
	n := g.leaf("in:"+name, shape)
	g.inputs[n], g.byName[name] = name, n
	return n
}

// Var is the node of a variable; always the same node for the same variable.
func (g *Graph) Var(v *Var) *Node {
	if n, ok := g.nodes[v]; ok {
		return n
	}
	n := g.leaf(v.Name, v.Shape)
	g.vars[n], g.nodes[v] = v, n
	return n
}

func (g *Graph) leaf(name string, shape Shape) *Node {
	for _, d := range shape {
		if d < 1 {
			Fail(name, "the shape %v has an empty axis", shape)
		}
	}
	if len(shape) == 0 {
		return G.NewScalar(g.g, tensor.Float32, G.WithName(name))
	}
	return G.NewTensor(g.g, tensor.Float32, len(shape), G.WithShape(shape...), G.WithName(name))
}

// Track makes a training program blend a result into a statistic after each step: stat += rate·(factor·of - stat).
func (g *Graph) Track(stat *Var, of *Node, rate, factor float64) {
	if !stat.Shape.Equal(shapeOf(of)) {
		Fail(stat.Name, "the statistic is %v, what it tracks is %v", stat.Shape, shapeOf(of))
	}
	g.updates = append(g.updates, update{stat, of, Blend{rate, factor}})
}

// shapeOf is a node's shape.
func shapeOf(n *Node) Shape {
	if n.Shape().IsScalar() {
		return Shape{}
	}
	return Shape(n.Shape())
}

// ShapeOf is a node's shape.
func ShapeOf(n *Node) Shape { return shapeOf(n) }

// apply adds an operator to the graph.
func (g *Graph) apply(o *Op, in ...*Node) *Node {
	g.ids++
	o.id, o.g = g.ids, g
	for _, n := range in {
		o.In = append(o.In, shapeOf(n))
	}
	n, err := G.ApplyOp(o, in...)
	if err != nil {
		Fail(o.Layer, "%s: %w", o.Kind, err)
	}
	return n
}

// pick is a further result of the operator that made n.
func (g *Graph) pick(n *Node, index int) *Node {
	of := n.Op().(*Op)
	return g.apply(&Op{Kind: Pick, Layer: of.Layer, Out: []Shape{of.Out[index]}, Of: of, Index: index}, n)
}
