package flat

import (
	"errors"
	"testing"
)

// TestMirror: only the reversal sees the picture, and what saw it before sees the reversal's output, which is of the same kind.
func TestMirror(t *testing.T) {
	m := voter(t, 1)
	seen := len(m.Graphs[0].Ops)
	if err := m.Mirror(); err != nil {
		t.Fatal(err)
	}
	m = reread(t, m)
	g := &m.Graphs[0]
	first := g.Ops[0]
	if m.Codes[first.Code].Builtin != OpReverseV2 || first.Inputs[0] != g.Inputs[0] || len(g.Ops) != seen+1 {
		t.Fatalf("%d operators, the first %+v", len(g.Ops), first)
	}
	in, out := g.Tensors[g.Inputs[0]], g.Tensors[first.Outputs[0]]
	if out.Type != in.Type || !sameScale(out.Quant, in.Quant) || out.Name == in.Name {
		t.Errorf("of %+v it makes %+v", in, out)
	}
	readers := 0
	for _, op := range g.Ops[1:] {
		for _, x := range op.Inputs {
			if x == g.Inputs[0] {
				t.Errorf("%+v sees the picture itself", op)
			}
			if x == first.Outputs[0] {
				readers++
			}
		}
	}
	if readers == 0 {
		t.Error("nothing sees the mirror image")
	}
}

func TestMirrorRefuses(t *testing.T) {
	flow := voter(t, 1)
	flow.Graphs = append(flow.Graphs, Graph{})
	if err := flow.Mirror(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("control flow: %v", err)
	}
	features := New("features")
	in := features.AddTensor("x", Float32, 1, 8)
	features.Graphs[0].Inputs, features.Graphs[0].Outputs = []int{in}, []int{in}
	if err := features.Mirror(); err == nil {
		t.Error("an input that is no picture is mirrored")
	}
}
