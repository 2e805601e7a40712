//go:build cgo && !nonative

package onednn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
)

func TestMain(m *testing.M) {
	if err := Passive(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func open(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestConform(t *testing.T) {
	enginetest.Conform(t, open(t, Options{}), 1e-4)
}

// TestConformOnOneThread is the same without a second thread.
func TestConformOnOneThread(t *testing.T) {
	enginetest.Conform(t, open(t, Options{Threads: 1}), 1e-4)
}

// wide is a training program whose arrays are big enough to be cut into parts, at sizes that no part divides.
func wide(t testing.TB) *enginetest.Net {
	t.Helper()
	n := &enginetest.Net{Name: "wide", Values: map[*engine.Var][]float32{}, Grads: []*engine.Var{}} // no outputs are gradients
	r := rand.New(rand.NewPCG(1, 2))
	numbers := func(shape engine.Shape, scale, shift float32) []float32 {
		d := make([]float32, shape.Size())
		for i := range d {
			d[i] = float32(r.NormFloat64())*scale + shift
		}
		return d
	}
	param := func(name string, scale, shift float32, shape ...int) *engine.Var {
		v := &engine.Var{Name: name, Shape: shape}
		n.Values[v] = numbers(shape, scale, shift)
		n.Params = append(n.Params, v)
		return v
	}
	var loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		conv := func(name string, x *engine.Node, k, size, groups int, bias bool) *engine.Node {
			c := engine.ShapeOf(x)[3] / groups
			w := param(name+"/w", float32(math.Sqrt(2/float64(size*size*c))), 0, k, size, size, c)
			var b *engine.Node
			if bias {
				b = g.Var(param(name+"/b", 0.1, 0, k))
			}
			return g.Conv2D(name, x, g.Var(w), b, engine.Conv{Window: engine.Square(size, 1, size/2), Groups: groups})
		}
		norm := func(name string, x *engine.Node) *engine.Node {
			c := engine.ShapeOf(x)[3]
			y, _, _ := g.BatchNorm(name, x, g.Var(param(name+"/g", 0.1, 1, c)), g.Var(param(name+"/b", 0.1, 0, c)), 1e-5)
			return y
		}
		x := g.Input("x", 3, 37, 35, 3)
		h := g.Relu6("r1", norm("n1", conv("c1", x, 24, 3, 1, false)))
		h = g.Relu("r2", norm("n2", conv("c2", h, 24, 3, 24, false)))
		h = g.Relu("r3", g.Add("a", h, conv("c3", h, 24, 1, 1, true)))
		h = g.Concat("cat", h, g.HSwish("hs", conv("c4", h, 13, 1, 1, true)))
		h = g.Dropout("drop", g.MaxPool("mp", h, engine.Square(3, 2, 1)), 0.3, 5)
		h = g.Add("a2", h, g.AvgPool("ap", norm("n3", conv("c5", h, 37, 3, 1, false)), engine.Square(3, 1, 1)))
		z := g.Dense("head", g.GlobalAvgPool("gap", h), g.Var(param("head/w", 0.2, 0, 7, 37)), g.Var(param("head/b", 0.1, 0, 7)))
		loss = g.SoftmaxLoss("loss", z, g.Input("y", 3, 7), engine.Loss{Smoothing: 0.1})
		for _, p := range n.Params {
			if strings.HasSuffix(p.Name, "/w") {
				loss = g.Add("sum", loss, g.L2(p.Name, g.Var(p), nil, 1e-3))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Program, err = g.Training(loss, n.Params, engine.Optimiser{Kind: "adam", Clip: 1, Average: true, State: state})
	if err != nil {
		t.Fatal(err)
	}
	n.Graph = g
	for run := range 2 {
		n.Runs = append(n.Runs, inputs(n.Program, run, numbers))
	}
	return n
}

// inputs are those of one run of wide.
func inputs(p *engine.Program, run int, numbers func(s engine.Shape, scale, shift float32) []float32) (in [][]float32) {
	for _, v := range p.Inputs {
		switch v.Input {
		case "x":
			in = append(in, numbers(v.Shape, 1, 0))
		case "y":
			y := make([]float32, v.Shape.Size())
			for i := 0; i < len(y); i += 7 {
				y[i+(i/7+run)%7] = 1
			}
			in = append(in, y)
		default:
			in = append(in, []float32{enginetest.Scalar(v.Input, run, 1e-3)})
		}
	}
	return in
}

// state makes a new variable each time, since no program here asks twice.
func state(v *engine.Var, name string, role engine.Role) *engine.Var {
	return &engine.Var{Name: v.Name + ":" + name, Shape: v.Shape, Role: role}
}

// TestLongParametersAgree updates a parameter that is cut into parts, at a length that no part divides.
func TestLongParametersAgree(t *testing.T) {
	b := open(t, Options{Threads: 3})
	for name, o := range map[string]engine.Optimiser{
		"sgd":      {Kind: "sgd", Momentum: 0.9, Decay: 1e-3, Clip: 1, Average: true, State: state},
		"nesterov": {Kind: "sgd", Momentum: 0.9, Nesterov: true, State: state},
		"adam":     {Kind: "adam", Decay: 1e-3, Clip: 1, State: state},
		"adamw":    {Kind: "adamw", Decay: 1e-2, State: state},
	} {
		t.Run(name, func(t *testing.T) {
			w := &engine.Var{Name: "w", Shape: engine.Shape{100_003}}
			n := &enginetest.Net{Name: name, Params: []*engine.Var{w}, Grads: []*engine.Var{}, Values: map[*engine.Var][]float32{}}
			r := rand.New(rand.NewPCG(3, 4))
			for range w.Shape.Size() {
				n.Values[w] = append(n.Values[w], float32(r.NormFloat64()))
			}
			var loss *engine.Node
			g, err := engine.Build(func(g *engine.Graph) { loss = g.L2("loss", g.Var(w), nil, 0.5) })
			if err != nil {
				t.Fatal(err)
			}
			if n.Program, err = g.Training(loss, n.Params, o); err != nil {
				t.Fatal(err)
			}
			for run := range 3 {
				var in [][]float32
				for _, v := range n.Program.Inputs {
					in = append(in, []float32{enginetest.Scalar(v.Input, run, 0.1)})
				}
				n.Runs = append(n.Runs, in)
			}
			if worst, where, err := enginetest.Compare(n, b); err != nil || !(worst <= 1e-5) {
				t.Errorf("off by %.2g: %s %v", worst, where, err)
			}
		})
	}
}

func TestWideArraysAgree(t *testing.T) {
	n := wide(t)
	for _, threads := range []int{1, 3} {
		b := open(t, Options{Threads: threads})
		if worst, where, err := enginetest.CompareSteps(n, b); err != nil || !(worst <= 1e-4) {
			t.Errorf("%d threads: off by %.2g: %s %v", threads, worst, where, err)
		}
	}
}

// TestSameNumbersAgain runs one program from the same start twice, to the last bit.
func TestSameNumbersAgain(t *testing.T) {
	n := wide(t)
	var first *enginetest.Results
	for range 2 {
		b := open(t, Options{Threads: 2})
		got, err := enginetest.Run(n, b)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if worst, where := enginetest.Differ(got, first); worst != 0 {
			t.Errorf("off by %.2g: %s", worst, where)
		}
	}
}

// TestSteadyState runs a training program a thousand times: nothing is allocated and the process does not grow. On one thread,
// since oneDNN's threads spin where they join, and on busy processors each time for as long as a time slice.
func TestSteadyState(t *testing.T) {
	run := training(t, open(t, Options{Threads: 1}))
	run()
	rss := status(t, "VmRSS")
	if allocs := testing.AllocsPerRun(1000, run); allocs > 0 {
		t.Errorf("%g allocations per run", allocs)
	}
	if more := status(t, "VmRSS") - rss; more > 4<<10 {
		t.Errorf("a thousand runs, and the process has %d KB more", more)
	}
}

// TestOnePoolOfThreads runs a program from many threads of Go: none of them may leave a pool of OpenMP's threads behind.
func TestOnePoolOfThreads(t *testing.T) {
	run := training(t, open(t, Options{Threads: 2}))
	run()
	threads := status(t, "Threads")
	for range 20 {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			run()
		}()
		<-gone
	}
	if more := status(t, "Threads") - threads; more > 5 {
		t.Errorf("twenty threads of Go ran the program, and %d threads are left", more)
	}
}

// training is a run of a small training program.
func training(t *testing.T, b *Backend) func() {
	t.Helper()
	c, ok := enginetest.Find("training, sgd, momentum, decay")
	if !ok {
		t.Fatal("the case is gone")
	}
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	if err := enginetest.Load(n, b); err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	out := make([][]float32, len(n.Program.Outputs))
	out[0] = make([]float32, 1)
	return func() {
		if err := engine.Run(r, n.Runs[0], out); err != nil {
			t.Error(err)
		}
	}
}

// status is a number of /proc/self/status.
func status(t *testing.T, key string) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			if _, err := fmt.Sscan(rest, &n); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// TestNaNPassesEveryActivation sends a picture with a NaN through convolutions and dense layers with the activation joined.
func TestNaNPassesEveryActivation(t *testing.T) {
	b := open(t, Options{})
	for name, apply := range map[string]func(g *engine.Graph, x *engine.Node) *engine.Node{
		"conv relu":   func(g *engine.Graph, x *engine.Node) *engine.Node { return g.Relu("r", convOf(g, x)) },
		"conv relu6":  func(g *engine.Graph, x *engine.Node) *engine.Node { return g.Relu6("r", convOf(g, x)) },
		"dense relu":  func(g *engine.Graph, x *engine.Node) *engine.Node { return g.Relu("r", denseOf(g, x)) },
		"dense relu6": func(g *engine.Graph, x *engine.Node) *engine.Node { return g.Relu6("r", denseOf(g, x)) },
		"add relu":    func(g *engine.Graph, x *engine.Node) *engine.Node { return g.Relu("r", g.Add("a", x, x)) },
		"max pool":    func(g *engine.Graph, x *engine.Node) *engine.Node { return g.MaxPool("m", x, engine.Square(2, 2, 0)) },
		"range":       func(g *engine.Graph, x *engine.Node) *engine.Node { return g.Range("m", x) },
	} {
		t.Run(name, func(t *testing.T) {
			var y *engine.Node
			g, err := engine.Build(func(g *engine.Graph) { y = apply(g, g.Input("x", 2, 4, 4, 16)) })
			if err != nil {
				t.Fatal(err)
			}
			p, err := g.Evaluation(y)
			if err != nil {
				t.Fatal(err)
			}
			r, err := b.Compile(p)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			x, out := make([]float32, 2*4*4*16), make([]float32, p.Outputs[0].Shape.Size())
			x[5] = float32(math.NaN())
			if err := engine.Run(r, [][]float32{x}, [][]float32{out}); err != nil {
				t.Fatal(err)
			}
			for _, v := range out {
				if v != v {
					return
				}
			}
			t.Error("the NaN is gone")
		})
	}
}

func convOf(g *engine.Graph, x *engine.Node) *engine.Node {
	w, b := &engine.Var{Name: "w", Shape: engine.Shape{16, 3, 3, 16}}, &engine.Var{Name: "b", Shape: engine.Shape{16}}
	return g.Conv2D("c", x, g.Var(w), g.Var(b), engine.Conv{Window: engine.Square(3, 1, 1)})
}

func denseOf(g *engine.Graph, x *engine.Node) *engine.Node {
	w, b := &engine.Var{Name: "w", Shape: engine.Shape{8, 256}}, &engine.Var{Name: "b", Shape: engine.Shape{8}}
	return g.Dense("d", g.Flatten("f", x), g.Var(w), g.Var(b))
}

func TestMissingLibraryIsSaid(t *testing.T) {
	_, err := New(Options{Library: "/nowhere/libdnnl.so.2"})
	if err == nil || !strings.Contains(err.Error(), "/nowhere/libdnnl.so.2") || !strings.Contains(err.Error(), "apt-get install libdnnl2") {
		t.Errorf("the error is %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("it is more than a line: %v", err)
	}
}

// TestWrongLibraryIsSaid loads a library that is not oneDNN.
func TestWrongLibraryIsSaid(t *testing.T) {
	_, err := New(Options{Library: "libm.so.6"})
	if err == nil || !strings.Contains(err.Error(), "libm.so.6 lacks the function dnnl_") {
		t.Errorf("the error is %v", err)
	}
}

func TestClosed(t *testing.T) {
	b := open(t, Options{})
	c, _ := enginetest.Find("training, sgd, momentum, decay")
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(nil); err == nil {
		t.Error("a run that was never started was finished")
	}
	for range 2 {
		if err := r.Start(n.Runs[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(n.Runs[0]); err == nil {
		t.Error("three runs are under way")
	}
	for range 2 { // the second time it does nothing
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r.Start(n.Runs[0]) == nil || r.Finish(nil) == nil {
		t.Error("a closed runner runs")
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Compile(n.Program); err == nil {
		t.Error("a closed backend compiles")
	}
	if v := n.Params; len(n.Program.Vars()) > 0 && b.Write(n.Program.Vars()[0], n.Values[n.Program.Vars()[0]]) == nil {
		t.Errorf("a closed backend has variables: %v", v)
	}
}

// TestPassive starts this test as a child without the variable; it must come to have it.
func TestPassive(t *testing.T) {
	if os.Getenv("GLEANER_TEST_PASSIVE") != "" {
		fmt.Println("policy", os.Getenv("OMP_WAIT_POLICY"))
		return
	}
	c := exec.Command(os.Args[0], "-test.run", "^TestPassive$")
	c.Env = []string{"GLEANER_TEST_PASSIVE=1", "LD_LIBRARY_PATH=" + os.Getenv("LD_LIBRARY_PATH")}
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "policy passive") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBFloat16IsNearFloat32: in bfloat16, convolutions and their gradients are off by what 8 bits of mantissa make of them: not by
// more, and not by as little as float32 is.
func TestBFloat16IsNearFloat32(t *testing.T) {
	n := wide(t)
	for _, threads := range []int{1, 3} {
		b := open(t, Options{Threads: threads, BFloat16: true})
		worst, where, err := enginetest.CompareSteps(n, b)
		switch {
		case err != nil || !(worst <= 2e-2):
			t.Errorf("%d threads: off by %.2g: %s %v", threads, worst, where, err)
		case b.BFloat16() != (worst > 1e-4):
			t.Errorf("%d threads: off by %.2g, and the processor's instructions are used: %v", threads, worst, b.BFloat16())
		}
	}
}
