package export_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/model/flat"
	"gleaner/train/engine"
	"gleaner/train/export"
)

// find is the test network of that name.
func find(t *testing.T, name string) network {
	t.Helper()
	for _, n := range networks {
		if n.name == name {
			return n
		}
	}
	t.Fatalf("no network is called %q", name)
	return network{}
}

// write writes a test network and reads it back.
func write(t *testing.T, n network, o export.Options) (*builder, *flat.Model, []byte) {
	t.Helper()
	b, p, err := n.make(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind == export.Int8 {
		back := newBackend()
		defer back.Close()
		if err := export.Load(back, p, b.values); err != nil {
			t.Fatal(err)
		}
		o.Calibration = &export.Calibration{Backend: back, Pictures: pictures(8, n.input, 1)}
	}
	f, err := export.Write(p, b.values, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := flat.Read(f.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return b, m, f.Bytes
}

func codes(m *flat.Model) (c []int) {
	for _, op := range m.Graphs[0].Ops {
		c = append(c, m.Codes[op.Code].Builtin)
	}
	return c
}

// TestOperators says which operators the networks become.
func TestOperators(t *testing.T) {
	const (
		conv, dw, fc, soft   = flat.OpConv2D, flat.OpDepthwiseConv2D, flat.OpFullyConnected, flat.OpSoftmax
		pad, reshape, deq, q = flat.OpPad, flat.OpReshape, flat.OpDequantize, flat.OpQuantize
		mean, add, concat    = flat.OpMean, flat.OpAdd, flat.OpConcatenation
		maxp, avg, mul       = flat.OpMaxPool2D, flat.OpAveragePool2D, flat.OpMul
	)
	for _, c := range []struct {
		network string
		o       export.Options
		want    []int
	}{
		{"conv same", export.Options{Kind: export.Float32}, []int{conv, reshape, fc, soft}},
		{"conv same", export.Options{Kind: export.Float16}, []int{conv, reshape, deq, fc, soft}},
		{"conv same", export.Options{Kind: export.Int8}, []int{conv, reshape, reshape, conv, deq, reshape, soft}},
		{"conv same", export.Options{Kind: export.Int8, Input: export.InputUInt8}, []int{q, conv, reshape, reshape, conv, deq, reshape, soft}},
		{"conv same", export.Options{Kind: export.Int8, Integer: true}, []int{conv, reshape, reshape, conv, reshape, soft}},
		{"conv padded at the front", export.Options{Kind: export.Float32}, []int{pad, conv, reshape, fc, soft}},
		{"depthwise", export.Options{Kind: export.Float32}, []int{conv, dw, dw, mean, reshape, fc, soft}},
		{"depthwise", export.Options{Kind: export.Int8}, []int{conv, dw, dw, mean, conv, deq, reshape, soft}},
		{"grouped", export.Options{Kind: export.Float32}, []int{flat.OpSlice, conv, flat.OpSlice, conv, concat, reshape, fc, soft}},
		{"residual blocks", export.Options{Kind: export.Float32}, []int{conv, pad, maxp, conv, conv, add, conv, add, mean, reshape, fc, soft}},
		{"dense block", export.Options{Kind: export.Float32}, []int{conv, dw, conv, concat, dw, conv, concat, dw, conv, concat, dw, conv, avg, mean, reshape,
			fc, soft}},
		{"features", export.Options{Kind: export.Float32}, []int{reshape, dw, reshape, fc, fc, soft}},
		{"pools", export.Options{Kind: export.Float32}, []int{maxp, flat.OpPadV2, maxp, avg, pad, avg, mul, mean, reshape, mean, reshape, reshape, reshape,
			concat, fc, soft}},
	} {
		t.Run(c.network+" "+string(c.o.Kind), func(t *testing.T) {
			_, m, _ := write(t, find(t, c.network), c.o)
			if got := codes(m); !slices.Equal(got, c.want) && !samePools(c.network, got, c.want) {
				t.Errorf("operators are\n%v, want\n%v", got, c.want)
			}
		})
	}
}

// samePools compares without the order of the four branches, which is gorgonia's.
func samePools(network string, a, b []int) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return network == "pools" && slices.Equal(a, b)
}

func TestDeterministic(t *testing.T) {
	for _, kind := range export.Kinds() {
		for _, n := range networks {
			_, m, first := write(t, n, export.Options{Kind: kind})
			_, _, second := write(t, n, export.Options{Kind: kind})
			if !bytes.Equal(first, second) {
				t.Errorf("%s as %s: two files of one network differ", n.name, kind)
			}
			// The order of an operator's options is the reader's, so that only the size can be compared.
			if again, err := m.Bytes(); err != nil || len(again) != len(first) {
				t.Errorf("%s as %s: what is read back is written otherwise, %v", n.name, kind, err)
			}
		}
	}
}

// TestFusedIsTheSame writes programs whose activations a backend has fused already.
func TestFusedIsTheSame(t *testing.T) {
	for _, n := range networks {
		b, p, err := n.make(1, nil)
		if err != nil {
			t.Fatal(err)
		}
		var files [2][]byte
		for i, p := range []*engine.Program{p, engine.Fuse(p)} {
			f, err := export.Write(p, b.values, export.Options{Kind: export.Float32})
			if err != nil {
				t.Fatal(err)
			}
			files[i] = f.Bytes
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s: the fused program gives another file", n.name)
		}
	}
}

// floats are a constant's numbers.
func floats(t *testing.T, m *flat.Model, name string) ([]float32, flat.Tensor) {
	t.Helper()
	i := m.FindTensor(name)
	if i < 0 {
		t.Fatalf("no tensor is called %q", name)
	}
	ts := m.Graphs[0].Tensors[i]
	var v []float32
	for b := m.Buffers[ts.Buffer]; len(b) >= 4; b = b[4:] {
		v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return v, ts
}

// TestNormsAreFolded compares the written weights with γ/sqrt(σ²+ε), and those of a depthwise convolution in TFLite's order.
func TestNormsAreFolded(t *testing.T) {
	b, m, _ := write(t, find(t, "depthwise"), export.Options{Kind: export.Float32})
	of := func(name string) []float32 { return b.vars[b.byName[name]] }
	for _, c := range []struct {
		layer, norm string
		depthwise   bool
	}{{"e", "ne", false}, {"c", "n", true}} {
		w, wt := floats(t, m, c.layer+"/w")
		bias, _ := floats(t, m, c.layer+"/b")
		before, per := of(c.layer+"/w"), len(w)/len(bias)
		for k := range bias {
			s := float64(of(c.norm + "/gamma")[k]) / math.Sqrt(float64(of(c.norm + "/var")[k])+1e-5)
			want := (float64(of(c.layer + "/b")[k])-float64(of(c.norm + "/mean")[k]))*s + float64(of(c.norm + "/beta")[k])
			if math.Abs(float64(bias[k])-want) > 1e-6 {
				t.Errorf("%s: bias %d is %v, want %v", c.layer, k, bias[k], want)
			}
			for i := range per {
				at := k*per + i
				if c.depthwise {
					at = i*len(bias) + k
				}
				if want := float64(before[k*per+i]) * s; math.Abs(float64(w[at])-want) > 1e-6 {
					t.Errorf("%s: weight %d of channel %d is %v, want %v", c.layer, i, k, w[at], want)
				}
			}
		}
		if want := []int{1, 3, 3, 8}; c.depthwise && !slices.Equal(wt.Shape, want) {
			t.Errorf("%s: the weights are %v, want %v", c.layer, wt.Shape, want)
		}
	}
}

// TestQuantisation checks what TensorFlow Lite's specification demands of an int8 file.
func TestQuantisation(t *testing.T) {
	for _, n := range networks {
		_, m, _ := write(t, n, export.Options{Kind: export.Int8})
		g := m.Graphs[0]
		for i, op := range g.Ops {
			in := func(k int) *flat.Tensor { return &g.Tensors[op.Inputs[k]] }
			out := &g.Tensors[op.Outputs[0]]
			same := func(a *flat.Tensor) bool {
				return a.Quant.Scale[0] == out.Quant.Scale[0] && a.Quant.Zero[0] == out.Quant.Zero[0]
			}
			switch m.Codes[op.Code].Builtin {
			case flat.OpConv2D, flat.OpDepthwiseConv2D:
				w, b := in(1), in(2)
				if dim := map[int]int{flat.OpConv2D: 0, flat.OpDepthwiseConv2D: 3}[m.Codes[op.Code].Builtin]; w.Quant.Dim != dim ||
					len(w.Quant.Scale) != w.Shape[dim] || len(b.Quant.Scale) != w.Shape[dim] || w.Type != flat.Int8 || b.Type != flat.Int32 {
					t.Errorf("%s, operator %d: weights %v with %d scales along %d, biases %v", n.name, i, w, len(w.Quant.Scale), w.Quant.Dim, b)
				}
				for k, s := range w.Quant.Scale {
					if want := s * in(0).Quant.Scale[0]; b.Quant.Scale[k] != want || w.Quant.Zero[k] != 0 {
						t.Errorf("%s, operator %d: the bias' scale %d is %v, want %v", n.name, i, k, b.Quant.Scale[k], want)
					}
				}
				if slices.Contains(m.Buffers[w.Buffer], 0x80) {
					t.Errorf("%s, operator %d: a weight is -128", n.name, i)
				}
			case flat.OpMaxPool2D, flat.OpAveragePool2D, flat.OpReshape, flat.OpSlice, flat.OpPad, flat.OpPadV2:
				if out.Type == flat.Int8 && !same(in(0)) {
					t.Errorf("%s, operator %d: %v and %v have two scales", n.name, i, in(0), out)
				}
			case flat.OpConcatenation:
				for k := range op.Inputs {
					if !same(in(k)) {
						t.Errorf("%s, operator %d: %v and %v have two scales", n.name, i, in(k), out)
					}
				}
			}
		}
	}
}

func TestMetadata(t *testing.T) {
	labels := []byte("glass\npaper\nmetal\nplastic\n")
	meta := flat.Meta{Name: "waste", Description: "four materials", Colour: "rgb", Mean: []float32{127.5}, Std: []float32{127.5}}
	_, m, _ := write(t, find(t, "conv same"), export.Options{Kind: export.Int8, Meta: meta, Labels: labels})
	got, err := m.Meta()
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "waste" || got.Colour != "rgb" || !slices.Equal(got.Std, meta.Std) || !bytes.Equal(m.File(got.LabelsFile), labels) {
		t.Errorf("metadata is %+v, labels %q", got, m.File(got.LabelsFile))
	}
	if q := m.InputTensors()[0].Quant; math.Abs(float64(q.Scale[0])*255/2-1) > 2e-4 {
		t.Errorf("the input's scale is %v for pixels from -1 to 1", q.Scale)
	}
}

func TestCannotBeWritten(t *testing.T) {
	conv := func(b *builder, x *engine.Node) *engine.Node { return b.conv("c", x, 4, engine.Square(3, 1, 1), 1) }
	class := func(b *builder, h *engine.Node) []*engine.Node { return one(b.Softmax("class", b.dense("d", h, 4))) }
	set := func(name string, at int, v float32) func(b *builder) {
		return func(b *builder) { b.vars[b.byName[name]][at] = v }
	}
	for _, c := range []struct {
		name    string
		kind    export.Kind
		batch   int
		spans   map[string][2]float32
		build   func(b *builder, x *engine.Node) []*engine.Node
		spoil   func(b *builder)
		message string
	}{
		{name: "unknown kind", kind: "int4", build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, x)) },
			message: `export: kind "int4" is none of [float32 float16 int8]`},
		{name: "a batch", kind: export.Float32, batch: 2, build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, x)) },
			message: "layer x: the input is [2 6 6 3]; a batch of 1 is wanted"},
		{name: "training's batch norm", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node {
			y, _, _ := b.BatchNorm("bn", x, b.v("g", 1, 0, 3), b.v("b", 0, 0, 3), 1e-5)
			return class(b, y)
		}, message: "layer bn: the operator batchnorm cannot be written as TensorFlow Lite"},
		{name: "two inputs", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node {
			return class(b, b.Add("a", x, b.Input("y", 1, 6, 6, 3)))
		}, message: "layer y: it is a second input beside x"},
		{name: "weights that are computed", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node {
			return class(b, b.Conv2D("c", x, b.Scale("s", b.v("w", 0, 1, 4, 3, 3, 3), 2), nil, engine.Conv{}))
		}, message: "layer s: its input [4 3 3 3] is no activation"},
		{name: "nothing in between", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node { return one(x) },
			message: "the output is the input itself"},
		{name: "a weight that is no number", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, x)) },
			spoil: set("c/w", 7, float32(math.NaN())), message: "layer c: c/w holds NaN at place 7"},
		{name: "a variable without value", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, x)) },
			spoil: func(b *builder) { b.vars[b.byName["d/w"]] = nil }, message: "layer d: d/w has 0 values for the shape [4 144]"},
		{name: "a variance below 0", kind: export.Float32, build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, b.norm("n", conv(b, x))) },
			spoil: set("n/var", 1, -1), message: "layer n: the variance of channel 1 is -1"},
		{name: "too large for float16", kind: export.Float16, build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, x)) },
			spoil: set("d/w", 2, 7e4), message: "layer d: the weight 70000 is too large for float16"},
		{name: "fake quantisation as float", kind: export.Float32, spans: map[string][2]float32{"c": {0, 1}},
			build:   func(b *builder, x *engine.Node) []*engine.Node { return class(b, b.q("c", conv(b, x))) },
			message: "write it as int8, or evaluate the network without"},
		{name: "nothing tracked", kind: export.Int8, spans: map[string][2]float32{"c": {0, 0}},
			build:   func(b *builder, x *engine.Node) []*engine.Node { return class(b, b.q("c", conv(b, x))) },
			message: "layer c: training left the range 0 to 0: nothing was tracked"},
		{name: "input without range", kind: export.Int8, build: func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, x)) },
			message: "layer x: the input has no range: calibrate, or state mean and std"},
		{name: "layer without range", kind: export.Int8, spans: map[string][2]float32{"x": {-1, 1}},
			build:   func(b *builder, x *engine.Node) []*engine.Node { return class(b, conv(b, b.q("x", x))) },
			message: "layer c: nothing says what range its values have: calibrate on pictures"},
		{name: "a range that is much too narrow", kind: export.Int8, spans: map[string][2]float32{"x": {-1, 1}, "c": {0, 1e-6}, "d": {0, 1}},
			build: func(b *builder, x *engine.Node) []*engine.Node {
				return one(b.Softmax("class", b.q("d", b.dense("d", b.q("c", conv(b, b.q("x", x))), 4))))
			},
			message: "layer c: channel 0 gives values far outside the range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, p, err := network{name: c.name, input: engine.Shape{6, 6, 3}, build: c.build}.make(max(c.batch, 1), c.spans)
			if err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				c.spoil(b)
			}
			_, err = export.Write(p, b.values, export.Options{Kind: c.kind})
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Fatalf("the error is %v, want %q", err, c.message)
			}
			var le *engine.LayerError
			if strings.HasPrefix(c.message, "layer") && !errors.As(err, &le) {
				t.Errorf("%v has no engine.LayerError in it", err)
			}
		})
	}
}

