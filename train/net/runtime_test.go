//go:build cgo && !nonative

package net

import (
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/model"
	"gleaner/model/flat"
	"gleaner/model/tflite"
	"gleaner/train/engine"
)

// tensors computes tensors of a file with the TFLite runtime's plain kernels, as real numbers by tensor. The input is x, in
// real numbers.
func tensors(t *testing.T, m *flat.Model, x []float32, ids []int) map[int][]float32 {
	t.Helper()
	c, err := m.Cut(ids...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.tflite")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := tflite.Open(path, tflite.Options{Threads: 1, Rung: "cpu", ProbeTimeout: tflite.DefaultOptions().ProbeTimeout})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fill(r.Inputs()[0], x)
	if err := r.Invoke(); err != nil {
		t.Fatal(err)
	}
	out := map[int][]float32{}
	for i, o := range r.Outputs() {
		out[ids[i]] = real32(t, o)
	}
	return out
}

// fill puts real numbers into a tensor.
func fill(in model.Tensor, x []float32) {
	for i, v := range x {
		switch in.Type {
		case model.Float32:
			binary.LittleEndian.PutUint32(in.Data[4*i:], math.Float32bits(v))
		default:
			in.Data[i] = byte(math.RoundToEven(float64(v/in.Scale)) + float64(in.Zero))
		}
	}
}

func real32(t *testing.T, o model.Tensor) []float32 {
	t.Helper()
	var y []float32
	switch o.Type {
	case model.Float32:
		for i := 0; i < len(o.Data); i += 4 {
			y = append(y, math.Float32frombits(binary.LittleEndian.Uint32(o.Data[i:])))
		}
	case model.Int8:
		for _, b := range o.Data {
			y = append(y, float32(int(int8(b))-o.Zero)*o.Scale)
		}
	case model.UInt8:
		for _, b := range o.Data {
			y = append(y, float32(int(b)-o.Zero)*o.Scale)
		}
	default:
		t.Fatalf("output %s has a type that is not known here", o.Name)
	}
	return y
}

// picture is a drawing with edges and slopes as a network's input, of numbers that are on the file's grid.
func picture(m *flat.Model, size int) []float32 {
	in := m.InputTensors()[0]
	r := rand.New(rand.NewPCG(7, 7))
	x := make([]float32, size*size*3)
	for i := range x {
		px, py, c := i/3%size, i/3/size, i%3
		v := 128 + 70*math.Sin(float64(px)/9+float64(c)) + 30*math.Cos(float64(py)/5) + 8*r.NormFloat64()
		if (px-size/2)*(px-size/2)+(py-size/3)*(py-size/3) < size*size/20 {
			v = 250 - 60*float64(c)
		}
		q := math.Round(min(max(v, 0), 255))
		switch {
		case in.Quant != nil && len(in.Quant.Scale) == 1:
			x[i] = float32(q-float64(in.Quant.Zero[0])) * in.Quant.Scale[0]
		default:
			x[i] = float32(q/127.5 - 1)
		}
	}
	return x
}

// imported is a file as a network.
type imported struct {
	*Net
	w Weights
}

func importFile(t *testing.T, m *flat.Model, o ImportOptions) imported {
	t.Helper()
	n, w, err := Import(m, o)
	if err != nil {
		t.Fatal(err)
	}
	return imported{n, w}
}

func (n imported) tensors() (ids []int) {
	for _, o := range n.Origins() {
		ids = append(ids, o.Tensor)
	}
	return ids
}

// trace runs an evaluation of one picture and gives what each layer makes.
func trace(t *testing.T, n *Net, w Weights, x []float32, o EvalOptions) map[string][]float32 {
	t.Helper()
	o.Logits = true
	p, err := n.Evaluation(1, o)
	if err != nil {
		t.Fatal(err)
	}
	b := newBackend()
	defer b.Close()
	if err := n.Load(b, w); err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	seen := map[string][]float32{}
	err = r.(engine.Tracer).Trace([][]float32{x}, func(s *engine.Step, _ *engine.Value, d []float32) {
		seen[strings.TrimSuffix(s.Op.Layer, normSuffix)] = slices.Clone(d)
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// plain is a float file: weights that are int8 beside float activations are written as the float numbers that they stand for,
// because the runtime otherwise rounds activations on the way.
func plain(t *testing.T, m *flat.Model) *flat.Model {
	t.Helper()
	c := *m
	c.Graphs, c.Buffers = slices.Clone(m.Graphs), slices.Clone(m.Buffers)
	c.Graphs[0].Tensors = slices.Clone(c.Graphs[0].Tensors)
	im := &importer{m: &c, g: &c.Graphs[0], consts: map[int][]float32{}}
	for i := range im.g.Tensors {
		ts := &im.g.Tensors[i]
		if ts.Type != flat.Int8 || len(c.Buffers[ts.Buffer]) == 0 {
			continue
		}
		w, err := im.constant(i)
		if err != nil {
			t.Fatal(err)
		}
		c.Buffers = append(c.Buffers, flat.Float32Bytes(w))
		ts.Type, ts.Quant, ts.Buffer = flat.Float32, nil, len(c.Buffers)-1
	}
	return &c
}

// TestFloatFilesAgree compares what each layer computes with the runtime: 1e-4 of the layer's greatest number.
func TestFloatFilesAgree(t *testing.T) {
	for _, c := range []struct {
		name, file string
		size       int
		o          ImportOptions
	}{
		{"float16", "ssd_oidv4_fp16.tflite", 96, ImportOptions{}},
		{"float16 with norms", "ssd_oidv4_fp16.tflite", 96, ImportOptions{Norms: true}},
		{"part int8", "mobilenet_v2_035_96_embedder_with_metadata.tflite", 96, ImportOptions{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := plain(t, load(t, c.file))
			c.o.Heads = []Head{{Name: "class", Classes: 3}}
			if c.size != m.InputTensors()[0].Shape[1] {
				c.o.Input = engine.Shape{c.size, c.size, 3}
			}
			n := importFile(t, m, c.o)
			if c.o.Input != nil {
				m = resized(t, m, n.tensors(), c.size)
			}
			x := picture(m, c.size)
			want := tensors(t, m, x, n.tensors())
			got := trace(t, n.Net, n.w, x, EvalOptions{})
			most := 0.0
			for _, o := range n.Origins() {
				y, ok := got[o.Layer]
				if !ok {
					continue // a reshape is no step
				}
				d, s := worst(y, want[o.Tensor])
				most = max(most, d/s)
				if d > 1e-4*s {
					t.Errorf("%s is off by %g of %g", o.Layer, d, s)
				}
			}
			t.Logf("%d layers, the worst is off by %.1e of its greatest number", len(n.Origins()), most)
		})
	}
}

// TestOperatorsAgree compares every operator that can be imported with the runtime.
func TestOperatorsAgree(t *testing.T) {
	m := every()
	n := importFile(t, m, ImportOptions{})
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, 14*10*3)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	want := tensors(t, m, x, n.tensors())
	got := trace(t, n.Net, n.w, x, EvalOptions{})
	seen := 0
	for _, o := range n.Origins() {
		y, ok := got[o.Layer]
		if !ok {
			continue
		}
		seen++
		if d, s := worst(y, want[o.Tensor]); d > 1e-5*s || s == 0 {
			t.Errorf("%s is off by %g of %g", o.Layer, d, s)
		}
	}
	if seen != 15 {
		t.Errorf("%d layers were compared", seen)
	}
}

// resized is the file up to the given tensors at another input size, with their numbers kept.
func resized(t *testing.T, m *flat.Model, ids []int, size int) *flat.Model {
	t.Helper()
	g := m.Graphs[0]
	g.Tensors, g.Ops = slices.Clone(g.Tensors), slices.Clone(g.Ops)
	last := slices.IndexFunc(g.Ops, func(op flat.Op) bool { return slices.Contains(op.Outputs, ids[len(ids)-1]) })
	g.Ops = g.Ops[:last+1]
	c := *m
	c.Graphs = []flat.Graph{g}
	c.Graphs[0].Ops = slices.DeleteFunc(c.Graphs[0].Ops, func(op flat.Op) bool {
		return m.Codes[op.Code].Builtin == flat.OpReshape && !slices.Contains(ids, op.Outputs[0]) ||
			m.Codes[op.Code].Builtin == flat.OpConcatenation && !slices.Contains(ids, op.Outputs[0])
	})
	if err := c.Resize(size, size); err != nil {
		t.Fatal(err)
	}
	return &c
}

// quantised are files of whole numbers, cut before poolings that want their own size.
var quantised = []struct {
	name, file, at string
	size           int
}{
	{"int8", "tf2_mobilenet_v2_1.0_224_ptq.tflite", "MobileNetV2/Conv2d_18_1/relu6/Relu6", 96},
	{"uint8", "mobilenet_v2_1.0_224_quant.tflite", "MobilenetV2/Conv_1/Relu6", 96},
	{"uint8 of a first kind", "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", "MobilenetV1/MobilenetV1/Conv2d_13_pointwise/Relu6", 96},
	{"with its pooling", "mobilenet_v1_0.25_128_quant.tflite", "", 128},
	{"ReLU6 in the range alone", "coco_ssd_mobilenet_v1_quant.tflite", "", 96},
}

// atSize is a file as a network for pictures of size×size, and the file at that size.
func atSize(t *testing.T, file, at string, size int) (imported, *flat.Model) {
	t.Helper()
	m := load(t, file)
	o := ImportOptions{Heads: []Head{{Name: "class", Classes: 3}}, At: at, Input: engine.Shape{size, size, 3}}
	n := importFile(t, m, o)
	if size == m.InputTensors()[0].Shape[1] {
		return n, m
	}
	return n, resized(t, m, n.tensors(), size)
}

// TestQuantisedLayersAgree gives each layer the numbers that the runtime gives it, and compares the result with the runtime's:
// within one step of the output's grid, half for the rounding that our numbers have not had, half for the runtime's own
// multiplication by whole numbers. So no layer's error hides behind those before it.
func TestQuantisedLayersAgree(t *testing.T) {
	for _, c := range quantised {
		t.Run(c.name, func(t *testing.T) {
			n, m := atSize(t, c.file, c.at, c.size)
			x := picture(m, c.size)
			all := tensors(t, m, x, n.tensors())
			all[m.Graphs[0].Inputs[0]] = x
			b := newBackend()
			defer b.Close()
			if err := n.Load(b, n.w); err != nil {
				t.Fatal(err)
			}
			most := 0.0
			for _, o := range n.Origins() {
				y := alone(t, b, n, o, m, all)
				step := float64(o.Range[1]-o.Range[0]) / 255
				for i := range y {
					y[i] = min(max(y[i], o.Range[0]), o.Range[1])
				}
				d, _ := worst(y, all[o.Tensor])
				most = max(most, d/step)
				if d > 1.001*step {
					t.Errorf("%s is off by %.2f steps", o.Layer, d/step)
				}
			}
			t.Logf("%d layers, the worst is off by %.2f steps", len(n.Origins()), most)
		})
	}
}

// TestQuantisedFilesAgree compares whole networks with the runtime, errors adding up from layer to layer: the quantised build,
// which rounds as the file does, in steps of each layer's grid, and the float network in parts of the layer's spread. The last
// convolutions of a MobileNetV2 multiply what went before by far; a layer that is wrong is off by 30 steps and more.
func TestQuantisedFilesAgree(t *testing.T) {
	for _, c := range quantised {
		t.Run(c.name, func(t *testing.T) {
			n, m := atSize(t, c.file, c.at, c.size)
			x := picture(m, c.size)
			want := tensors(t, m, x, n.tensors())
			if _, err := n.Evaluation(1, EvalOptions{Quantise: 8, FileWeights: true}); err != nil { // so that there are ranges
				t.Fatal(err)
			}
			rounded := trace(t, n.Net, withRanges(n), x, EvalOptions{Quantise: 8, FileWeights: true})
			float := trace(t, n.Net, withRanges(n), x, EvalOptions{})
			most, drift := 0.0, 0.0
			for _, o := range n.Origins() {
				if rounded[o.Layer] == nil {
					continue // a reshape is no step
				}
				y := want[o.Tensor]
				most = max(most, rms(rounded[o.Layer], y)/float64(o.Range[1]-o.Range[0])*255)
				drift = max(drift, rms(float[o.Layer], y)/rms(y, make([]float32, len(y))))
			}
			t.Logf("rounded, the worst layer is off by %.2f steps (rms); as floats, by %.3f of its spread", most, drift)
			if most > 16 {
				t.Errorf("rounded, a layer is off by %.1f steps", most)
			}
			if drift > 0.35 {
				t.Errorf("as floats, a layer is off by %.3f of its spread", drift)
			}
		})
	}
}

// withRanges are a file's weights with a range for the new layers behind it.
func withRanges(n imported) Weights {
	w := maps.Clone(n.w)
	for _, v := range n.Vars() {
		if w[v.Name] == nil {
			w[v.Name] = make([]float32, v.Shape.Size())
		}
	}
	return w
}

// alone computes one layer.
func alone(t *testing.T, b engine.Backend, n imported, o Origin, m *flat.Model, all map[int][]float32) []float32 {
	t.Helper()
	var shapes []engine.Shape
	var in [][]float32
	for _, k := range o.Reads {
		shapes, in = append(shapes, m.Graphs[0].Tensors[k].Shape), append(in, all[k])
	}
	p, err := n.LayerProgram(o.Layer, shapes...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	y := make([]float32, p.Outputs[0].Shape.Size())
	if err := engine.Run(r, in, [][]float32{y}); err != nil {
		t.Fatal(err)
	}
	return y
}
