package flat

import (
	"archive/zip"
	"bytes"
	"errors"
	"slices"
	"testing"

	"gleaner/internal/shared"
)

// tiny is a small network with a head, options, quantisation, metadata and labels.
func tiny(t testing.TB) []byte {
	t.Helper()
	m := New("tiny")
	in := m.AddTensor("image", UInt8, 1, 2, 2, 1)
	m.Graphs[0].Tensors[in].Quant = &Quant{Scale: []float32{1. / 128}, Zero: []int64{128}}
	m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{in}, []int{in}
	if err := m.Mean(); err != nil {
		t.Fatal(err)
	}
	y := m.AddTensor("flat", Float32, 1, 1)
	m.AddOp(OpReshape, 1, []int{m.Graphs[0].Outputs[0]}, []int{y}, ReshapeOptions(1, 1))
	m.Graphs[0].Outputs[0] = y
	if err := m.Head([][]float32{{1}, {-1}}, []float32{0, 0.5}); err != nil {
		t.Fatal(err)
	}
	m.SetMeta(Meta{Name: "tiny", Description: "d", Colour: "gray", Mean: []float32{127.5}, Std: []float32{127.5}}, []byte("고양이\n개\n"))
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWriteThenRead(t *testing.T) {
	b := tiny(t)
	m, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := m.Meta()
	if err != nil {
		t.Fatal(err)
	}
	if meta.Name != "tiny" || meta.Colour != "gray" || !slices.Equal(meta.Std, []float32{127.5}) || string(m.File(meta.LabelsFile)) != "고양이\n개\n" {
		t.Errorf("metadata is %+v, labels %q", meta, m.File(meta.LabelsFile))
	}
	if q := m.InputTensors()[0].Quant; q == nil || q.Scale[0] != 1./128 || q.Zero[0] != 128 {
		t.Errorf("quantisation is %+v", q)
	}
	g := m.Graphs[0]
	var ops []int
	for _, op := range g.Ops {
		ops = append(ops, m.Codes[op.Code].Builtin)
	}
	if want := []int{OpDequantize, OpMean, OpReshape, OpFullyConnected, OpSoftmax}; !slices.Equal(ops, want) {
		t.Errorf("operators are %v, want %v", ops, want)
	}
	if f := g.Ops[2].Options.Fields; len(f) != 1 || !bytes.Equal(f[0].Vector, Int32Bytes([]int{1, 1})) {
		t.Errorf("options of RESHAPE are %+v", f)
	}
	again, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, b) {
		t.Error("writing what was read gives other bytes")
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "labels.txt" {
		t.Errorf("the archive behind the network: %v", err)
	}
}

func TestCutRefuses(t *testing.T) {
	m, err := Read(tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Cut(m.FindTensor("head/weights")); err == nil {
		t.Error("a constant was cut out as a network")
	}
	if _, err := m.Cut(999); err == nil {
		t.Error("a tensor that is not there was cut out")
	}
	if err := m.Head([][]float32{{1, 2, 3}}, []float32{0}); err == nil {
		t.Error("a head of another width was appended")
	}
	if err := m.Resize(4, 4); !errors.Is(err, ErrUnsupported) {
		// RESHAPE has its shape fixed, but behind the MEAN nothing changes: the resize must work.
		if err != nil {
			t.Errorf("resize: %v", err)
		}
	}
}

func TestMetaOfRealFile(t *testing.T) {
	m, err := ReadFile(shared.Path(t, "models/models/mobilenet_v2_035_96_embedder_with_metadata.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	meta, err := m.Meta()
	if err != nil || meta == nil {
		t.Fatalf("metadata is %v, %v", meta, err)
	}
	t.Logf("%+v, files %d", meta, len(m.Files))
}

// FuzzRead feeds the reader with anything: it must not panic, and what it accepts must be writable or say why not.
func FuzzRead(f *testing.F) {
	b := tiny(f)
	f.Add(b)
	for _, n := range []int{0, 4, 8, 40, len(b) / 2, len(b) - 30} {
		f.Add(b[:n])
	}
	for i := 0; i < len(b); i += 37 {
		c := bytes.Clone(b)
		c[i] ^= 0xff
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(b)
		if err != nil {
			if !errors.Is(err, ErrNotTFLite) && !errors.Is(err, ErrDamaged) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		_, _ = m.Meta()
		for _, ts := range append(m.InputTensors(), m.OutputTensors()...) {
			_ = ts.String()
		}
		out, err := m.Bytes()
		if err != nil {
			return
		}
		if _, err := Read(out); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
		if len(m.Graphs[0].Outputs) > 0 {
			if c, err := m.Cut(m.Graphs[0].Outputs...); err == nil {
				_ = c.Resize(8, 8)
			}
		}
	})
}