func TestTrainingProgramIsRefused(t *testing.T) {
	w := &engine.Var{Name: "w", Shape: engine.Shape{4, 3}}
	var loss *engine.Node
	g, err := engine.Build(func(g *engine.Graph) {
		loss = g.SoftmaxLoss("loss", g.Dense("d", g.Input("x", 1, 3), g.Var(w), nil), g.Input("y", 1, 4), engine.Loss{})
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := g.Training(loss, []*engine.Var{w}, engine.Optimiser{Kind: "sgd", State: func(v *engine.Var, name string, r engine.Role) *engine.Var {
		return &engine.Var{Name: name, Shape: v.Shape, Role: r}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := export.Write(p, func(v *engine.Var) []float32 { return make([]float32, v.Shape.Size()) }, export.Options{Kind: export.Float32}); err == nil {
		t.Error("a training program was written")
	}
}

func TestCalibrationFails(t *testing.T) {
	n := find(t, "conv same")
	b, p, err := n.make(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	back := newBackend()
	defer back.Close()
	if err := export.Load(back, p, b.values); err != nil {
		t.Fatal(err)
	}
	named := func(at func(i int, dst []float32) error) export.Pictures {
		return export.Pictures{N: 3, Name: func(int) string { return "glass/1.jpg" }, At: at}
	}
	for _, c := range []struct {
		name    string
		c       export.Calibration
		message string
	}{
		{"no pictures", export.Calibration{Backend: back}, "a backend and at least one picture are needed"},
		{"no backend", export.Calibration{Pictures: pictures(1, n.input, 1)}, "a backend and at least one picture are needed"},
		{"a picture that cannot be read", export.Calibration{Backend: back, Pictures: named(func(int, []float32) error { return errors.New("broken") })},
			"calibrate on picture 0 (glass/1.jpg): broken"},
		{"a picture that is no number", export.Calibration{Backend: back, Pictures: named(func(_ int, dst []float32) error {
			dst[5] = float32(math.NaN())
			return nil
		})}, "calibrate on picture 0 (glass/1.jpg): value 5 is NaN"},
		{"values that grow out of bounds", export.Calibration{Backend: back, Pictures: named(func(_ int, dst []float32) error {
			for k := range dst {
				dst[k] = math.MaxFloat32
			}
			return nil
		})}, "calibrate on picture 0 (glass/1.jpg): layer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range []export.Kind{export.Float16, export.Int8} {
				_, err := export.Write(p, b.values, export.Options{Kind: kind, Calibration: &c.c})
				if err == nil || !strings.Contains(err.Error(), c.message) {
					t.Errorf("%s: the error is %v, want %q", kind, err, c.message)
				}
			}
		})
	}
}
