package ref

import "gleaner/train/engine"

// pooling is a pooling's geometry: which pixels each window has.
type pooling struct {
	n, h, w, c   int
	oh, ow       int
	spanY, spanX []span
}

func newPooling(op *engine.Op, x, y engine.Shape) *pooling {
	w := op.Attr.(engine.Pooling).Window
	return &pooling{n: x[0], h: x[1], w: x[2], c: x[3], oh: y[1], ow: y[2],
		spanY: spans(y[1], w.KH, w.SH, 1, w.Top, x[1]), spanX: spans(y[2], w.KW, w.SW, 1, w.Left, x[2])}
}

// pixels calls f for each window with the places of its result and of its pixels' first channels, row by row. f gets one pixel
// after the other, the first one with first.
func (p *pooling) pixels(f func(to, from int, first bool)) {
	for i := range p.n * p.oh {
		sy := p.spanY[i%p.oh]
		for ox, sx := range p.spanX {
			to, first := (i*p.ow+ox)*p.c, true
			for y := sy.at + sy.from; y < sy.at+sy.to; y++ {
				for x := sx.at + sx.from; x < sx.at+sx.to; x++ {
					f(to, ((i/p.oh*p.h+y)*p.w+x)*p.c, first)
					first = false
				}
			}
		}
	}
}

// count is how many pixels the window of a result's element has.
func (p *pooling) count(element int) int {
	pixel := element / p.c
	sy, sx := p.spanY[pixel/p.ow%p.oh], p.spanX[pixel%p.ow]
	return (sy.to - sy.from) * (sx.to - sx.from)
}

// maxPool is NaN where a window has a NaN.
func maxPool[T Float](op *engine.Op) kernel[T] {
	p := newPooling(op, op.In[0], op.Out[0])
	return func(in, out [][]T) {
		p.pixels(func(to, from int, first bool) {
			y := out[0][to : to+p.c]
			if first {
				copy(y, in[0][from:])
				return
			}
			for k, v := range in[0][from : from+p.c] {
				y[k] = max(y[k], v)
			}
		})
	}
}

func maxPoolDX[T Float](op *engine.Op) kernel[T] {
	p := newPooling(op, op.Out[0], op.In[1])
	given := make([]bool, p.c)
	return func(in, out [][]T) {
		x, y, dy, dx := in[0], in[1], in[2], out[0]
		clear(dx)
		p.pixels(func(to, from int, first bool) {
			if first {
				clear(given)
			}
			for k, v := range x[from : from+p.c] {
				if v == y[to+k] && !given[k] {
					dx[from+k] += dy[to+k]
					given[k] = true
				}
			}
		})
	}
}

func avgPool[T Float](op *engine.Op) kernel[T] {
	p := newPooling(op, op.In[0], op.Out[0])
	return func(in, out [][]T) {
		y := out[0]
		clear(y)
		p.pixels(func(to, from int, _ bool) { axpy(1, in[0][from:from+p.c], y[to:]) })
		for i := range y {
			y[i] /= T(p.count(i))
		}
	}
}

func avgPoolDX[T Float](op *engine.Op) kernel[T] {
	p := newPooling(op, op.Out[0], op.In[0])
	return func(in, out [][]T) {
		clear(out[0])
		p.pixels(func(to, from int, _ bool) {
			axpy(1/T(p.count(to)), in[0][to:to+p.c], out[0][from:])
		})
	}
}

func globalAvgPool[T Float](op *engine.Op) kernel[T] {
	_, c := last(op.In[0])
	n := op.In[0][0]
	sum := make([]float64, c)
	return func(in, out [][]T) {
		size := len(in[0]) / n
		for i := range n {
			columnSums(sum, in[0][i*size:(i+1)*size])
			for k, s := range sum {
				out[0][i*c+k] = T(s / float64(size/c))
			}
		}
	}
}

func globalAvgPoolDX[T Float](op *engine.Op) kernel[T] {
	_, c := last(op.Out[0])
	n := op.Out[0][0]
	return func(in, out [][]T) {
		dx := out[0]
		size := len(dx) / n
		for i := 0; i < len(dx); i += c {
			for k, d := range in[0][i/size*c : i/size*c+c] {
				dx[i+k] = d / T(size/c)
			}
		}
	}
}
