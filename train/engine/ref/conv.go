package ref

import "gleaner/train/engine"

// conv is a convolution's geometry. Sizes are in elements.
type conv struct {
	engine.Conv
	n, h, w, c   int // pictures
	oh, ow, k    int // results
	cg, kg       int // input and output channels of a group
	filter       int // size of one filter
	multiplies   int
	spanY, spanX []span // by the result's row, by its column
}

// span is which taps of a window lie on the picture along one axis, and where tap 0 lies.
type span struct{ from, to, at int }

// spans cuts a window of k taps to n pixels, for each of out places.
func spans(out, k, stride, dilation, pad, n int) []span {
	list := make([]span, out)
	for o := range list {
		s := span{0, k, o*stride - pad}
		for s.from < k && s.at+s.from*dilation < 0 {
			s.from++
		}
		for s.to > s.from && s.at+(s.to-1)*dilation >= n {
			s.to--
		}
		list[o] = s
	}
	return list
}

func newConv(op *engine.Op, x, y engine.Shape) *conv {
	c := &conv{Conv: op.Attr.(engine.Conv)}
	c.n, c.h, c.w, c.c = x[0], x[1], x[2], x[3]
	c.oh, c.ow, c.k = y[1], y[2], y[3]
	c.cg, c.kg = c.c/c.Groups, c.k/c.Groups
	c.filter = c.KH * c.KW * c.cg
	c.multiplies = y.Size() * c.filter
	c.spanY = spans(c.oh, c.KH, c.SH, c.DH, c.Top, c.h)
	c.spanX = spans(c.ow, c.KW, c.SW, c.DW, c.Left, c.w)
	return c
}

// patch is where one window lies, cut to the picture: rows of runs, each of so many elements that lie side by side in both the
// picture and the filter. Without groups and dilation a row is one run.
type patch struct {
	rows, xRow, wRow int
	runs, xRun, wRun int
	length           int
	x, w             int // first element, in the picture (of channel 0) and in the filter
}

func (c *conv) patch(sy, sx span) patch {
	p := patch{rows: sy.to - sy.from, xRow: c.DH * c.w * c.c, wRow: c.KW * c.cg}
	p.runs, p.xRun, p.wRun, p.length = sx.to-sx.from, c.DW*c.c, c.cg, c.cg
	if c.Groups == 1 && c.DW == 1 && p.runs > 0 {
		p.length, p.runs = p.runs*c.c, 1
	}
	p.x = ((sy.at+sy.from*c.DH)*c.w + sx.at + sx.from*c.DW) * c.c
	p.w = (sy.from*c.KW + sx.from) * c.cg
	return p
}

// dotPatch is Σ x·f over a window; x begins at the group's first channel.
func dotPatch[T Float](p patch, x, f []T) (sum T) {
	for row := range p.rows {
		xo, wo := p.x+row*p.xRow, p.w+row*p.wRow
		for range p.runs {
			sum += dot(f[wo:wo+p.length], x[xo:xo+p.length])
			xo, wo = xo+p.xRun, wo+p.wRun
		}
	}
	return sum
}

// axpyX is x += a·f over a window, axpyW is f += a·x.
func axpyX[T Float](p patch, a T, f, x []T) {
	for row := range p.rows {
		xo, wo := p.x+row*p.xRow, p.w+row*p.wRow
		for range p.runs {
			axpy(a, f[wo:wo+p.length], x[xo:xo+p.length])
			xo, wo = xo+p.xRun, wo+p.wRun
		}
	}
}

func axpyW[T Float](p patch, a T, x, f []T) {
	for row := range p.rows {
		xo, wo := p.x+row*p.xRow, p.w+row*p.wRow
		for range p.runs {
			axpy(a, x[xo:xo+p.length], f[wo:wo+p.length])
			xo, wo = xo+p.xRun, wo+p.wRun
		}
	}
}

