package export_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gleaner/train/engine"
	"gleaner/train/export"
)

// network is a small network for tests, with random weights.
type network struct {
	name  string
	input engine.Shape // of one picture, [H W C] or [C]
	build func(b *builder, x *engine.Node) []*engine.Node
}

// builder applies layers whose variables it makes up.
type builder struct {
	*engine.Graph
	rng    *rand.Rand
	vars   map[*engine.Var][]float32
	byName map[string]*engine.Var
	fake   bool // fake quantisation of activations and weights
	spans  map[string][2]float32
	parts  map[string]engine.Part
	marks  []string // where fake quantisation would be
	marked []*engine.Node
}

// v is a variable of normally distributed values.
func (b *builder) v(name string, mean, spread float64, shape ...int) *engine.Node {
	v := b.byName[name]
	if v == nil {
		v = &engine.Var{Name: name, Shape: shape}
		d := make([]float32, v.Shape.Size())
		for i := range d {
			d[i] = float32(mean + spread*b.rng.NormFloat64())
		}
		b.byName[name], b.vars[v] = v, d
	}
	return b.Var(v)
}

func (b *builder) w(name string, spread float64, shape ...int) *engine.Node {
	w := b.v(name, 0, spread, shape...)
	if b.fake {
		w = b.FakeQuantWeights(name, w, 8)
	}
	return w
}

// q is fake quantisation in the range that was measured under that name.
func (b *builder) q(name string, x *engine.Node) *engine.Node {
	if !b.fake {
		b.marks, b.marked = append(b.marks, name), append(b.marked, x)
		return x
	}
	s := b.spans[name]
	r := b.v(name+"/range", 0, 0, 2)
	copy(b.vars[b.byName[name+"/range"]], s[:])
	return b.FakeQuant(name, x, r, 8)
}

func (b *builder) conv(name string, x *engine.Node, out int, w engine.Window, groups int) *engine.Node {
	c := engine.ShapeOf(x)[3]
	spread := math.Sqrt(2 / float64(w.KH*w.KW*c/groups))
	return b.Conv2D(name, x, b.w(name+"/w", spread, out, w.KH, w.KW, c/groups), b.v(name+"/b", 0, 0.1, out),
		engine.Conv{Window: w, Groups: groups})
}

func (b *builder) norm(name string, x *engine.Node) *engine.Node {
	s := engine.ShapeOf(x)
	c := s[len(s)-1]
	return b.NormInfer(name, x, b.v(name+"/gamma", 1, 0.3, c), b.v(name+"/beta", 0, 0.3, c), b.v(name+"/mean", 0, 0.2, c),
		b.v(name+"/var", 0.5, 0.05, c), 1e-5)
}

func (b *builder) dense(name string, x *engine.Node, out int) *engine.Node {
	x = b.Flatten(name, x)
	c := engine.ShapeOf(x)[1]
	return b.Dense(name, x, b.w(name+"/w", 4/math.Sqrt(float64(c)), out, c), b.v(name+"/b", 0, 0.1, out))
}

// make is the network as a program for a batch, with fake quantisation in the given spans where they are not nil.
func (n network) make(batch int, spans map[string][2]float32) (*builder, *engine.Program, error) {
	b := &builder{rng: rand.New(rand.NewPCG(7, uint64(len(n.name)))), vars: map[*engine.Var][]float32{}, byName: map[string]*engine.Var{},
		fake: spans != nil, spans: spans, parts: map[string]engine.Part{}}
	p, err := n.program(b, batch)
	return b, p, err
}

func (n network) program(b *builder, batch int) (*engine.Program, error) {
	var out []*engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		b.Graph = g
		out = n.build(b, g.Input("x", append(engine.Shape{batch}, n.input...)...))
	})
	if err != nil {
		return nil, err
	}
	p, err := g.Evaluation(out...)
	if err == nil {
		b.cut(p)
	}
	return p, err
}

func (b *builder) values(v *engine.Var) []float32 { return b.vars[v] }

