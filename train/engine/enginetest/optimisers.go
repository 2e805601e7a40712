package enginetest

import (
	"fmt"
	"math"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// twin is what an optimiser keeps for one number.
type twin struct {
	w, v, m, average float64
	t                int
}

// rule is an optimiser's step written out for one number, after the papers that engine.Optimiser names.
type rule func(s *twin, g, lr, decay float64)

func sgdRule(momentum float64, nesterov bool) rule {
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

// The constants of the Adams that are followed: not the defaults, so that one that is ignored shows.
const (
	beta1, beta2, epsilon = 0.8, 0.95, 1e-4
)

// adamRule is algorithm 1 of Kingma and Ba; beside, algorithm 2 of Loshchilov and Hutter.
func adamRule(beside bool) rule {
	return func(s *twin, g, lr, decay float64) {
		old := s.w
		if !beside {
			g += decay * s.w
		}
		s.m = beta1*s.m + (1-beta1)*g
		s.v = beta2*s.v + (1-beta2)*g*g
		mHat := s.m / (1 - math.Pow(beta1, float64(s.t)))
		vHat := s.v / (1 - math.Pow(beta2, float64(s.t)))
		s.w = old - lr*mHat/(math.Sqrt(vHat)+epsilon)
		if beside {
			s.w -= lr * decay * old
		}
	}
}

func adams(o engine.Optimiser) engine.Optimiser {
	o.Beta1, o.Beta2, o.Eps = beta1, beta2, epsilon
	return o
}

// biasApart gives the bias b a smaller rate and no decay, and the rest more of the one and less of the other.
func biasApart(v *engine.Var) (rate, decay float64) {
	if v.Name == "b" {
		return 0.3, 0
	}
	return 2, 0.7
}

var optimisers = []struct {
	name string
	opt  engine.Optimiser
	rule rule
}{
	{"sgd", engine.Optimiser{Kind: "sgd"}, sgdRule(0, false)},
	{"momentum", engine.Optimiser{Kind: "sgd", Momentum: 0.9}, sgdRule(0.9, false)},
	{"nesterov", engine.Optimiser{Kind: "sgd", Momentum: 0.9, Nesterov: true}, sgdRule(0.9, true)},
	{"momentum, decay", engine.Optimiser{Kind: "sgd", Momentum: 0.9, Decay: 0.1}, sgdRule(0.9, false)},
	{"nesterov, decay, groups", engine.Optimiser{Kind: "sgd", Momentum: 0.8, Nesterov: true, Decay: 0.1, Group: biasApart}, sgdRule(0.8, true)},
	{"clip", engine.Optimiser{Kind: "sgd", Momentum: 0.5, Decay: 0.1, Clip: 0.4}, sgdRule(0.5, false)},
	{"clip that is not reached", engine.Optimiser{Kind: "sgd", Clip: 1e9}, sgdRule(0, false)},
	{"average", engine.Optimiser{Kind: "sgd", Average: true}, sgdRule(0, false)},
	{"adam", adams(engine.Optimiser{Kind: "adam"}), adamRule(false)},
	{"adam, decay", adams(engine.Optimiser{Kind: "adam", Decay: 0.1}), adamRule(false)},
	{"adamw", adams(engine.Optimiser{Kind: "adamw", Decay: 0.1}), adamRule(true)},
	{"adamw, groups, clip, average", adams(engine.Optimiser{Kind: "adamw", Decay: 0.1, Group: biasApart, Clip: 0.4, Average: true}), adamRule(true)},
}

// CheckOptimisers follows each optimiser on a loss of ½·λ·Σ(w-w0)², in float64, through twelve steps of changing rates, and
// compares the loss, the norm, the parameters and all state with the rules written out. It tells note the greatest difference
// of each, relative to numbers above 1, and where it is.
func CheckOptimisers(note func(worst float64, where string)) error {
	for _, o := range optimisers {
		q, err := newQuadratic(o.opt)
		if err != nil {
			return fmt.Errorf("optimiser %s: %w", o.name, err)
		}
		worst, where := 0.0, o.name
		err = q.follow(o.opt, o.rule, func(what string, got, want float64) {
			off := math.Abs(got-want) / max(1, math.Abs(want))
			if math.IsNaN(off) {
				off = math.Inf(1)
			}
			if off > worst {
				worst, where = off, fmt.Sprintf("%s: %s is %.15g and should be %.15g", o.name, what, got, want)
			}
		})
		if err != nil {
			return fmt.Errorf("optimiser %s: %w", o.name, err)
		}
		note(worst, where)
	}
	return nil
}

// quadratic is a loss whose optimum each parameter's start is, beside the twins of its numbers.
type quadratic struct {
	params, starts []*engine.Var
	states         map[string]*engine.Var
	twins          [][]*twin
	goals          [][]float64
	p              *engine.Program
	b              *ref.Backend[float64]
}

const lambda = 0.7

func newQuadratic(o engine.Optimiser) (*quadratic, error) {
	q := &quadratic{states: map[string]*engine.Var{}, b: ref.New[float64]()}
	var loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		for _, p := range []*engine.Var{{Name: "w", Shape: engine.Shape{3, 4}}, {Name: "b", Shape: engine.Shape{3}}} {
			start := &engine.Var{Name: p.Name + "0", Shape: p.Shape, Role: engine.Stat}
			q.params, q.starts = append(q.params, p), append(q.starts, start)
			part := g.L2(p.Name, g.Var(p), g.Var(start), lambda)
			if loss != nil {
				part = g.Add("loss", loss, part)
			}
			loss = part
		}
	})
	if err != nil {
		return nil, err
	}
	o.State = func(v *engine.Var, name string, role engine.Role) *engine.Var {
		s := &engine.Var{Name: v.Name + ":" + name, Shape: v.Shape, Role: role}
		q.states[s.Name] = s
		return s
	}
	if q.p, err = g.Training(loss, q.params, o); err != nil {
		return nil, err
	}
	return q, q.begin()
}

