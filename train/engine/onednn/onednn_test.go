//go:build cgo && !nonative

package onednn

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
)

func TestConform(t *testing.T) {
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	enginetest.Conform(t, b, 1e-4)
}

func TestMain(m *testing.M) {
	if err := Passive(); err != nil {
		panic(err)
	}
	m.Run()
}

// TestTrace compares what each step makes with what a run leaves: the last value of a program is its output.
func TestTrace(t *testing.T) {
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := tiny()
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := [][]float32{{1, -2, 3, -4}}
	out := [][]float32{make([]float32, 4)}
	if err := engine.Run(r, in, out); err != nil {
		t.Fatal(err)
	}
	var last []float32
	if err := r.(engine.Tracer).Trace(in, func(_ *engine.Step, _ *engine.Value, d []float32) { last = slices.Clone(d) }); err != nil {
		t.Fatal(err)
	}
	if want := []float32{2, 0, 6, 0}; !slices.Equal(out[0], want) || !slices.Equal(last, want) {
		t.Errorf("a run gives %v, the trace %v, want %v", out[0], last, want)
	}
}

func tiny() (*engine.Program, error) {
	var y *engine.Node
	g, err := engine.Build(func(g *engine.Graph) { y = g.Scale("s", g.Relu("r", g.Input("x", 2, 2)), 2) })
	if err != nil {
		return nil, err
	}
	return g.Evaluation(y)
}

func TestMissingLibraryIsSaid(t *testing.T) {
	// In a child, since the library of this process is loaded already.
	if os.Getenv("GLEANER_TEST_LIBRARY") != "" {
		_, err := New(Options{Library: "/nowhere/libdnnl.so.2"})
		fmt.Println(err)
		return
	}
	c := exec.Command(os.Args[0], "-test.run", "^TestMissingLibraryIsSaid$")
	c.Env = append(os.Environ(), "GLEANER_TEST_LIBRARY=1")
	out, err := c.Output()
	if err != nil || !strings.Contains(string(out), "/nowhere/libdnnl.so.2") || !strings.Contains(string(out), "apt-get install libdnnl2") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSteadyStateAllocatesNothing runs a training program again and again.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := tiny()
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in, out := [][]float32{{1, 2, 3, 4}}, [][]float32{make([]float32, 4)}
	if n := testing.AllocsPerRun(100, func() {
		if err := engine.Run(r, in, out); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations per run", n)
	}
}
