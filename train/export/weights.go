package export

import (
	"math"
	"slices"

	"gleaner/model/flat"
	"gleaner/train/export/rounding"
)

// filter writes the weights and biases of a layer's output channels from to to and gives their tensors. Those of a depthwise
// convolution, [K KH KW 1], are [1 KH KW K] in the file.
func (e *emitter) filter(l *layer, from, to int) ([2]int, error) {
	n, per := to-from, len(l.w)/l.ws[0]
	w, b := l.w[from*per:to*per], l.b[from:to]
	for _, v := range [][]float32{w, b} {
		if finite(v) >= 0 {
			return [2]int{}, layerError(l.name, "its weights are not finite once the norm is folded in")
		}
	}
	shape, dim := append([]int{n}, l.ws[1:]...), 0
	depthwise := l.groups > 1 && l.groups == pictureShape(l.in[0].shape)[3]
	switch {
	case depthwise:
		shape, dim = []int{1, l.ws[1], l.ws[2], n}, 3
	case len(l.ws) == 2 && e.int8():
		shape = []int{n, 1, 1, l.ws[1]}
	}
	if e.int8() {
		return e.int8Filter(l, from, w, b, shape, dim)
	}
	t := 0
	// Few weights make few bytes, and rounding them is heard most: norms that stand alone, depthwise filters, the first layer.
	if e.o.Kind == Float16 && per >= fewWeights {
		half, rounded := rounding.Float16(w)
		for i, x := range rounded {
			if math.IsInf(float64(x), 0) {
				return [2]int{}, layerError(l.name, "the weight %v is too large for float16", w[i])
			}
		}
		b = e.shifted(l, from, w, b, func(i int) float32 { return rounded[i] })
		c := e.m.AddConst(l.wName, flat.Float16, half, shape...)
		t = e.m.AddTensor(l.wName+"/float", flat.Float32, shape...)
		e.m.AddOp(flat.OpDequantize, 3, []int{c}, []int{t}, flat.Options{})
	} else {
		if depthwise {
			w = transposed(w, n)
		}
		t = e.m.AddConst(l.wName, flat.Float32, flat.Float32Bytes(w), shape...)
	}
	return [2]int{t, e.m.AddConst(l.name+"/b", flat.Float32, flat.Float32Bytes(b), n)}, nil
}

// fewWeights is how many weights an output channel has that float16 files round at least.
const fewWeights = 64

// shifted are the biases b of output channels from from on without what rounding their weights w adds to their means. A network
// that was trained with fake quantisation has learnt to live with that.
func (e *emitter) shifted(l *layer, from int, w, b []float32, rounded func(i int) float32) []float32 {
	m := l.in[0].meter
	if m == nil || e.faked {
		return b
	}
	mean, out := m.Mean(), slices.Clone(b)
	per, cg := len(w)/len(b), l.ws[len(l.ws)-1]
	for k := range b {
		g := 0
		if l.groups > 1 {
			g = (from + k) / (l.ws[0] / l.groups)
		}
		at := k * per
		out[k] -= rounding.Shift(w[at:at+per], func(i int) float32 { return rounded(at + i) }, mean[g*cg:(g+1)*cg])
	}
	return out
}

// transposed is [n per] as [per n].
func transposed[T any](v []T, n int) []T {
	out, per := make([]T, len(v)), len(v)/n
	for k := range n {
		for i := range per {
			out[i*n+k] = v[k*per+i]
		}
	}
	return out
}

// Bounds on what a channel's sum is multiplied by to become an int8 result, scale_in·scale_w/scale_out: XNNPACK takes 2^-32 to
// 2^8, and a channel whose weights are smaller adds nothing to any result.
const (
	leastFactor    = 1. / (1 << 24)
	greatestFactor = 1 << 8
)

// int8Filter rounds each channel's weights to -127 … 127 times its own scale, as engine.FakeQuantW does, and the biases to int32
// of scale_in·scale_w. A channel with weights next to nothing gets a scale at which its bias still fits.
func (e *emitter) int8Filter(l *layer, from int, w, b []float32, shape []int, dim int) ([2]int, error) {
	n := len(b)
	per := len(w) / n
	in, out := float64(l.in[0].q().scale), float64(l.out.q().scale)
	qw, qb := make([]byte, len(w)), make([]int, n)
	scales, biasScales, zeros := make([]float32, n), make([]float32, n), make([]int64, n)
	for k := range n {
		at := k * per
		scales[k] = rounding.Int8(qw[at:at+per], w[at:at+per], max(leastFactor*out/in, math.Abs(float64(b[k]))/in/(1<<30)))
		biasScales[k] = float32(in) * scales[k]
		if float64(scales[k])*in/out >= greatestFactor {
			return [2]int{}, layerError(l.name, "channel %d gives values far outside the range 0 to %g that was measured: "+
				"calibrate on more pictures", k, 255*out)
		}
	}
	b = e.shifted(l, from, w, b, func(i int) float32 { return float32(int8(qw[i])) * scales[i/per] })
	for k := range n {
		qb[k] = int(math.RoundToEven(float64(b[k]) / (in * float64(scales[k]))))
	}
	if dim == 3 {
		qw = transposed(qw, n)
	}
	wt := e.m.AddConst(l.wName, flat.Int8, qw, shape...)
	bt := e.m.AddConst(l.name+"/b", flat.Int32, flat.Int32Bytes(qb), n)
	e.m.Graphs[0].Tensors[wt].Quant = &flat.Quant{Scale: scales, Zero: zeros, Dim: dim}
	e.m.Graphs[0].Tensors[bt].Quant = &flat.Quant{Scale: biasScales, Zero: zeros}
	return [2]int{wt, bt}, nil
}

// factors are constants to multiply an activation by; in int8 all of one sign or both, symmetric.
func (e *emitter) factors(name string, v []float32, shape ...int) int {
	if !e.int8() {
		return e.m.AddConst(name, flat.Float32, flat.Float32Bytes(v), shape...)
	}
	var top float32
	for _, x := range v {
		top = max(top, float32(math.Abs(float64(x))))
	}
	if top == 0 {
		top = 1
	}
	q := make([]byte, len(v))
	for i, x := range v {
		q[i] = byte(int8(math.RoundToEven(float64(x / top * 127))))
	}
	t := e.m.AddConst(name, flat.Int8, q, shape...)
	e.quant(t, params{top / 127, 0})
	return t
}
