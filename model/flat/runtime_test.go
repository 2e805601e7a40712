//go:build cgo && !nonative

package flat_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/flat"
	"gleaner/model/tflite"
)

// run computes a network with the real runtime: the input's bytes are drawn from seed, as -1 to 1 for floats. It
// returns the outputs, as stated and as real numbers.
func run(t *testing.T, m *flat.Model, seed uint64, o tflite.Options) ([]model.Tensor, [][]float32) {
	t.Helper()
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return runBytes(t, b, seed, o)
}

func runBytes(t *testing.T, b []byte, seed uint64, o tflite.Options) ([]model.Tensor, [][]float32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.tflite")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := tflite.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := r.Inputs()[0]
	rng := rand.New(rand.NewPCG(seed, 1))
	if in.Type == model.Float32 {
		for i := 0; i < len(in.Data); i += 4 {
			binary.NativeEndian.PutUint32(in.Data[i:], math.Float32bits(rng.Float32()*2-1))
		}
	} else {
		for i := range in.Data {
			in.Data[i] = byte(rng.Uint32())
		}
	}
	if err := r.Invoke(); err != nil {
		t.Fatal(err)
	}
	var vals [][]float32
	outs := slices.Clone(r.Outputs())
	for i, x := range outs {
		var v []float32
		switch x.Type {
		case model.Float32:
			for i := 0; i < len(x.Data); i += 4 {
				v = append(v, math.Float32frombits(binary.NativeEndian.Uint32(x.Data[i:])))
			}
		case model.UInt8:
			for _, q := range x.Data {
				v = append(v, x.Scale*float32(int(q)-x.Zero))
			}
		case model.Int8:
			for _, q := range x.Data {
				v = append(v, x.Scale*float32(int(int8(q))-x.Zero))
			}
		}
		vals = append(vals, v)
		outs[i].Data = nil
	}
	return outs, vals
}

func load(t *testing.T, rel string) (*flat.Model, []byte) {
	t.Helper()
	p := shared.Path(t, rel)
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := flat.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return m, b
}

func worst(t *testing.T, a, b []float32) float64 {
	t.Helper()
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("%d values beside %d", len(a), len(b))
	}
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// TestRewriteComputesTheSame takes real files apart, writes them anew and wants the same outputs, bit for bit.
func TestRewriteComputesTheSame(t *testing.T) {
	for _, f := range []string{"coco_ssd_mobilenet_v1_quant", "face_detection_full_range", "face_detection_short_range",
		"mobilenet_v1_0.25_128_quant", "mobilenet_v2_035_96_embedder_with_metadata", "mobilenet_v2_1.0_224_quant",
		"ssd_oidv4_fp16", "tf2_mobilenet_v2_1.0_224_ptq"} {
		t.Run(f, func(t *testing.T) {
			m, raw := load(t, "models/models/"+f+".tflite")
			_, want := runBytes(t, raw, 7, tflite.DefaultOptions())
			_, got := run(t, m, 7, tflite.DefaultOptions())
			for i := range want {
				if !slices.Equal(want[i], got[i]) {
					t.Errorf("output %d differs by up to %v", i, worst(t, want[i], got[i]))
				}
			}
		})
	}
}

func head(classes, d int) ([][]float32, []float32) {
	rng := rand.New(rand.NewPCG(3, 4))
	w, b := make([][]float32, classes), make([]float32, classes)
	for i := range w {
		b[i] = float32(rng.NormFloat64() * 0.1)
		for range d {
			w[i] = append(w[i], float32(rng.NormFloat64()*0.05))
		}
	}
	return w, b
}

// classify is the reference for Head, in double precision.
func classify(x []float32, w [][]float32, b []float32) []float32 {
	l, sum, top := make([]float64, len(w)), 0.0, math.Inf(-1)
	for k := range w {
		l[k] = float64(b[k])
		for i, v := range x {
			l[k] += float64(v) * float64(w[k][i])
		}
		top = max(top, l[k])
	}
	for k := range l {
		l[k] = math.Exp(l[k] - top)
		sum += l[k]
	}
	out := make([]float32, len(l))
	for k := range l {
		out[k] = float32(l[k] / sum)
	}
	return out
}

// TestHead appends heads to embeddings of each element type and compares with the reference.
func TestHead(t *testing.T) {
	for _, c := range []struct {
		name, file string
		cut        int // -1: the output as it is
		mean       bool
	}{
		{"float", "mobilenet_v2_035_96_embedder_with_metadata", -1, false},
		{"uint8", "mobilenet_v1_1.0_224_quant_embedding_extractor", -1, false},
		{"int8", "tf2_mobilenet_v2_1.0_224_ptq", 172, false},
		{"float16 weights, cut and mean", "ssd_oidv4_fp16", 213, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := load(t, "models/models/"+c.file+".tflite")
			cut := c.cut
			if cut < 0 {
				cut = m.Graphs[0].Outputs[0]
			}
			base, err := m.Cut(cut)
			if err != nil {
				t.Fatal(err)
			}
			if c.mean {
				if err := base.Mean(); err != nil {
					t.Fatal(err)
				}
			}
			_, x := run(t, base, 9, tflite.DefaultOptions())
			w, b := head(5, len(x[0]))
			if err := base.Head(w, b); err != nil {
				t.Fatal(err)
			}
			base.SetMeta(flat.Meta{Name: "t", Colour: "rgb", Mean: []float32{127.5}, Std: []float32{127.5}}, []byte("고양이\n개\nc\nd\ne\n"))
			outs, got := run(t, base, 9, tflite.DefaultOptions())
			if d := worst(t, got[0], classify(x[0], w, b)); d > 1e-6 {
				t.Errorf("differs from the reference by %v", d)
			} else {
				t.Logf("worst difference %.1e, output %v", d, outs[0].Shape)
			}
		})
	}
}

