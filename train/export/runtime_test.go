//go:build cgo && !nonative

package export_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/model"
	"gleaner/model/flat"
	"gleaner/model/tflite"
	"gleaner/train/engine"
	"gleaner/train/export"
	"gleaner/train/export/parity"
)

// rungs are the ways to compute a file that the tests try.
var rungs = []string{"xnnpack+qs8+qu8", "cpu"}

// open runs a written file on one rung of the delegate ladder.
func open(t *testing.T, b []byte, rung string) model.Runner {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.tflite")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	o := tflite.DefaultOptions()
	o.Rung = rung
	r, err := tflite.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// reference is a test network ready to answer, and what a file of it is made of.
func reference(t *testing.T, n network, spans map[string][2]float32) (*builder, *engine.Program, engine.Backend, *parity.Reference) {
	t.Helper()
	b, p, err := n.make(1, spans)
	if err != nil {
		t.Fatal(err)
	}
	back := newBackend()
	t.Cleanup(func() { back.Close() })
	if err := export.Load(back, p, b.values); err != nil {
		t.Fatal(err)
	}
	ref, err := parity.NewReference(back, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ref.Close() })
	return b, p, back, ref
}

// ranges are those of the values that fake quantisation sends through int8, on some pictures.
func (n network) ranges(back engine.Backend, p export.Pictures) (map[string][2]float32, error) {
	b, _, err := n.make(1, nil)
	if err != nil {
		return nil, err
	}
	prog, err := b.Evaluation(b.marked...)
	if err != nil {
		return nil, err
	}
	b.cut(prog)
	if err := export.Load(back, prog, b.values); err != nil {
		return nil, err
	}
	r, err := parity.NewReference(back, prog)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	spans := map[string][2]float32{}
	x := make([]float32, n.input.Size())
	for i := range p.N {
		if err := p.At(i, x); err != nil {
			return nil, err
		}
		out, err := r.Answer(x)
		if err != nil {
			return nil, err
		}
		for k, name := range b.marks {
			s, seen := spans[name]
			if !seen {
				s = [2]float32{out[k][0], out[k][0]}
			}
			spans[name] = [2]float32{min(s[0], slices.Min(out[k])), max(s[1], slices.Max(out[k]))}
		}
	}
	return spans, nil
}

// lively wants the network's answers to depend on the picture: parity of a network that always says the same is none.
func lively(t *testing.T, n network, ref *parity.Reference) {
	t.Helper()
	p := pictures(40, n.input, 2)
	x := make([]float32, n.input.Size())
	low, high := []float32{}, []float32{}
	for i := range p.N {
		if err := p.At(i, x); err != nil {
			t.Fatal(err)
		}
		out, err := ref.Answer(x)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			low, high = append(low, out[0]...), append(high, out[0]...)
		}
		for k, v := range out[0] {
			low[k], high[k] = min(low[k], v), max(high[k], v)
		}
	}
	for k := range low {
		if high[k]-low[k] > 0.1 {
			return
		}
	}
	t.Errorf("the answers are from %v to %v on all pictures", low, high)
}

// TestFilesAnswerAsNetworks writes each network as each kind and runs it, with XNNPACK and with the plain kernels.
func TestFilesAnswerAsNetworks(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			b, p, back, ref := reference(t, n, nil)
			lively(t, n, ref)
			for _, kind := range export.Kinds() {
				o := export.Options{Kind: kind, Calibration: &export.Calibration{Backend: back, Pictures: pictures(40, n.input, 1)}}
				f, err := export.Write(p, b.values, o)
				if err != nil {
					t.Fatal(err)
				}
				for _, rung := range rungs {
					r, err := parity.Verify(open(t, f.Bytes, rung), ref, pictures(40, n.input, 2), kind)
					if r == nil {
						t.Fatal(err)
					}
					for _, h := range r.Heads {
						if bar := map[export.Kind]float64{export.Float32: 1e-5, export.Float16: parity.Float16Bar, export.Int8: 0.3}[kind]; h.MaxDelta > bar || h.Agree < 36 {
							t.Errorf("%s on %s, head %s: |Δp| %.2g, %d of 40 answers alike", kind, rung, h.Name, h.MaxDelta, h.Agree)
						}
					}
				}
			}
		})
	}
}

// TestFakeQuantised writes networks with fake quantisation: the file rounds as they do, but for a last bit here and there.
func TestFakeQuantised(t *testing.T) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			spans, err := n.ranges(newBackend(), pictures(40, n.input, 1))
			if err != nil {
				t.Fatal(err)
			}
			b, p, _, ref := reference(t, n, spans)
			f, err := export.Write(p, b.values, export.Options{Kind: export.Int8})
			if err != nil {
				t.Fatal(err)
			}
			m, err := flat.Read(f.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if q := m.InputTensors()[0].Quant; n.input[0] > 1 && q.Scale[0] != (spans["x"][1]-spans["x"][0])/255 {
				t.Errorf("the input's scale is %v, trained was %v", q.Scale, spans["x"])
			}
			for _, rung := range rungs {
				r, err := parity.Verify(open(t, f.Bytes, rung), ref, pictures(40, n.input, 2), export.Int8)
				if r == nil {
					t.Fatal(err)
				}
				for _, h := range r.Heads {
					if h.MaxDelta > 0.04 || h.Agree < 39 {
						t.Errorf("on %s, head %s: |Δp| %.2g, %d of 40 answers alike", rung, h.Name, h.MaxDelta, h.Agree)
					}
				}
			}
		})
	}
}

