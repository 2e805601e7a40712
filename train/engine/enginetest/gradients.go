package enginetest

import (
	"fmt"
	"math"
	"math/rand/v2"

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

// CheckGradients compares the gradients of a network's first run with central differences of its loss, in float64. worst is the
// greatest difference, relative to the greatest element of the parameter's gradient (of a direction: to the gradient's norm),
// and where says which.
func CheckGradients(n *Net, d Differences) (worst float64, where string, err error) {
	c, err := newChecker(n, d)
	if err != nil {
		return 0, "", err
	}
	grads, err := c.gradients()
	if err != nil {
		return 0, "", err
	}
	note := func(diff, scale float64, p *engine.Var, what string) {
		if scale > 0 {
			diff /= scale
		}
		if math.IsNaN(diff) {
			diff = math.Inf(1)
		}
		if diff > worst {
			worst, where = diff, fmt.Sprintf("%s, %s%s", n.Name, p.Name, what)
		}
	}
	for i, p := range n.Params {
		top, norm := 0.0, 0.0
		for _, g := range grads[i] {
			top, norm = max(top, math.Abs(g)), norm+g*g
		}
		norm = math.Sqrt(norm)
		for _, e := range c.choose(len(grads[i])) {
			slope, err := c.slope(p, func(u []float64) { u[e] = 1 })
			if err != nil {
				return 0, "", err
			}
			note(math.Abs(slope-grads[i][e]), top, p, fmt.Sprintf("[%d]: gradient %.9g, difference %.9g", e, grads[i][e], slope))
		}
		for range d.Directions {
			want := 0.0
			slope, err := c.slope(p, func(u []float64) { want = c.direction(u, grads[i]) })
			if err != nil {
				return 0, "", err
			}
			note(math.Abs(slope-want), norm, p, fmt.Sprintf(" along a direction: gradient %.9g, difference %.9g", want, slope))
		}
	}
	return worst, where, nil
}

// checker evaluates a network's loss near its point.
type checker struct {
	Differences
	n       *Net
	b       *ref.Backend[float64]
	r       *ref.Runner[float64]
	rng     *rand.Rand
	in, out [][]float64
}

func newChecker(n *Net, d Differences) (*checker, error) {
	if d.Step == 0 {
		d.Step = 1e-5
	}
	c := &checker{Differences: d, n: n, b: ref.New[float64](), rng: rand.New(rand.NewPCG(d.Seed, 1))}
	var err error
	if c.r, err = c.b.Prepare(n.Program); err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	for _, in := range n.Runs[0] {
		c.in = append(c.in, widen(in))
	}
	if n.Grads != nil {
		c.still()
	}
	for _, v := range n.Program.Outputs {
		c.out = append(c.out, make([]float64, v.Shape.Size()))
	}
	return c, c.reset()
}

// still sets the learning rate to 0, so that a training program leaves the parameters where they are.
func (c *checker) still() {
	for i, v := range c.n.Program.Inputs {
		if v.Input == engine.RateInput {
			c.in[i] = []float64{0}
		}
	}
}

func (c *checker) reset() error {
	for _, v := range c.n.Program.Vars() {
		x, ok := c.n.Values[v]
		if !ok {
			x = make([]float32, v.Shape.Size())
		}
		if err := c.b.Write64(v, widen(x)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) loss() (float64, error) {
	err := c.r.Run64(c.in, c.out)
	return c.out[0][0], err
}

func (c *checker) gradients() (grads [][]float64, err error) {
	if _, err := c.loss(); err != nil {
		return nil, err
	}
	for i, p := range c.n.Params {
		g := make([]float64, p.Shape.Size())
		if c.n.Grads == nil {
			copy(g, c.out[1+i])
		} else if err := c.b.Read64(c.n.Grads[i], g); err != nil {
			return nil, err
		}
		grads = append(grads, g)
	}
	return grads, nil
}

// slope is the loss's central difference as a parameter moves along the direction that point writes into zeros.
func (c *checker) slope(p *engine.Var, point func(u []float64)) (float64, error) {
	x, u := widen(c.n.Values[p]), make([]float64, p.Shape.Size())
	point(u)
	var loss [2]float64
	moved := make([]float64, len(x))
	for i, step := range []float64{c.Step, -c.Step} {
		for k := range x {
			moved[k] = x[k] + step*u[k]
		}
		if err := c.b.Write64(p, moved); err != nil {
			return 0, err
		}
		var err error
		if loss[i], err = c.loss(); err != nil {
			return 0, err
		}
	}
	return (loss[0] - loss[1]) / (2 * c.Step), c.b.Write64(p, x)
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
