package export_test

import (
	"bytes"
	"math"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/flat"
	"gleaner/train/engine"
	"gleaner/train/export"
	"gleaner/train/net"
)

// TestInt8AsTensorFlowWritesIt takes an int8 MobileNetV2 of TensorFlow's converter apart into real numbers and ranges and writes it
// anew: each weight and each activation's scale must come out as TensorFlow had it.
func TestInt8AsTensorFlowWritesIt(t *testing.T) {
	theirs, err := flat.ReadFile(shared.Path(t, "models/models/tf2_mobilenet_v2_1.0_224_ptq.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	n, w, err := net.Import(theirs, net.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Evaluation(1, net.EvalOptions{Quantise: 8})
	if err != nil {
		t.Fatal(err)
	}
	f, err := export.Write(p, func(v *engine.Var) []float32 { return w[v.Name] }, export.Options{Kind: export.Int8})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := flat.Read(f.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	a, b := heavy(theirs), heavy(ours)
	if len(a) != len(b) || len(a) != 64 {
		t.Fatalf("%d convolutions, sums and means, and %d written", len(a), len(b))
	}
	for i := range a {
		x, y := theirs.Graphs[0].Tensors[a[i].Outputs[0]], ours.Graphs[0].Tensors[b[i].Outputs[0]]
		if math.Abs(float64(x.Quant.Scale[0]/y.Quant.Scale[0])-1) > 1e-6 || x.Quant.Zero[0] != y.Quant.Zero[0] {
			t.Errorf("operator %d: the result has %v, %v, TensorFlow's %v, %v", i, y.Quant.Scale, y.Quant.Zero, x.Quant.Scale, x.Quant.Zero)
		}
		if len(a[i].Inputs) < 3 {
			continue
		}
		x, y = theirs.Graphs[0].Tensors[a[i].Inputs[1]], ours.Graphs[0].Tensors[b[i].Inputs[1]]
		if !bytes.Equal(theirs.Buffers[x.Buffer], ours.Buffers[y.Buffer]) || x.Quant.Dim != y.Quant.Dim {
			t.Errorf("operator %d: the weights differ", i)
		}
	}
}

// heavy are a network's convolutions, sums and means.
func heavy(m *flat.Model) (ops []flat.Op) {
	for _, op := range m.Graphs[0].Ops {
		switch m.Codes[op.Code].Builtin {
		case flat.OpConv2D, flat.OpDepthwiseConv2D, flat.OpAdd, flat.OpMean:
			ops = append(ops, op)
		}
	}
	return ops
}
