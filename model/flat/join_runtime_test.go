//go:build cgo && !nonative

package flat_test

import (
	"math/rand/v2"
	"testing"

	"gleaner/model/flat"
	"gleaner/model/tflite"
)

// classifier is a network of a convolution, a mean and a head, with weights drawn from a seed. An int8 one has its input
// dequantised first.
func classifier(t *testing.T, seed uint64, in flat.Type) *flat.Model {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 8))
	rnd := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	m := flat.New("a voter")
	x := m.AddTensor("image", in, 1, 8, 8, 3)
	m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{x}, []int{x}
	if in != flat.Float32 {
		m.Graphs[0].Tensors[x].Quant = &flat.Quant{Scale: []float32{1. / 128}, Zero: []int64{0}}
		if err := m.Dequantize(); err != nil {
			t.Fatal(err)
		}
	}
	w := m.AddConst("conv/w", flat.Float32, flat.Float32Bytes(rnd(6*3*3*3)), 6, 3, 3, 3)
	b := m.AddConst("conv/b", flat.Float32, flat.Float32Bytes(make([]float32, 6)), 6) // the same in all
	c := m.AddTensor("conv", flat.Float32, 1, 4, 4, 6)
	m.AddOp(flat.OpConv2D, 1, []int{m.Graphs[0].Outputs[0], w, b}, []int{c}, flat.Conv2DOptions(flat.PadSame, 2, 2, flat.ActRelu))
	m.Graphs[0].Outputs = []int{c}
	if err := m.Mean(); err != nil {
		t.Fatal(err)
	}
	if err := m.Head([][]float32{rnd(6), rnd(6), rnd(6), rnd(6)}, rnd(4)); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestJoinedAnswersAsTheMean runs joined networks beside their members.
func TestJoinedAnswersAsTheMean(t *testing.T) {
	plain := tflite.DefaultOptions()
	for _, c := range []struct {
		name string
		in   flat.Type
		n    int
	}{{"float32, two", flat.Float32, 2}, {"float32, eight", flat.Float32, 8}, {"int8, three", flat.Int8, 3}} {
		t.Run(c.name, func(t *testing.T) {
			var members []*flat.Model
			for i := range c.n {
				members = append(members, classifier(t, uint64(i), c.in))
			}
			joined, err := flat.Join(members...)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(5) {
				sum := make([]float64, 4)
				for _, m := range members {
					_, p := run(t, m, seed, plain)
					for k, v := range p[0] {
						sum[k] += float64(v) / float64(c.n)
					}
				}
				want := make([]float32, 4)
				for k, v := range sum {
					want[k] = float32(v)
				}
				outs, got := run(t, joined, seed, plain)
				if d := worst(t, got[0], want); d > 1e-6 || len(outs) != 1 {
					t.Errorf("%d outputs, %v apart from the mean", len(outs), d)
				}
			}
		})
	}
}