// TestCutShrinks wants the dead weights gone from the file.
func TestCutShrinks(t *testing.T) {
	m, raw := load(t, "models/models/ssd_oidv4_fp16.tflite")
	c, err := m.Cut(213)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, tt := range c.Graphs[0].Tensors {
		want += len(c.Buffers[tt.Buffer])
	}
	t.Logf("%d operators of %d, %d bytes of %d, weights %d", len(c.Graphs[0].Ops), len(m.Graphs[0].Ops), len(b), len(raw), want)
	if len(b) > want+100_000 || len(b) > len(raw)/2 {
		t.Errorf("the cut file has %d bytes for %d bytes of weights", len(b), want)
	}
}

// TestResize runs the backbone at several sizes: the runtime must agree on the shape, and the mean of the uncut map
// must be the embedding.
func TestResize(t *testing.T) {
	m, _ := load(t, "models/models/ssd_oidv4_fp16.tflite")
	for _, s := range []struct{ h, w, oh, ow int }{{96, 96, 3, 3}, {128, 160, 4, 5}, {224, 224, 7, 7}, {300, 300, 10, 10}} {
		c, err := m.Cut(213)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Resize(s.h, s.w); err != nil {
			t.Fatal(err)
		}
		if got := c.OutputTensors()[0].Shape; !slices.Equal(got, []int{1, s.oh, s.ow, 1280}) {
			t.Errorf("%d×%d: the map is worked out as %v", s.w, s.h, got)
		}
		outs, full := run(t, c, 5, tflite.DefaultOptions())
		if !slices.Equal(outs[0].Shape, []int{1, s.oh, s.ow, 1280}) {
			t.Errorf("%d×%d: the runtime says %v", s.w, s.h, outs[0].Shape)
		}
		if err := c.Mean(); err != nil {
			t.Fatal(err)
		}
		_, got := run(t, c, 5, tflite.DefaultOptions())
		want := make([]float32, 1280)
		for k := range want {
			sum := 0.0
			for i := k; i < len(full[0]); i += 1280 {
				sum += float64(full[0][i])
			}
			want[k] = float32(sum / float64(s.oh*s.ow))
		}
		if d := worst(t, got[0], want); d > 2e-6 {
			t.Errorf("%d×%d: the mean differs by %v", s.w, s.h, d)
		}
		if err := c.L2Norm(); err != nil {
			t.Fatal(err)
		}
		_, unit := run(t, c, 5, tflite.DefaultOptions())
		sum := 0.0
		for _, v := range unit[0] {
			sum += float64(v) * float64(v)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("%d×%d: squared length %v after L2Norm", s.w, s.h, sum)
		}
	}
}

// TestMeanOfSeveral joins the means of two maps and compares with each on its own.
func TestMeanOfSeveral(t *testing.T) {
	m, _ := load(t, "models/models/ssd_oidv4_fp16.tflite")
	var want []float32
	for _, cut := range [][]int{{195}, {213}, {195, 213}} {
		c, err := m.Cut(cut...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Resize(96, 96); err != nil {
			t.Fatal(err)
		}
		if err := c.Mean(); err != nil {
			t.Fatal(err)
		}
		outs, got := run(t, c, 5, tflite.DefaultOptions())
		if len(cut) == 1 {
			want = append(want, got[0]...)
		} else if d := worst(t, got[0], want); d > 0 || outs[0].Shape[1] != 576+1280 {
			t.Errorf("output %v differs by %v", outs[0].Shape, d)
		}
	}
}

// TestBuild writes a network of one convolution, one pooling and a head from nothing.
func TestBuild(t *testing.T) {
	m := flat.New("built in a test")
	rng := rand.New(rand.NewPCG(1, 2))
	rnd := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64() * 0.3)
		}
		return v
	}
	cw, cb := rnd(4*3*3*3), rnd(4)
	in := m.AddTensor("image", flat.Float32, 1, 8, 8, 3)
	w := m.AddConst("conv/w", flat.Float32, flat.Float32Bytes(cw), 4, 3, 3, 3)
	b := m.AddConst("conv/b", flat.Float32, flat.Float32Bytes(cb), 4)
	c := m.AddTensor("conv", flat.Float32, 1, 4, 4, 4)
	m.AddOp(flat.OpConv2D, 1, []int{in, w, b}, []int{c}, flat.Conv2DOptions(flat.PadSame, 2, 2, flat.ActRelu))
	m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{in}, []int{c}
	_, conv := run(t, m, 11, tflite.DefaultOptions())

	// The same input as run draws it.
	r := rand.New(rand.NewPCG(11, 1))
	x := make([]float32, 8*8*3)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	want := make([]float32, 4*4*4)
	for y := range 4 {
		for xx := range 4 {
			for k := range 4 {
				s := float64(cb[k])
				for i := range 3 {
					for j := range 3 {
						if 2*y+i > 7 || 2*xx+j > 7 {
							continue
						}
						for ch := range 3 {
							s += float64(x[((2*y+i)*8+2*xx+j)*3+ch]) * float64(cw[((k*3+i)*3+j)*3+ch])
						}
					}
				}
				want[(y*4+xx)*4+k] = float32(max(s, 0))
			}
		}
	}
	if d := worst(t, conv[0], want); d > 1e-6 {
		t.Errorf("the convolution differs by %v", d)
	}
}