// pictures are random pictures between -1 and 1, smooth enough to have edges and flat parts.
func pictures(n int, shape engine.Shape, seed uint64) export.Pictures {
	return export.Pictures{N: n, Name: func(i int) string { return fmt.Sprintf("random %d", i) }, At: func(i int, dst []float32) error {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		c := shape[len(shape)-1]
		level := make([]float32, c)
		for k := range dst {
			if rng.IntN(6) == 0 {
				level[k%c] = rng.Float32()*2 - 1
			}
			dst[k] = level[k%c]*0.8 + (rng.Float32()*2-1)*0.2
		}
		return nil
	}}
}

func one(n *engine.Node) []*engine.Node { return []*engine.Node{n} }

// networks cover each operator and each way in which they meet.
var networks = []network{
	{name: "conv same", input: engine.Shape{9, 8, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("c", b.Relu("r", b.conv("c", b.q("x", x), 5, engine.Same(3, 2, 9, 8), 1)))
		return one(b.Softmax("class", b.q("d", b.dense("d", h, 4))))
	}},
	{name: "conv padded at the front", input: engine.Shape{8, 8, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("c", b.Relu6("r", b.conv("c", b.q("x", x), 5, engine.Square(3, 2, 1), 1)))
		return one(b.Softmax("class", b.q("d", b.dense("d", h, 4))))
	}},
	{name: "conv dilated", input: engine.Shape{10, 10, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("c", b.Relu("r", b.conv("c", b.q("x", x), 5, engine.Window{KH: 3, KW: 2, DH: 2, DW: 3}, 1)))
		h = b.q("e", b.conv("e", h, 3, engine.Window{KH: 3, KW: 3, DH: 2, DW: 2, Top: 2, Left: 2, Bottom: 2, Right: 2}, 1))
		return one(b.Softmax("class", b.q("d", b.dense("d", h, 4))))
	}},
	{name: "conv wide padding", input: engine.Shape{6, 7, 2}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("c", b.conv("c", b.q("x", x), 4, engine.Window{KH: 3, KW: 5, SH: 2, SW: 1, Top: 3, Left: 1, Bottom: 2, Right: 4}, 1))
		return one(b.Softmax("class", b.q("d", b.dense("d", h, 4))))
	}},
	{name: "depthwise", input: engine.Shape{9, 9, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("e", b.Relu6("re", b.norm("ne", b.conv("e", b.q("x", x), 8, engine.Square(1, 1, 0), 1))))
		h = b.q("c", b.Relu6("r", b.norm("n", b.conv("c", h, 8, engine.Square(3, 2, 1), 8))))
		h = b.q("m", b.Relu("rm", b.conv("m", h, 16, engine.Window{KH: 3, KW: 3, DH: 2, DW: 2, Top: 2, Left: 2, Bottom: 2, Right: 2}, 8)))
		return one(b.Softmax("class", b.q("d", b.dense("d", b.q("gap", b.GlobalAvgPool("gap", h)), 4))))
	}},
	{name: "grouped", input: engine.Shape{6, 6, 4}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("c", b.Relu("r", b.conv("c", b.q("x", x), 6, engine.Square(3, 1, 1), 2)))
		return one(b.Softmax("class", b.q("d", b.dense("d", h, 4))))
	}},
	{name: "residual blocks", input: engine.Shape{8, 8, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("s", b.Relu("rs", b.norm("ns", b.conv("s", b.q("x", x), 6, engine.Square(3, 1, 1), 1))))
		h = b.MaxPool("p", h, engine.Square(3, 2, 1))
		y := b.q("c1", b.Relu("r1", b.norm("n1", b.conv("c1", h, 6, engine.Square(3, 1, 1), 1))))
		y = b.q("c2", b.norm("n2", b.conv("c2", y, 6, engine.Square(3, 1, 1), 1)))
		h = b.q("a", b.Relu("r2", b.Add("a", y, h)))
		y = b.q("c3", b.conv("c3", h, 6, engine.Square(1, 1, 0), 1))
		h = b.q("a2", b.Add("a2", y, h))
		return one(b.Softmax("class", b.q("d", b.dense("d", b.q("gap", b.GlobalAvgPool("gap", h)), 4))))
	}},
	{name: "dense block", input: engine.Shape{8, 8, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("s", b.conv("s", b.q("x", x), 6, engine.Square(3, 1, 1), 1))
		for i := range 3 {
			l := fmt.Sprintf("l%d", i)
			y := b.q(l+"n", b.Relu(l+"r", b.norm(l+"n", h)))
			h = b.Concat(l+"cat", h, b.q(l+"c", b.conv(l+"c", y, 4, engine.Square(3, 1, 1), 1)))
		}
		h = b.q("tn", b.Relu("tr", b.norm("tn", h)))
		h = b.AvgPool("tp", b.q("t", b.conv("t", h, 6, engine.Square(1, 1, 0), 1)), engine.Square(2, 2, 0))
		return one(b.Softmax("class", b.q("d", b.dense("d", b.q("gap", b.GlobalAvgPool("gap", h)), 4))))
	}},
	{name: "pools", input: engine.Shape{7, 9, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		x = b.q("x", x)
		m := b.MaxPool("m", x, engine.Square(3, 2, 1))
		n := b.MaxPool("n", x, engine.Window{KH: 3, KW: 3, SH: 2, SW: 2, Top: 2, Left: 2, Bottom: 2, Right: 1})
		a := b.AvgPool("a", x, engine.Square(3, 2, 1))
		c := b.AvgPool("b", x, engine.Window{KH: 3, KW: 3, SH: 2, SW: 2, Top: 2, Left: 2, Bottom: 2, Right: 1})
		h := b.Concat("cat", b.GlobalAvgPool("gm", m), b.GlobalAvgPool("gn", n), b.Flatten("fa", a), b.Flatten("fb", c))
		return one(b.Softmax("class", b.q("d", b.dense("d", h, 4))))
	}},
	{name: "slices and scales", input: engine.Shape{5, 5, 6}, build: func(b *builder, x *engine.Node) []*engine.Node {
		x = b.q("x", x)
		s := b.slice("s1", x, 0, 2)
		u := b.q("scale", b.Scale("scale", b.slice("s2", x, 2, 6), -1.7))
		h := b.q("c", b.HSwish("hs", b.q("pre", b.conv("c", b.Concat("cat", s, u), 8, engine.Square(3, 1, 1), 1))))
		return one(b.Softmax("class", b.q("d", b.dense("d", b.Dropout("drop", b.Flatten("f", h), 0, 1), 4))))
	}},
	{name: "two heads", input: engine.Shape{6, 6, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("gap", b.GlobalAvgPool("gap", b.q("c", b.Relu("r", b.conv("c", b.q("x", x), 8, engine.Square(3, 1, 1), 1)))))
		return []*engine.Node{b.Softmax("material", b.q("d1", b.dense("d1", h, 5))), b.Sigmoid("contaminated", b.q("d2", b.dense("d2", h, 2))),
			b.q("d3", b.dense("d3", h, 3))}
	}},
	{name: "features", input: engine.Shape{20}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.q("n", b.norm("n", b.q("x", x)))
		h = b.q("d1", b.Relu("r1", b.norm("n1", b.dense("d1", h, 16))))
		return one(b.Softmax("class", b.q("d2", b.dense("d2", h, 4))))
	}},
	{name: "alone", input: engine.Shape{6, 6, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		x = b.q("x", x)
		h := b.q("r", b.Relu("r", x))
		g := b.q("r6", b.Relu6("r6", b.q("x3", b.Scale("x3", x, 9))))
		y := b.conv("c", b.Concat("cat", h, g), 4, engine.Square(3, 1, 1), 1)
		z := b.q("nr", b.Relu("nr", y))
		return one(b.Softmax("class", b.q("d", b.dense("d", b.Concat("cat2", b.q("y", y), z), 4))))
	}},
}

// slice is a part of the last axis. A graph has it as Concat's gradient only, so that a convolution holds its place until
// the program is there.
func (b *builder) slice(name string, x *engine.Node, from, to int) *engine.Node {
	b.parts[name] = engine.Part{From: from, To: to}
	return b.Conv2D(name, x, b.v(name+"/none", 0, 1, to-from, 1, 1, engine.ShapeOf(x)[3]), nil, engine.Conv{})
}

func (b *builder) cut(p *engine.Program) {
	for i, s := range p.Steps {
		if part, ok := b.parts[s.Op.Layer]; ok {
			p.Steps[i] = engine.Step{Op: &engine.Op{Kind: engine.Slice, Layer: s.Op.Layer, Attr: part, In: s.Op.In[:1], Out: s.Op.Out},
				In: s.In[:1], Out: s.Out}
		}
	}
}
