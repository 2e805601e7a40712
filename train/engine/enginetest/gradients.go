package enginetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// Differences say how CheckGradients compares. The zero value compares every element of every parameter.
type Differences struct {
	Elements   int     // how many of each parameter, chosen at random; 0: all
	Directions int     // and along how many random directions of each parameter
	Step       float64 // 0 means 1e-5
	Seed       uint64
}

// enough is a relative difference that needs no second look.
const enough = 1e-7

// CheckGradients compares the gradients of a network's first run with central differences of its loss, in float64. worst is the
// greatest difference, relative to the greatest element of the parameter's gradient (of a direction: to the gradient's norm) or
// to a hundredth of the greatest of all, whichever is more, and where says which. A difference that is off by more than 1e-7 is
// taken again with other steps, of which the nearest counts: within one step an activation may have passed a kink, within
// another the loss may have too few digits. A wrong gradient is wrong at every step.
func CheckGradients(n *Net, d Differences) (worst float64, where string, err error) {
	c, err := newChecker(n, d)
	if err != nil {
		return 0, "", err
	}
	grads, err := gradients(n)
	if err != nil {
		return 0, "", err
	}
	note := func(off float64, p *engine.Var, what string) {
		if off > worst {
			worst, where = off, fmt.Sprintf("%s, %s%s", n.Name, p.Name, what)
		}
	}
	least := 0.0
	for _, g := range grads {
		least = max(least, small*greatest(g))
	}
	for i, p := range n.Params {
		top, norm := max(least, greatest(grads[i])), 0.0
		for _, g := range grads[i] {
			norm += g * g
		}
		u := make([]float64, len(grads[i]))
		for _, e := range c.choose(len(u)) {
			clear(u)
			u[e] = 1
			off, slope, err := c.off(p, u, grads[i][e], top)
			if err != nil {
				return 0, "", err
			}
			note(off, p, fmt.Sprintf("[%d]: gradient %.9g, difference %.9g", e, grads[i][e], slope))
		}
		for range d.Directions {
			want := c.direction(u, grads[i])
			off, slope, err := c.off(p, u, want, max(least, math.Sqrt(norm)))
			if err != nil {
				return 0, "", err
			}
			note(off, p, fmt.Sprintf(" along a direction: gradient %.9g, difference %.9g", want, slope))
		}
	}
	return worst, where, nil
}

// checker evaluates a network's loss near its point.
type checker struct {
	Differences
	n       *Net
	b       *ref.Backend[float64]
	r       *ref.Runner[float64] // of the loss alone
	rng     *rand.Rand
	in, out [][]float64
}

func newChecker(n *Net, d Differences) (*checker, error) {
	if d.Step == 0 {
		d.Step = 1e-5
	}
	c := &checker{Differences: d, n: n, b: ref.New[float64](), rng: rand.New(rand.NewPCG(d.Seed, 1)), out: [][]float64{{0}}}
	if err := Load(n, c.b); err != nil {
		return nil, err
	}
	var err error
	if c.r, err = c.b.Prepare(lossAlone(n.Program)); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	for _, in := range n.Runs[0] {
		c.in = append(c.in, widen(in))
	}
	return c, nil
}

// lossAlone is a program's steps that its first output needs.
func lossAlone(p *engine.Program) *engine.Program {
	q := *p
	q.Outputs, q.Steps = p.Outputs[:1], nil
	need := map[*engine.Value]bool{p.Outputs[0]: true}
	for _, s := range slices.Backward(p.Steps[:p.Update]) {
		if !slices.ContainsFunc(s.Out, func(v *engine.Value) bool { return need[v] }) {
			continue
		}
		for _, v := range s.In {
			need[v] = true
		}
		q.Steps = append(q.Steps, s)
	}
	slices.Reverse(q.Steps)
	q.Update = len(q.Steps)
	return &q
}

// gradients are those of the first run.
func gradients(n *Net) (grads [][]float64, err error) {
	b := ref.New[float64]()
	if err := Load(n, b); err != nil {
		return nil, err
	}
	r, err := b.Prepare(n.Program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	var in, out [][]float64
	for _, x := range n.Runs[0] {
		in = append(in, widen(x))
	}
	for _, v := range n.Program.Outputs {
		out = append(out, make([]float64, v.Shape.Size()))
	}
	if err := r.Run64(in, out); err != nil {
		return nil, err
	}
	if n.Grads == nil {
		return out[1 : 1+len(n.Params)], nil
	}
	for _, v := range n.Grads {
		g := make([]float64, v.Shape.Size())
		if err := b.Read64(v, g); err != nil {
			return nil, err
		}
		grads = append(grads, g)
	}
	return grads, nil
}

// off is how far the loss's central difference along u is from want, relative to scale if that is not 0, and the difference.
func (c *checker) off(p *engine.Var, u []float64, want, scale float64) (off, slope float64, err error) {
	if scale == 0 {
		scale = 1
	}
	off = math.Inf(1)
	for _, step := range []float64{c.Step, c.Step / 10, c.Step * 10, c.Step / 100} {
		s, err := c.slope(p, u, step)
		if err != nil {
			return 0, 0, err
		}
		if o := math.Abs(s-want) / scale; o < off {
			off, slope = o, s
		}
		if off <= enough {
			break
		}
	}
	return off, slope, nil
}

// slope is the loss's central difference as a parameter moves along u.
func (c *checker) slope(p *engine.Var, u []float64, step float64) (float64, error) {
	x := widen(c.n.Values[p])
	moved := make([]float64, len(x))
	var loss [2]float64
	for i, by := range []float64{step, -step} {
		for k := range x {
			moved[k] = x[k] + by*u[k]
		}
		if err := c.b.Write64(p, moved); err != nil {
			return 0, err
		}
		if err := c.r.Run64(c.in, c.out); err != nil {
			return 0, err
		}
		loss[i] = c.out[0][0]
	}
	return (loss[0] - loss[1]) / (2 * step), c.b.Write64(p, x)
}

// choose is which elements of n are compared.
func (c *checker) choose(n int) []int {
	all := c.rng.Perm(n)
	if c.Elements > 0 && c.Elements < n {
		return all[:c.Elements]
	}
	return all
}

// direction writes a random unit vector, and gives the gradient's part along it.
func (c *checker) direction(u, grad []float64) (slope float64) {
	norm := 0.0
	for i := range u {
		u[i] = c.rng.NormFloat64()
		norm += u[i] * u[i]
	}
	for i := range u {
		u[i] /= math.Sqrt(norm)
		slope += u[i] * grad[i]
	}
	return slope
}

func widen(x []float32) []float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = float64(v)
	}
	return d
}
