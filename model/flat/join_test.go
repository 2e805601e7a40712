package flat

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// voter is a small classifier of 2×2 pictures into three classes, one of those that random weights give. Its embedding is
// averaged by the same constant in all of them.
func voter(t testing.TB, seed uint64, change ...func(m *Model)) *Model {
	t.Helper()
	m := New("a voter")
	rng := rand.New(rand.NewPCG(seed, 5))
	in := m.AddTensor("image", UInt8, 1, 2, 2, 3)
	m.Graphs[0].Tensors[in].Quant = &Quant{Scale: []float32{1. / 128}, Zero: []int64{128}}
	m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{in}, []int{in}
	if err := m.Mean(); err != nil {
		t.Fatal(err)
	}
	var w [][]float32
	for range 3 {
		w = append(w, []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.NormFloat64())})
	}
	if err := m.Head(w, []float32{0.5, -0.25, 0}); err != nil {
		t.Fatal(err)
	}
	m.SetMeta(Meta{Name: "voter", Colour: "rgb"}, []byte("a\nb\nc\n"))
	for _, c := range change {
		c(m)
	}
	return m
}

// reread is a model as it comes back from its file.
func reread(t *testing.T, m *Model) *Model {
	t.Helper()
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = Read(b); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestJoin looks at what is joined: one input, one output, shared constants, the first's labels, and that it is a file that can be
// read; the models joined stay as they were.
func TestJoin(t *testing.T) {
	voters := []*Model{voter(t, 1), voter(t, 2), voter(t, 3)}
	before, err := voters[1].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Join(voters...)
	if err != nil {
		t.Fatal(err)
	}
	m = reread(t, m)
	in, out := m.InputTensors(), m.OutputTensors()
	if len(in) != 1 || in[0].Name != "image" || in[0].Quant.Zero[0] != 128 || len(out) != 1 || !slices.Equal(out[0].Shape, []int{1, 3}) || out[0].Type != Float32 {
		t.Errorf("inputs %+v, outputs %+v", in, out)
	}
	// Three times DEQUANTIZE, MEAN, FULLY_CONNECTED and SOFTMAX, two sums and a product, of six kinds.
	if g := m.Graphs[0]; len(g.Ops) != 15 || len(m.Codes) != 6 || len(g.Tensors) != 3*8-2+4 {
		t.Errorf("%d operators, %d codes, %d tensors", len(g.Ops), len(m.Codes), len(g.Tensors))
	}
	// The empty one, three times weights, the axes and the biases once, the share and the metadata.
	if len(m.Buffers) != 8 {
		t.Errorf("%d buffers", len(m.Buffers))
	}
	names := map[string]bool{}
	for _, ts := range m.Graphs[0].Tensors {
		if names[ts.Name] {
			t.Errorf("two tensors are called %q", ts.Name)
		}
		names[ts.Name] = true
	}
	meta, err := m.Meta()
	if err != nil || meta.Name != "voter" || string(m.File(meta.LabelsFile)) != "a\nb\nc\n" {
		t.Errorf("metadata %+v, %v", meta, err)
	}
	if after, err := voters[1].Bytes(); err != nil || !bytes.Equal(after, before) {
		t.Errorf("a model that was joined has changed: %v", err)
	}
}

// TestJoinOutputs: each output is the mean of the members' outputs of its number.
func TestJoinOutputs(t *testing.T) {
	more := func(m *Model) { // the features, before the classifier
		g := &m.Graphs[0]
		for i := range g.Tensors {
			if s := g.Tensors[i].Shape; g.Tensors[i].Type == Float32 && slices.Equal(s, []int{1, 3}) && i != g.Outputs[0] {
				g.Outputs = append(g.Outputs, i)
				return
			}
		}
		t.Fatal("there are no features")
	}
	m, err := Join(voter(t, 1, more), voter(t, 2, more))
	if err != nil {
		t.Fatal(err)
	}
	out := m.OutputTensors()
	if len(out) != 2 || out[0].Name != "mean" || out[1].Name != "mean 2" {
		t.Fatalf("the outputs are %+v", out)
	}
	ops := m.Graphs[0].Ops
	first, second := voter(t, 1, more), ops[len(ops)-2] // the sum before the last product
	if want := first.OutputTensors()[1].Name; m.Graphs[0].Tensors[second.Inputs[0]].Name != want || m.Graphs[0].Tensors[second.Inputs[1]].Name != "2/"+want {
		t.Errorf("output 1 is not the mean of %s", want)
	}
}

func TestJoinRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *Model)
		want   string
	}{
		{"scale", func(m *Model) { m.Graphs[0].Tensors[0].Quant = &Quant{Scale: []float32{1. / 127}, Zero: []int64{128}} }, "quantised in another way"},
		{"zero point", func(m *Model) { m.Graphs[0].Tensors[0].Quant = &Quant{Scale: []float32{1. / 128}, Zero: []int64{127}} }, "quantised in another way"},
		{"no scale", func(m *Model) { m.Graphs[0].Tensors[0].Quant = nil }, "quantised in another way"},
		{"size", func(m *Model) { m.Graphs[0].Tensors[0].Shape = []int{1, 3, 2, 3} }, "its input is "},
		{"type", func(m *Model) { m.Graphs[0].Tensors[0].Type = Int8 }, "its input is "},
		{"classes", func(m *Model) { m.Graphs[0].Tensors[m.Graphs[0].Outputs[0]].Shape = []int{1, 4} }, "its output is "},
		{"int8 output", func(m *Model) { m.Graphs[0].Tensors[m.Graphs[0].Outputs[0]].Type = Int8 }, "float32 is needed"},
		{"two outputs", func(m *Model) { m.Graphs[0].Outputs = append(m.Graphs[0].Outputs, 1) }, "it has 2 outputs, the first 1"},
		{"no output", func(m *Model) { m.Graphs[0].Outputs = nil }, "1 inputs and 0 outputs"},
		{"control flow", func(m *Model) { m.Graphs = append(m.Graphs, Graph{}) }, "control flow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Join(voter(t, 1), voter(t, 2, c.change))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "model 2") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Join(voter(t, 1)); err == nil || errors.Is(err, ErrUnsupported) {
		t.Errorf("one alone: %v", err)
	}
}
