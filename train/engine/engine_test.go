package engine

import (
	"errors"
	"strings"
	"testing"
)

// small is a network with the shapes that matter: a convolution, batch norm, ReLU, pooling, a value used twice, a head.
func small(t *testing.T) (g *Graph, loss *Node, params []*Var) {
	t.Helper()
	p := func(name string, shape ...int) *Var {
		v := &Var{Name: name, Shape: shape}
		params = append(params, v)
		return v
	}
	g, err := Build(func(g *Graph) {
		x := g.Input("x", 2, 8, 8, 3)
		h := g.Conv2D("c1", x, g.Var(p("c1/w", 4, 3, 3, 3)), nil, Conv{Window: Square(3, 1, 1)})
		y, mean, variance := g.BatchNorm("n1", h, g.Var(p("n1/g", 4)), g.Var(p("n1/b", 4)), 1e-5)
		g.Track(&Var{Name: "n1/mean", Shape: Shape{4}, Role: Stat}, mean, 0.1, 1)
		g.Track(&Var{Name: "n1/var", Shape: Shape{4}, Role: Stat}, variance, 0.1, 1)
		h = g.MaxPool("p1", g.Relu("r1", y), Square(2, 2, 0))
		h2 := g.Conv2D("c2", h, g.Var(p("c2/w", 4, 1, 1, 4)), g.Var(p("c2/b", 4)), Conv{})
		h = g.Relu("r2", g.Add("a", h, h2))
		h = g.Dropout("d", g.GlobalAvgPool("gap", h), 0.2, 7)
		z := g.Dense("head", h, g.Var(p("head/w", 5, 4)), g.Var(p("head/b", 5)))
		loss = g.SoftmaxLoss("loss", z, g.Input("y", 2, 5), Loss{Smoothing: 0.1})
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, loss, params
}

func state(keep map[string]*Var) func(v *Var, name string, role Role) *Var {
	return func(v *Var, name string, role Role) *Var {
		key := v.Name + ":" + name
		if keep[key] == nil {
			keep[key] = &Var{Name: key, Shape: v.Shape, Role: role}
		}
		return keep[key]
	}
}

func kinds(p *Program) string {
	var k []string
	for i, s := range p.Steps {
		if i == p.Update {
			k = append(k, "|")
		}
		k = append(k, string(s.Op.Kind))
	}
	return strings.Join(k, " ")
}

func TestTrainingProgram(t *testing.T) {
	g, loss, params := small(t)
	p, err := g.Training(loss, params, Optimiser{Kind: "sgd", Momentum: 0.9, Clip: 1, Average: true, State: state(map[string]*Var{})})
	if err != nil {
		t.Fatal(err)
	}
	want := "conv2d batchnorm relu maxpool conv2d add relu gap dropout dense softmax_loss " +
		"softmax_loss_dz dense_dw dense_dx dropout gap_dx relu_dx conv2d_dw conv2d_dx add maxpool_dx relu_dx batchnorm_dx conv2d_dw " +
		"| lerp lerp grad_norm"
	if got := kinds(p); !strings.HasPrefix(got, want) {
		t.Errorf("steps\n%s\nwant\n%s …", got, want)
	}
	if len(p.Outputs) != 2 {
		t.Errorf("%d outputs, want the loss and the norm", len(p.Outputs))
	}
	if got := kinds(Fuse(p)); !strings.Contains(got, "conv2d batchnorm maxpool conv2d add gap") || !strings.Contains(got, "add maxpool_dx batchnorm_dx conv2d_dw | lerp") {
		t.Errorf("fused: %s", got)
	}
}

// TestPlanKeepsLiveValuesApart checks the plan against the definition: no step writes where a value lies that is read later.
func TestPlanKeepsLiveValuesApart(t *testing.T) {
	g, loss, params := small(t)
	p, err := g.Training(loss, params, Optimiser{Kind: "adam", State: state(map[string]*Var{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Program{p, Fuse(p)} {
		CheckPlan(t, p, Plan(p, nil))
	}
}

// CheckPlan replays a plan with each value's identity in its place of the arena.
func CheckPlan(t *testing.T, p *Program, l *Layout) {
	t.Helper()
	arena := make([]*Value, l.Size)
	base := func(v *Value) *Value {
		for v.View != nil {
			v = v.View
		}
		return v
	}
	check := func(v *Value, where string) {
		v = base(v)
		at := l.Offset[v.ID]
		if at < 0 {
			return
		}
		for i := range v.Shape.Size() {
			if arena[at+i] != v {
				t.Fatalf("%s reads value %d of %s, and another lies in its place", where, v.ID, v.Layer)
			}
		}
	}
	for _, s := range p.Steps {
		for _, v := range s.In {
			check(v, s.Op.String())
		}
		for _, v := range s.Out {
			if v == nil || v.Var != nil || v.View != nil {
				continue
			}
			at := l.Offset[v.ID]
			for i := range v.Shape.Size() {
				arena[at+i] = v
			}
		}
	}
	for _, v := range p.Outputs {
		check(v, "the caller")
	}
}

func TestShapeErrorsNameTheLayer(t *testing.T) {
	for name, build := range map[string]func(g *Graph){
		"stem":  func(g *Graph) { g.Conv2D("stem", g.Input("x", 1, 4, 4, 3), g.Input("w", 8, 3, 3, 4), nil, Conv{}) },
		"head":  func(g *Graph) { g.Dense("head", g.Input("x", 1, 4), g.Input("w", 8, 5), nil) },
		"join":  func(g *Graph) { g.Add("join", g.Input("a", 1, 4), g.Input("b", 1, 5)) },
		"tiny":  func(g *Graph) { g.MaxPool("tiny", g.Input("x", 1, 2, 2, 1), Square(3, 1, 0)) },
		"loss":  func(g *Graph) { g.SoftmaxLoss("loss", g.Input("z", 1, 4), g.Input("y", 1, 5), Loss{}) },
		"parts": func(g *Graph) { g.Concat("parts", g.Input("a", 1, 2, 2, 3), g.Input("b", 1, 3, 2, 3)) },
	} {
		_, err := Build(build)
		var le *LayerError
		if !errors.As(err, &le) || le.Layer != name {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
