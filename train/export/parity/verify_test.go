package parity

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"gleaner/model"
	"gleaner/model/modeltest"
	"gleaner/train/export"
)

// answers is a network of one number per picture: its class is 1 where that is from 0.5 on.
func answers(batch int, g Gate) *Reference {
	out := make([]float32, 2*batch)
	return &Reference{Heads: []Head{{"class", g}}, Batch: batch, Answer: func(x []float32) ([][]float32, error) {
		for i := range batch {
			out[2*i], out[2*i+1] = 1-x[i], x[i]
		}
		return [][]float32{out}, nil
	}}
}

// file answers as f says.
func file(f func(x float32) [2]float32) *modeltest.Fake {
	m := modeltest.NewFake(modeltest.Shape{1, 1}, modeltest.Shape{1, 2})
	m.Compute = func(in, out []model.Tensor) error {
		y := f(math.Float32frombits(binary.NativeEndian.Uint32(in[0].Data)))
		for i, v := range y {
			binary.NativeEndian.PutUint32(out[0].Data[4*i:], math.Float32bits(v))
		}
		return nil
	}
	return m
}

// shares are pictures of one number, each its own share of n.
func shares(n int) export.Pictures {
	return export.Pictures{N: n, Name: func(i int) string { return "p" }, At: func(i int, dst []float32) error {
		dst[0] = (float32(i) + 0.5) / float32(n)
		return nil
	}}
}

