package ref

import (
	"fmt"
	"runtime"
	"sync"

	"gleaner/train/engine"
)

// kernel computes an operator's results out of its inputs. A result may lie where the input lies that engine.Plan lets it
// overwrite, and nowhere else. The memory of results is not cleared before.
type kernel[T Float] func(in, out [][]T)

// Kernel computes one operator, for engine.Graph.SetKernels: gorgonia's machines then run the same arithmetic. in and out have
// the operator's shapes, row-major.
func Kernel(op *engine.Op, in, out [][]float32) error {
	if op.Kind == engine.Reshape {
		copy(out[0], in[0])
		return nil
	}
	run, err := newKernel[float32](op)
	if err != nil {
		return err
	}
	run(in, out)
	return nil
}

// Prepare is one operator's float32 kernel, for backends that leave what is small to this one. It allocates nothing when called;
// in and out have the operator's shapes, row-major.
func Prepare(op *engine.Op) (func(in, out [][]float32), error) {
	k, err := newKernel[float32](op)
	return k, err
}

// newKernel is the kernel of an operator with its attributes and shapes.
func newKernel[T Float](op *engine.Op) (kernel[T], error) {
	for _, of := range []func(op *engine.Op) kernel[T]{
		layerKernel[T], elementKernel[T], lossKernel[T], quantKernel[T], updateKernel[T],
	} {
		if k := of(op); k != nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("layer %s: ref does not know the operator %s", op.Layer, op.Kind)
}

func layerKernel[T Float](op *engine.Op) kernel[T] {
	switch op.Kind {
	case engine.Conv2D:
		return conv2D[T](op)
	case engine.Conv2DDX:
		return conv2DDX[T](op)
	case engine.Conv2DDW:
		return conv2DDW[T](op)
	case engine.Dense:
		return dense[T](op)
	case engine.DenseDX:
		return denseDX[T](op)
	case engine.DenseDW:
		return denseDW[T](op)
	case engine.BatchNorm:
		return batchNorm[T](op)
	case engine.BatchNormDX:
		return batchNormDX[T](op)
	case engine.NormInfer:
		return normInfer[T](op)
	case engine.NormInferDX:
		return normInferDX[T](op)
	case engine.NormInferDP:
		return normInferDP[T](op)
	case engine.MaxPool:
		return maxPool[T](op)
	case engine.MaxPoolDX:
		return maxPoolDX[T](op)
	case engine.AvgPool:
		return avgPool[T](op)
	case engine.AvgPoolDX:
		return avgPoolDX[T](op)
	case engine.GlobalAvgPool:
		return globalAvgPool[T](op)
	case engine.GlobalAvgPoolDX:
		return globalAvgPoolDX[T](op)
	}
	return nil
}

// last is the size of a shape's last axis, and how many rows of it there are.
func last(s engine.Shape) (rows, c int) {
	c = s[len(s)-1]
	return s.Size() / c, c
}

// activate applies a fused activation.
func activate[T Float](act engine.Act, y []T) {
	switch act {
	case engine.ActRelu:
		for i, v := range y {
			y[i] = max(v, 0)
		}
	case engine.ActRelu6:
		for i, v := range y {
			y[i] = min(max(v, 0), 6)
		}
	}
}

// passes tells whether a gradient passes an activation whose result is y.
func passes[T Float](act engine.Act, y T) bool {
	switch act {
	case engine.ActRelu:
		return y > 0
	case engine.ActRelu6:
		return y > 0 && y < 6
	}
	return true
}

// dot is Σ a·b. Four sums run side by side, because one would wait for each addition.
func dot[T Float](a, b []T) T {
	b = b[:len(a)]
	var s0, s1, s2, s3 T
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy is y += a·x.
func axpy[T Float](a T, x, y []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += a * v
	}
}

// columnSums adds the rows of d[rows c] up, in float64.
func columnSums[T Float](sum []float64, d []T) {
	clear(sum)
	c := len(sum)
	for len(d) > 0 {
		for i, v := range d[:c] {
			sum[i] += float64(v)
		}
		d = d[c:]
	}
}

// parallel is a kernel that calls f with parts of 0 … n-1, at once if the work (multiplications) is worth it. What f writes for
// one number must be its own.
func parallel[T Float](n, work int, f func(in, out [][]T, from, to int)) kernel[T] {
	return func(in, out [][]T) {
		parts := min(runtime.GOMAXPROCS(0), n)
		if parts < 2 || work < 1<<17 {
			f(in, out, 0, n)
			return
		}
		var wg sync.WaitGroup
		for i := range parts {
			wg.Go(func() { f(in, out, n*i/parts, n*(i+1)/parts) })
		}
		wg.Wait()
	}
}
