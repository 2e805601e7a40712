package ref

import (
	"math"

	"gleaner/train/engine"
)

func elementKernel[T Float](op *engine.Op) kernel[T] {
	switch op.Kind {
	case engine.Relu:
		return each(func(x T) T { return max(x, 0) })
	case engine.Relu6:
		return each(func(x T) T { return min(max(x, 0), 6) })
	case engine.HSwish:
		return each(func(x T) T { return x * min(max(x+3, 0), 6) / 6 })
	case engine.Sigmoid:
		return each(sigmoid[T])
	case engine.ReluDX:
		return each2(func(y, dy T) T {
			if y > 0 {
				return dy
			}
			return 0
		})
	case engine.Relu6DX:
		return each2(func(y, dy T) T {
			if y > 0 && y < 6 {
				return dy
			}
			return 0
		})
	case engine.HSwishDX:
		return each2(hswishDX[T])
	case engine.Scale:
		f := T(op.Attr.(engine.Factor).Value)
		return each(func(x T) T { return x * f })
	case engine.Add:
		return add[T](op)
	case engine.Dropout:
		return dropout[T](op)
	case engine.Concat:
		return concat[T](op)
	case engine.Slice:
		return slice[T](op)
	}
	return nil
}

func each[T Float](f func(x T) T) kernel[T] {
	return func(in, out [][]T) {
		y := out[0]
		for i, x := range in[0] {
			y[i] = f(x)
		}
	}
}

func each2[T Float](f func(a, b T) T) kernel[T] {
	return func(in, out [][]T) {
		b, y := in[1], out[0]
		for i, a := range in[0] {
			y[i] = f(a, b[i])
		}
	}
}

// sigmoid is 1/(1+exp(-z)); exp is never of a great positive number.
func sigmoid[T Float](z T) T {
	e := math.Exp(-math.Abs(float64(z)))
	if z >= 0 {
		return T(1 / (1 + e))
	}
	return T(e / (1 + e))
}

func hswishDX[T Float](x, dy T) T {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return dy
	}
	return dy * (2*x + 3) / 6
}

func add[T Float](op *engine.Op) kernel[T] {
	act := op.Attr.(engine.Sum).Act
	return func(in, out [][]T) {
		b, y := in[1], out[0]
		for i, a := range in[0] {
			y[i] = a + b[i]
		}
		activate(act, y)
	}
}

func dropout[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Drop)
	rate, scale := float32(a.Rate), T(1/(1-a.Rate))
	return func(in, out [][]T) {
		y, at := out[0], uint32(in[1][0])
		for i, x := range in[0] {
			if engine.Hash(uint32(i), a.Seed, at) < rate {
				y[i] = 0
			} else {
				y[i] = x * scale
			}
		}
	}
}

func concat[T Float](op *engine.Op) kernel[T] {
	rows, c := last(op.Out[0])
	return func(in, out [][]T) {
		at := 0
		for _, x := range in {
			n := len(x) / rows
			for i := range rows {
				copy(out[0][i*c+at:], x[i*n:(i+1)*n])
			}
			at += n
		}
	}
}

func slice[T Float](op *engine.Op) kernel[T] {
	part := op.Attr.(engine.Part)
	rows, c := last(op.In[0])
	n := part.To - part.From
	return func(in, out [][]T) {
		for i := range rows {
			copy(out[0][i*n:(i+1)*n], in[0][i*c+part.From:])
		}
	}
}