// TestInt8InAndOut runs files whose inputs and outputs have other types.
func TestInt8InAndOut(t *testing.T) {
	n := find(t, "two heads")
	b, p, back, ref := reference(t, n, nil)
	for _, c := range []struct {
		name    string
		o       export.Options
		in, out model.Type
	}{
		{"int8", export.Options{}, model.Int8, model.Float32}, {"uint8", export.Options{Input: export.InputUInt8}, model.UInt8, model.Float32},
		{"float32", export.Options{Input: export.InputFloat32}, model.Float32, model.Float32}, {"integer", export.Options{Integer: true}, model.Int8, model.Int8},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Kind, c.o.Calibration = export.Int8, &export.Calibration{Backend: back, Pictures: pictures(40, n.input, 1), Clip: export.LeastSquares}
			f, err := export.Write(p, b.values, c.o)
			if err != nil {
				t.Fatal(err)
			}
			run := open(t, f.Bytes, rungs[0])
			if in, out := run.Inputs()[0], run.Outputs()[0]; in.Type != c.in || out.Type != c.out {
				t.Errorf("types %v and %v, want %v and %v", in.Type, out.Type, c.in, c.out)
			}
			r, err := parity.Verify(run, ref, pictures(40, n.input, 2), export.Int8)
			if r == nil {
				t.Fatal(err)
			}
			for _, h := range r.Heads {
				if h.MaxDelta > 0.05 {
					t.Errorf("head %s: |Δp| %.2g", h.Name, h.MaxDelta)
				}
			}
		})
	}
}

// TestUnevenSums adds what is tiny to what is not, as a residual block does whose last norm began at 0.
func TestUnevenSums(t *testing.T) {
	for _, tiny := range []float32{0, 1e-9, 1e-4, 1e-3, 0.01} {
		n := network{name: "uneven", input: engine.Shape{6, 6, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
			h := b.Relu("r", b.conv("c", x, 6, engine.Square(3, 1, 1), 1))
			y := b.norm("n", b.conv("c1", h, 6, engine.Square(3, 1, 1), 1))
			for i := range b.vars[b.byName["n/gamma"]] {
				b.vars[b.byName["n/gamma"]][i], b.vars[b.byName["n/beta"]][i] = tiny, 0
			}
			return one(b.Softmax("class", b.dense("d", b.Add("a", y, h), 4)))
		}}
		b, p, back, ref := reference(t, n, nil)
		f, err := export.Write(p, b.values, export.Options{Kind: export.Int8, Calibration: &export.Calibration{Backend: back, Pictures: pictures(40, n.input, 1)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, rung := range rungs {
			r, err := parity.Verify(open(t, f.Bytes, rung), ref, pictures(40, n.input, 2), export.Int8)
			if r == nil || r.Heads[0].MaxDelta > 0.1 {
				t.Errorf("a branch times %g on %s: %v, %v", tiny, rung, err, r)
			}
		}
	}
}

// TestPeaksAveraged takes the mean of maps that are 0 but for one peak: its range is many hundred times smaller than theirs.
func TestPeaksAveraged(t *testing.T) {
	n := network{name: "peaks", input: engine.Shape{40, 40, 3}, build: func(b *builder, x *engine.Node) []*engine.Node {
		h := b.conv("c", x, 4, engine.Square(1, 1, 0), 1)
		for i := range b.vars[b.byName["c/b"]] {
			b.vars[b.byName["c/b"]][i] = 0
		}
		return one(b.Softmax("class", b.Scale("s", b.dense("d", b.GlobalAvgPool("gap", b.Relu("r", h)), 4), 300)))
	}}
	b, p, back, ref := reference(t, n, nil)
	// One pixel in 1600 is not black.
	few := export.Pictures{N: 40, At: func(i int, dst []float32) error {
		clear(dst)
		copy(dst[3*(i*37%1600):], []float32{0.5 + float32(i)/80, 1, 0.2})
		return nil
	}}
	f, err := export.Write(p, b.values, export.Options{Kind: export.Int8, Calibration: &export.Calibration{Backend: back, Pictures: few}})
	if err != nil {
		t.Fatal(err)
	}
	for _, rung := range rungs {
		r, err := parity.Verify(open(t, f.Bytes, rung), ref, few, export.Int8)
		if r == nil || r.Heads[0].MaxDelta > 0.05 {
			t.Errorf("on %s: %v, %v", rung, err, r)
		}
	}
}

// TestMeansAreKept calibrates on the one picture that it then looks at: biases take up all that rounded weights change there.
func TestMeansAreKept(t *testing.T) {
	n := network{name: "means", input: engine.Shape{300}, build: func(b *builder, x *engine.Node) []*engine.Node {
		return one(b.dense("d2", b.Relu("r", b.dense("d1", x, 100)), 4))
	}}
	b, p, back, ref := reference(t, n, nil)
	picture := pictures(1, n.input, 1)
	var delta [2]float64
	for i, cal := range []*export.Calibration{nil, {Backend: back, Pictures: picture}} {
		f, err := export.Write(p, b.values, export.Options{Kind: export.Float16, Calibration: cal})
		if err != nil {
			t.Fatal(err)
		}
		r, err := parity.Verify(open(t, f.Bytes, "cpu"), ref, picture, export.Float16)
		if err != nil {
			t.Fatal(err)
		}
		delta[i] = r.Heads[0].MaxDelta
	}
	if delta[0] < 1e-5 || delta[1] > 1e-6 {
		t.Errorf("|Δp| is %.2g without calibration and %.2g with it", delta[0], delta[1])
	}
}
