package ref

import (
	"math"

	"gleaner/train/engine"
)

func quantKernel[T Float](op *engine.Op) kernel[T] {
	switch op.Kind {
	case engine.FakeQuant:
		return fakeQuant[T](op)
	case engine.FakeQuantDX:
		return fakeQuantDX[T](op)
	case engine.FakeQuantW:
		return fakeQuantW[T](op)
	case engine.Range:
		return func(in, out [][]T) {
			lo, hi := in[0][0], in[0][0]
			for _, x := range in[0] {
				lo, hi = min(lo, x), max(hi, x)
			}
			out[0][0], out[0][1] = lo, hi
		}
	}
	return nil
}

// integers turn a number x into the integer round(x/scale) + zero, 0 to top.
type integers[T Float] struct{ scale, zero, top T }

func newIntegers[T Float](span []T, bits int) integers[T] {
	lo, hi := min(span[0], 0), max(span[1], 0)
	if hi == lo {
		hi = lo + 1
	}
	q := integers[T]{top: T(math.Exp2(float64(bits)) - 1)}
	q.scale = (hi - lo) / q.top
	q.zero = min(round(-lo/q.scale), q.top)
	return q
}

func round[T Float](x T) T { return T(math.RoundToEven(float64(x))) }

func fakeQuant[T Float](op *engine.Op) kernel[T] {
	bits := op.Attr.(engine.Quant).Bits
	return func(in, out [][]T) {
		q := newIntegers(in[1], bits)
		for i, x := range in[0] {
			out[0][i] = (min(max(round(x/q.scale)+q.zero, 0), q.top) - q.zero) * q.scale
		}
	}
}

func fakeQuantDX[T Float](op *engine.Op) kernel[T] {
	bits := op.Attr.(engine.Quant).Bits
	return func(in, out [][]T) {
		q := newIntegers(in[1], bits)
		lo, hi := -q.zero*q.scale, (q.top-q.zero)*q.scale
		for i, x := range in[0] {
			d := in[2][i]
			if x < lo || x > hi {
				d = 0
			}
			out[0][i] = d
		}
	}
}

func fakeQuantW[T Float](op *engine.Op) kernel[T] {
	most := T(math.Exp2(float64(op.Attr.(engine.Quant).Bits-1)) - 1)
	per := op.In[0].Size() / op.In[0][0]
	return func(in, out [][]T) {
		for i := 0; i < len(in[0]); i += per {
			w, y := in[0][i:i+per], out[0][i:i+per]
			var top T
			for _, v := range w {
				top = max(top, v, -v)
			}
			scale := top / most
			for j, v := range w {
				y[j] = v
				if scale > 0 {
					y[j] = round(v/scale) * scale
				}
			}
		}
	}
}
