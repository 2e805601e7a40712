package ref_test

import (
	"math"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// twin is an optimiser's rule written out for one number, after the papers that engine.Optimiser names. It keeps its own state.
type twin struct {
	w, v, m, average float64
	t                int
}

type twinOf func(s *twin, g, lr, decay float64)

func sgd(momentum float64, nesterov bool) twinOf {
	return func(s *twin, g, lr, decay float64) {
		g = g + decay*s.w
		s.v = momentum*s.v + g
		if nesterov {
			s.w = s.w - lr*(g+momentum*s.v)
		} else {
			s.w = s.w - lr*s.v
		}
	}
}

// adam after Kingma and Ba, algorithm 1, with β1 0.8 and β2 0.95; beside: AdamW, algorithm 2 of Loshchilov and Hutter.
func adam(beside bool) twinOf {
	return func(s *twin, g, lr, decay float64) {
		old := s.w
		if !beside {
			g += decay * s.w
		}
		s.m = 0.8*s.m + 0.2*g
		s.v = 0.95*s.v + 0.05*g*g
		mHat := s.m / (1 - math.Pow(0.8, float64(s.t)))
		vHat := s.v / (1 - math.Pow(0.95, float64(s.t)))
		s.w = old - lr*mHat/(math.Sqrt(vHat)+1e-4)
		if beside {
			s.w -= lr * decay * old
		}
	}
}

// TestOptimisersAsWrittenOut follows ½·λ·Σ(w-w0)² of a matrix and a bias for 12 steps of changing rates, in float64.
func TestOptimisersAsWrittenOut(t *testing.T) {
	adams := func(o engine.Optimiser) engine.Optimiser {
		o.Beta1, o.Beta2, o.Eps = 0.8, 0.95, 1e-4
		return o
	}
	groups := func(v *engine.Var) (rate, decay float64) {
		if v.Name == "b" {
			return 0.3, 0
		}
		return 2, 0.7
	}
	for _, c := range []struct {
		name string
		opt  engine.Optimiser
		rule twinOf
	}{
		{"sgd", engine.Optimiser{Kind: "sgd"}, sgd(0, false)},
		{"momentum", engine.Optimiser{Kind: "sgd", Momentum: 0.9}, sgd(0.9, false)},
		{"nesterov", engine.Optimiser{Kind: "sgd", Momentum: 0.9, Nesterov: true}, sgd(0.9, true)},
		{"momentum, decay", engine.Optimiser{Kind: "sgd", Momentum: 0.9, Decay: 0.1}, sgd(0.9, false)},
		{"nesterov, decay, groups", engine.Optimiser{Kind: "sgd", Momentum: 0.8, Nesterov: true, Decay: 0.1, Group: groups}, sgd(0.8, true)},
		{"clip", engine.Optimiser{Kind: "sgd", Momentum: 0.5, Decay: 0.1, Clip: 0.4}, sgd(0.5, false)},
		{"clip that is not reached", engine.Optimiser{Kind: "sgd", Clip: 1e9}, sgd(0, false)},
		{"average", engine.Optimiser{Kind: "sgd", Average: true}, sgd(0, false)},
		{"adam", adams(engine.Optimiser{Kind: "adam"}), adam(false)},
		{"adam, decay", adams(engine.Optimiser{Kind: "adam", Decay: 0.1}), adam(false)},
		{"adamw", adams(engine.Optimiser{Kind: "adamw", Decay: 0.1}), adam(true)},
		{"adamw, groups, clip, average", adams(engine.Optimiser{Kind: "adamw", Decay: 0.1, Group: groups, Clip: 0.4, Average: true}), adam(true)},
	} {
		t.Run(c.name, func(t *testing.T) { follow(t, c.opt, c.rule) })
	}
}

// quadratic is the loss whose optimum each parameter's w0 is, and the state that its optimiser keeps.
type quadratic struct {
	params []*engine.Var
	starts []*engine.Var
	states map[string]*engine.Var
	p      *engine.Program
}

const lambda = 0.7

func newQuadratic(t *testing.T, o engine.Optimiser) *quadratic {
	t.Helper()
	q := &quadratic{states: map[string]*engine.Var{}}
	var loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		for _, p := range []*engine.Var{{Name: "w", Shape: engine.Shape{3, 4}}, {Name: "b", Shape: engine.Shape{3}}} {
			start := &engine.Var{Name: p.Name + "0", Shape: p.Shape, Role: engine.Stat}
			q.params, q.starts = append(q.params, p), append(q.starts, start)
			part := g.L2(p.Name, g.Var(p), g.Var(start), lambda)
			if loss == nil {
				loss = part
			} else {
				loss = g.Add("loss", loss, part)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	o.State = func(v *engine.Var, name string, role engine.Role) *engine.Var {
		s := &engine.Var{Name: v.Name + ":" + name, Shape: v.Shape, Role: role}
		q.states[s.Name] = s
		return s
	}
	if q.p, err = g.Training(loss, q.params, o); err != nil {
		t.Fatal(err)
	}
	return q
}

func follow(t *testing.T, o engine.Optimiser, rule twinOf) {
	q := newQuadratic(t, o)
	b := ref.New[float64]()
	write := func(v *engine.Var, d []float64) {
		if err := b.Write64(v, d); err != nil {
			t.Fatal(err)
		}
	}
	var twins [][]*twin
	var goals [][]float64
	for i, p := range q.params {
		w, w0 := make([]float64, p.Shape.Size()), make([]float64, p.Shape.Size())
		ts := make([]*twin, len(w))
		for k := range w {
			w[k], w0[k] = math.Sin(float64(1+k+20*i)), math.Cos(float64(3*k+i))
			ts[k] = &twin{w: w[k], average: w[k]}
		}
		write(p, w)
		write(q.starts[i], w0)
		if s := q.states[p.Name+":average"]; s != nil {
			write(s, w)
		}
		twins, goals = append(twins, ts), append(goals, w0)
	}
	r, err := b.Prepare(q.p)
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 12; step++ {
		lr, blend := 0.05*float64(1+step%3), 1/float64(1+step)
		loss, norm := advance(twins, goals, q.params, o, rule, lr, blend)
		out := make([][]float64, len(q.p.Outputs))
		for i := range out {
			out[i] = make([]float64, 1)
		}
		if err := r.Run64(scalars(q.p, step, lr, blend), out); err != nil {
			t.Fatal(err)
		}
		near(t, "the loss", out[0][0], loss)
		if o.Clip > 0 {
			near(t, "the norm", out[1][0], norm)
		}
	}
	for i, p := range q.params {
		values := map[*engine.Var]func(s *twin) float64{p: func(s *twin) float64 { return s.w }}
		for name, get := range map[string]func(s *twin) float64{
			"velocity": func(s *twin) float64 { return s.v }, "m": func(s *twin) float64 { return s.m },
			"v": func(s *twin) float64 { return s.v }, "average": func(s *twin) float64 { return s.average },
		} {
			if s := q.states[p.Name+":"+name]; s != nil {
				values[s] = get
			}
		}
		for v, get := range values {
			d := make([]float64, v.Shape.Size())
			if err := b.Read64(v, d); err != nil {
				t.Fatal(err)
			}
			for k, x := range d {
				near(t, v.Name, x, get(twins[i][k]))
			}
		}
	}
}

// advance is one step of all twins; it gives the loss before it and the gradients' norm.
func advance(twins [][]*twin, goals [][]float64, params []*engine.Var, o engine.Optimiser, rule twinOf, lr, blend float64) (loss, norm float64) {
	for i := range twins {
		for k, s := range twins[i] {
			d := s.w - goals[i][k]
			loss += lambda / 2 * d * d
			norm += lambda * d * lambda * d
		}
	}
	norm = math.Sqrt(norm)
	clip := 1.0
	if o.Clip > 0 && norm > o.Clip {
		clip = o.Clip / norm
	}
	for i := range twins {
		rate, decay := 1.0, 1.0
		if o.Group != nil {
			rate, decay = o.Group(params[i])
		}
		for k, s := range twins[i] {
			s.t++
			rule(s, clip*lambda*(s.w-goals[i][k]), lr*rate, o.Decay*decay)
			s.average += blend * (s.w - s.average)
		}
	}
	return loss, norm
}

func scalars(p *engine.Program, t int, lr, blend float64) (in [][]float64) {
	for _, v := range p.Inputs {
		in = append(in, []float64{map[string]float64{
			engine.RateInput: lr, engine.BlendInput: blend,
			engine.Corr1Input: 1 / (1 - math.Pow(0.8, float64(t))),
			engine.Corr2Input: 1 / (1 - math.Pow(0.95, float64(t))),
		}[v.Input]})
	}
	return in
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12*max(1, math.Abs(want))) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}