func TestVerifyFloat(t *testing.T) {
	shifted := func(at, by float32) func(x float32) [2]float32 {
		return func(x float32) [2]float32 {
			if x == at {
				x += by
			}
			return [2]float32{1 - x, x}
		}
	}
	for _, c := range []struct {
		name string
		kind export.Kind
		by   float32
		fail bool
	}{{"float32 within", export.Float32, 9e-5, false}, {"float32 beyond", export.Float32, 1.2e-4, true}, {"float16 within", export.Float16, 4e-3, false},
		{"float16 beyond", export.Float16, 6e-3, true}} {
		t.Run(c.name, func(t *testing.T) {
			p := shares(10)
			p.Name = func(i int) string { return []string{"a", "b", "c", "glass/7.jpg"}[min(i, 3)] }
			r, err := Verify(file(shifted(0.35, c.by)), answers(4, Softmax), p, c.kind)
			if r == nil {
				t.Fatal(err)
			}
			if h := r.Heads[0]; math.Abs(h.MaxDelta-float64(c.by)) > 1e-7 || h.Picture != 3 || h.Agree != 10 || r.N != 10 {
				t.Errorf("report %+v", h)
			}
			var pe *ParityError
			if errors.As(err, &pe) != c.fail {
				t.Fatalf("the error is %v", err)
			}
			if c.fail && (!strings.Contains(err.Error(), "picture 3 (glass/7.jpg)") || pe.Report != r) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestVerifyInt8(t *testing.T) {
	// wrong answers n pictures otherwise than the network, from the first on.
	wrong := func(pictures, n int) func(x float32) [2]float32 {
		return func(x float32) [2]float32 {
			if x < float32(n)/float32(pictures) {
				x = 1 - x
			}
			return [2]float32{1 - x, x}
		}
	}
	// lazy wants class 0 of all, so that the network is right on the first half of the pictures.
	want := func(i int) [][]float32 { return [][]float32{{1, 0}} }
	for _, c := range []struct {
		name        string
		pictures, n int
		want        func(i int) [][]float32
		mayLose     float64
		message     string
	}{
		{name: "all alike", pictures: 300},
		{name: "few pictures, and more may be lost", pictures: 200, mayLose: 0.02},
		{name: "more lost than may be", pictures: 1000, n: 20, mayLose: 0.02, want: want, message: "and 2 is allowed"},
		{name: "too few pictures", pictures: 200, message: "more pictures may settle it"},
		{name: "one of a thousand", pictures: 1000, n: 1},
		{name: "two points lost", pictures: 1000, n: 20, want: want, message: "the network's alone is right 20 times and the file's alone 0 times"},
		{name: "no labels", pictures: 1000, n: 20, message: "the network's alone is as the network's 20 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := shares(c.pictures)
			p.Want = c.want
			net := answers(7, Softmax)
			net.MayLose = c.mayLose
			r, err := Verify(file(wrong(c.pictures, c.n)), net, p, export.Int8)
			if r == nil {
				t.Fatal(err)
			}
			if h := r.Heads[0]; h.Agree != c.pictures-c.n || h.Paired.Before != c.n || h.Paired.After != 0 {
				t.Errorf("report %+v", h)
			}
			if (err != nil) != (c.message != "") || err != nil && !strings.Contains(err.Error(), c.message) {
				t.Errorf("the error is %v, want %q", err, c.message)
			}
			if r.String() == "" {
				t.Error("the report says nothing")
			}
		})
	}
}

func TestVerifyReads(t *testing.T) {
	plain := func(x float32) [2]float32 { return [2]float32{1 - x, x} }
	t.Run("logits", func(t *testing.T) {
		// Logits that differ by a constant are one answer.
		r, err := Verify(file(func(x float32) [2]float32 { return [2]float32{4 - x, 3 + x} }), answers(1, Logits), shares(5), export.Float32)
		if err != nil || r.Heads[0].MaxDelta > 1e-6 {
			t.Errorf("%v, %+v", err, r)
		}
	})
	t.Run("independent classes", func(t *testing.T) {
		r, _ := Verify(file(func(x float32) [2]float32 { return [2]float32{0.9, x} }), answers(1, Sigmoid), shares(10), export.Int8)
		if h := r.Heads[0]; h.Agree != 5 {
			t.Errorf("%d of 10 answers are alike, 5 are: %+v", h.Agree, h)
		}
	})
	t.Run("no number", func(t *testing.T) {
		_, err := Verify(file(func(float32) [2]float32 { return [2]float32{float32(math.NaN()), 0} }), answers(1, Softmax), shares(2), export.Float32)
		if err == nil || !strings.Contains(err.Error(), "picture 0 (p)") || !strings.Contains(err.Error(), "NaN in the file") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("another network", func(t *testing.T) {
		m := file(plain)
		m.Out = append(m.Out, m.Out[0])
		if _, err := Verify(m, answers(1, Softmax), shares(2), export.Float32); err == nil || !strings.Contains(err.Error(), "2 outputs") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("no pictures", func(t *testing.T) {
		if _, err := Verify(file(plain), answers(1, Softmax), shares(0), export.Float32); err == nil {
			t.Error("a file passed on no pictures")
		}
	})
	t.Run("a picture that cannot be read", func(t *testing.T) {
		p := shares(3)
		p.At = func(int, []float32) error { return errors.New("broken file") }
		if _, err := Verify(file(plain), answers(1, Softmax), p, export.Float32); err == nil || !strings.Contains(err.Error(), "picture 0 (p): broken file") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("uint8 in and out", func(t *testing.T) {
		m := &modeltest.Fake{In: []model.Tensor{modeltest.NewTensor("in", model.UInt8, modeltest.Shape{1, 1})},
			Out: []model.Tensor{modeltest.NewTensor("out", model.UInt8, modeltest.Shape{1, 2})}}
		m.Compute = func(in, out []model.Tensor) error {
			out[0].Data[0], out[0].Data[1] = 255-in[0].Data[0], in[0].Data[0]
			return nil
		}
		r, _ := Verify(m, answers(1, Softmax), shares(50), export.Int8)
		if r.Heads[0].MaxDelta > 0.5/255+1e-6 || r.Heads[0].MaxDelta == 0 {
			t.Errorf("8 bits differ by %v", r.Heads[0].MaxDelta)
		}
	})
}
