package ref_test

import (
	"math"
	"slices"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/ref"
)

func TestConformance(t *testing.T) {
	b := ref.New[float32]()
	defer b.Close()
	enginetest.Conform(t, b, 1e-5)
}

// cases calls f with the nets of all cases.
func cases(t *testing.T, f func(t *testing.T, c enginetest.Case, n *enginetest.Net)) {
	t.Helper()
	for _, c := range enginetest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			n, err := c.Net()
			if err != nil {
				t.Fatal(err)
			}
			f(t, c, n)
		})
	}
}

func TestGradients(t *testing.T) {
	cases(t, func(t *testing.T, c enginetest.Case, n *enginetest.Net) {
		if c.Stepped || n.Params == nil {
			return
		}
		worst, where, err := enginetest.CheckGradients(n, enginetest.Differences{Elements: 10, Directions: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !(worst <= 1e-6) {
			t.Errorf("%g: %s", worst, where)
		}
	})
}

func TestOptimisersAsWrittenOut(t *testing.T) {
	if err := enginetest.CheckOptimisers(func(worst float64, where string) {
		if !(worst <= 1e-12) {
			t.Errorf("off by %g: %s", worst, where)
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestTapeMachineAgrees(t *testing.T) {
	cases(t, func(t *testing.T, c enginetest.Case, n *enginetest.Net) {
		if c.Wide || n.Loss != nil && n.Params == nil {
			return // float32 has not the digits; a training program's update is no part of the graph
		}
		want, err := enginetest.Oracle(n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := enginetest.Tape(n)
		if err != nil {
			t.Fatal(err)
		}
		k := len(n.Program.Outputs)
		if len(got.Arrays) != k {
			t.Fatalf("%d results, and the program has %d", len(got.Arrays), k)
		}
		if worst, where := enginetest.Differ(got, want.First(k)); !(worst <= 5e-6) {
			t.Errorf("%g: %s", worst, where)
		}
	})
}

// TestPlanAndFusionChangeNothing runs each case planned, with a place for each value, and fused, and wants the same bits of
// all; what was in the arena before must not matter.
func TestPlanAndFusionChangeNothing(t *testing.T) {
	fused := 0
	cases(t, func(t *testing.T, _ enginetest.Case, n *enginetest.Net) {
		f := engine.Fuse(n.Program)
		fused += len(n.Program.Steps) - len(f.Steps)
		want := run64(t, n, n.Program, (*ref.Backend[float64]).PrepareNaive)
		for name, p := range map[string]*engine.Program{"planned": n.Program, "fused": f} {
			for i, d := range run64(t, n, p, (*ref.Backend[float64]).Prepare) {
				if k := differs(d, want[i]); k >= 0 {
					t.Errorf("%s: array %d[%d] is %.17g and should be %.17g", name, i, k, d[k], want[i][k])
				}
			}
		}
	})
	if fused < 30 {
		t.Errorf("only %d steps were fused", fused)
	}
}

// differs is the first place where two arrays have not the same bits; -1 if there is none.
func differs(a, b []float64) int {
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return i
		}
	}
	return -1
}

// run64 gives the outputs of each run and the variables after the last.
func run64(t *testing.T, n *enginetest.Net, p *engine.Program,
	prepare func(*ref.Backend[float64], *engine.Program) (*ref.Runner[float64], error)) (arrays [][]float64) {
	t.Helper()
	b := ref.New[float64]()
	if err := enginetest.Load(n, b); err != nil {
		t.Fatal(err)
	}
	r, err := prepare(b, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range n.Runs {
		wide := make([][]float64, len(in))
		for i := range in {
			for _, x := range in[i] {
				wide[i] = append(wide[i], float64(x))
			}
		}
		var out [][]float64
		for _, v := range p.Outputs {
			out = append(out, make([]float64, v.Shape.Size()))
		}
		r.Poison()
		if err := r.Run64(wide, out); err != nil {
			t.Fatal(err)
		}
		arrays = append(arrays, out...)
	}
	for _, v := range p.Vars() {
		d := make([]float64, v.Shape.Size())
		if err := b.Read64(v, d); err != nil {
			t.Fatal(err)
		}
		arrays = append(arrays, d)
	}
	return arrays
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	c, _ := enginetest.Find("training, adamw, clip, average, groups")
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	b := ref.New[float32]()
	if err := enginetest.Load(n, b); err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(engine.Fuse(n.Program))
	if err != nil {
		t.Fatal(err)
	}
	if a := testing.AllocsPerRun(5, func() {
		if err := engine.Run(r, n.Runs[0], nil); err != nil {
			t.Fatal(err)
		}
	}); a != 0 {
		t.Errorf("%v allocations per run", a)
	}
	planned, naive := r.Memory()
	if planned <= 0 || planned >= naive {
		t.Errorf("%d bytes planned, %d without a plan", planned, naive)
	}
}

// TestSplitWorkIsTheSame computes a convolution big enough for several goroutines one picture at a time and at once.
func TestSplitWorkIsTheSame(t *testing.T) {
	build := func(batch int) (*engine.Program, *engine.Var) {
		w := &engine.Var{Name: "w", Shape: engine.Shape{16, 3, 3, 8}}
		g, err := engine.Build(func(g *engine.Graph) {
			g.Relu("y", g.Conv2D("c", g.Input("x", batch, 16, 16, 8), g.Var(w), nil, engine.Conv{Window: engine.Square(3, 1, 1)}))
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := g.Evaluation(g.Expr().AllNodes()[len(g.Expr().AllNodes())-1])
		if err != nil {
			t.Fatal(err)
		}
		return p, w
	}
	run := func(batch int, x []float32) []float32 {
		p, w := build(batch)
		b := ref.New[float32]()
		r, err := b.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		k := make([]float32, w.Shape.Size())
		for i := range k {
			k[i] = engine.Hash(uint32(i), 1, 2) - 0.5
		}
		if err := b.Write(w, k); err != nil {
			t.Fatal(err)
		}
		out := [][]float32{make([]float32, p.Outputs[0].Shape.Size())}
		if err := engine.Run(r, [][]float32{x}, out); err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	x := make([]float32, 4*16*16*8)
	for i := range x {
		x[i] = engine.Hash(uint32(i), 3, 4) - 0.5
	}
	var one []float32
	for i := range 4 {
		one = append(one, run(1, x[i*len(x)/4:(i+1)*len(x)/4])...)
	}
	if !slices.Equal(run(4, x), one) {
		t.Error("a batch gives other results than its pictures one by one")
	}
}

func TestErrors(t *testing.T) {
	c, _ := enginetest.Find("softmax")
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	b := ref.New[float32]()
	r, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error, want string) { t.Helper(); wrong(t, what, err, want) }
	check("finish", r.Finish(nil), "no run is under way")
	check("inputs", r.Start(nil), "the program takes 1 inputs, not 0")
	check("size", r.Start([][]float32{{1}}), "input z takes 21 numbers, [3 7], not 1")
	for range 2 {
		if err := r.Start(n.Runs[0]); err != nil {
			t.Fatal(err)
		}
	}
	check("start", r.Start(n.Runs[0]), "2 runs are under way already")
	check("outputs", r.Finish([][]float32{nil, nil}), "the program has 1 outputs, not 2")
	check("output", r.Finish([][]float32{{1}}), "output 0 has 21 numbers, [3 7], not 1")
	check("trace", r.(engine.Tracer).Trace(n.Runs[0], nil), "a run is under way")
	v := &engine.Var{Name: "w", Shape: engine.Shape{2}}
	check("write", b.Write(v, make([]float32, 3)), "write w: it has 2 numbers, [2], not 3")
	check("read", b.Read(v, nil), "read w: it has 2 numbers, [2], not 0")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	check("closed runner", r.Start(n.Runs[0]), "it is closed")
	check("closed runner", r.Finish(nil), "it is closed")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	_, err = b.Compile(n.Program)
	check("closed backend", err, "it is closed")
	check("closed backend", b.Write(v, nil), "write w: it is closed")
}

func TestUnknownOperatorNamesTheLayer(t *testing.T) {
	p := &engine.Program{Steps: []engine.Step{{Op: &engine.Op{Kind: "fold", Layer: "l"}}}}
	_, err := ref.New[float32]().Compile(p)
	wrong(t, "compile", err, "layer l: ref does not know the operator fold")
	wrong(t, "kernel", ref.Kernel(p.Steps[0].Op, nil, nil), "layer l: ref does not know the operator fold")
}

func wrong(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("%s: the error is %v, want %s", what, err, want)
	}
}