// begin gives the parameters, their goals and their averages the first values.
func (q *quadratic) begin() error {
	for i, p := range q.params {
		w, w0 := make([]float64, p.Shape.Size()), make([]float64, p.Shape.Size())
		ts := make([]*twin, len(w))
		for k := range w {
			w[k], w0[k] = math.Sin(float64(1+k+20*i)), math.Cos(float64(3*k+i))
			ts[k] = &twin{w: w[k], average: w[k]}
		}
		q.twins, q.goals = append(q.twins, ts), append(q.goals, w0)
		first := map[*engine.Var][]float64{p: w, q.starts[i]: w0}
		if s := q.states[p.Name+":average"]; s != nil {
			first[s] = w
		}
		for v, d := range first {
			if err := q.b.Write64(v, d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *quadratic) follow(o engine.Optimiser, r rule, note func(what string, got, want float64)) error {
	run, err := q.b.Prepare(q.p)
	if err != nil {
		return err
	}
	for t := 1; t <= 12; t++ {
		lr, blend := 0.05*float64(1+t%3), 1/float64(1+t)
		loss, norm := q.advance(o, r, lr, blend)
		out := make([][]float64, len(q.p.Outputs))
		for i := range out {
			out[i] = make([]float64, 1)
		}
		if err := run.Run64(q.scalars(t, lr, blend), out); err != nil {
			return err
		}
		note("the loss", out[0][0], loss)
		if o.Clip > 0 {
			note("the norm", out[1][0], norm)
		}
	}
	second := func(s *twin) float64 { return s.v }
	for i, p := range q.params {
		for name, get := range map[string]func(s *twin) float64{
			"": func(s *twin) float64 { return s.w }, ":velocity": second, ":v": second,
			":m": func(s *twin) float64 { return s.m }, ":average": func(s *twin) float64 { return s.average },
		} {
			v := q.states[p.Name+name]
			if name == "" {
				v = p
			}
			if v == nil {
				continue
			}
			d := make([]float64, v.Shape.Size())
			if err := q.b.Read64(v, d); err != nil {
				return err
			}
			for k, x := range d {
				note(v.Name, x, get(q.twins[i][k]))
			}
		}
	}
	return nil
}

// advance is one step of all twins; it gives the loss before it and the gradients' norm.
func (q *quadratic) advance(o engine.Optimiser, r rule, lr, blend float64) (loss, norm float64) {
	for i := range q.twins {
		for k, s := range q.twins[i] {
			d := s.w - q.goals[i][k]
			loss += lambda / 2 * d * d
			norm += lambda * d * lambda * d
		}
	}
	norm = math.Sqrt(norm)
	clip := 1.0
	if o.Clip > 0 && norm > o.Clip {
		clip = o.Clip / norm
	}
	for i := range q.twins {
		rate, decay := 1.0, 1.0
		if o.Group != nil {
			rate, decay = o.Group(q.params[i])
		}
		for k, s := range q.twins[i] {
			s.t++
			r(s, clip*lambda*(s.w-q.goals[i][k]), lr*rate, o.Decay*decay)
			s.average += blend * (s.w - s.average)
		}
	}
	return loss, norm
}

func (q *quadratic) scalars(t int, lr, blend float64) (in [][]float64) {
	for _, v := range q.p.Inputs {
		in = append(in, []float64{map[string]float64{
			engine.RateInput: lr, engine.BlendInput: blend,
			engine.Corr1Input: 1 / (1 - math.Pow(beta1, float64(t))),
			engine.Corr2Input: 1 / (1 - math.Pow(beta2, float64(t))),
		}[v.Input]})
	}
	return in
}