func conv2D[T Float](op *engine.Op) kernel[T] {
	c := newConv(op, op.In[0], op.Out[0])
	return parallel(c.n*c.oh, c.multiplies, func(in, out [][]T, from, to int) {
		for i := from; i < to; i++ {
			x, y := in[0][i/c.oh*c.h*c.w*c.c:], out[0][i*c.ow*c.k:(i+1)*c.ow*c.k]
			for k := range c.k {
				f, xg := in[1][k*c.filter:(k+1)*c.filter], x[k/c.kg*c.cg:]
				var b T
				if c.Bias {
					b = in[2][k]
				}
				for ox, s := range c.spanX {
					y[ox*c.k+k] = b + dotPatch(c.patch(c.spanY[i%c.oh], s), xg, f)
				}
			}
			activate(c.Act, y)
		}
	})
}

func conv2DDX[T Float](op *engine.Op) kernel[T] {
	c := newConv(op, op.Out[0], op.In[0])
	return parallel(c.n, c.multiplies, func(in, out [][]T, from, to int) {
		size := c.h * c.w * c.c
		clear(out[0][from*size : to*size])
		for i := from * c.oh; i < to*c.oh; i++ {
			dx, dy := out[0][i/c.oh*size:], in[0][i*c.ow*c.k:(i+1)*c.ow*c.k]
			for k := range c.k {
				f, dxg := in[1][k*c.filter:(k+1)*c.filter], dx[k/c.kg*c.cg:]
				for ox, s := range c.spanX {
					axpyX(c.patch(c.spanY[i%c.oh], s), dy[ox*c.k+k], f, dxg)
				}
			}
		}
	})
}

func conv2DDW[T Float](op *engine.Op) kernel[T] {
	c := newConv(op, op.In[0], op.In[1])
	weights := parallel(c.k, c.multiplies, func(in, out [][]T, from, to int) {
		clear(out[0][from*c.filter : to*c.filter])
		for i := range c.n * c.oh {
			x, dy := in[0][i/c.oh*c.h*c.w*c.c:], in[1][i*c.ow*c.k:(i+1)*c.ow*c.k]
			for k := from; k < to; k++ {
				dw, xg := out[0][k*c.filter:(k+1)*c.filter], x[k/c.kg*c.cg:]
				for ox, s := range c.spanX {
					axpyW(c.patch(c.spanY[i%c.oh], s), dy[ox*c.k+k], xg, dw)
				}
			}
		}
	})
	return withBias(weights, c.k, c.Bias)
}

// withBias is a gradient by weights with that by a bias of k numbers, the sum of dy's rows, if there is one.
func withBias[T Float](weights kernel[T], k int, bias bool) kernel[T] {
	if !bias {
		return weights
	}
	sum := make([]float64, k)
	return func(in, out [][]T) {
		weights(in, out)
		columnSums(sum, in[1])
		convert(out[1], sum)
	}
}

func dense[T Float](op *engine.Op) kernel[T] {
	a := op.Attr.(engine.Lin)
	n, c := last(op.In[0])
	_, k := last(op.Out[0])
	return parallel(n, n*c*k, func(in, out [][]T, from, to int) {
		for i := from; i < to; i++ {
			x, y := in[0][i*c:(i+1)*c], out[0][i*k:(i+1)*k]
			for j := range y {
				y[j] = dot(x, in[1][j*c:(j+1)*c])
				if a.Bias {
					y[j] += in[2][j]
				}
			}
			activate(a.Act, y)
		}
	})
}

func denseDX[T Float](op *engine.Op) kernel[T] {
	n, c := last(op.Out[0])
	_, k := last(op.In[0])
	return parallel(n, n*c*k, func(in, out [][]T, from, to int) {
		for i := from; i < to; i++ {
			dx := out[0][i*c : (i+1)*c]
			clear(dx)
			for j, d := range in[0][i*k : (i+1)*k] {
				axpy(d, in[1][j*c:(j+1)*c], dx)
			}
		}
	})
}

func denseDW[T Float](op *engine.Op) kernel[T] {
	n, c := last(op.In[0])
	_, k := last(op.In[1])
	weights := parallel(k, n*c*k, func(in, out [][]T, from, to int) {
		clear(out[0][from*c : to*c])
		for i := range n {
			x, dy := in[0][i*c:(i+1)*c], in[1][i*k:(i+1)*k]
			for j := from; j < to; j++ {
				axpy(dy[j], x, out[0][j*c:(j+1)*c])
			}
		}
	})
	return withBias(weights, k, op.Attr.(engine.Lin).Bias)
}
