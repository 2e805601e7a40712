package xla

import (
	"fmt"
	"math"

	"github.com/gomlx/go-xla/pkg/stablehlo"
	"github.com/gomlx/go-xla/pkg/types"
	"github.com/gomlx/go-xla/pkg/types/dtypes"
	"github.com/gomlx/go-xla/pkg/types/dtypes/bfloat16"
	"github.com/gomlx/go-xla/pkg/types/shapes"

	"gleaner/train/engine"
)

// value is an array of the StableHLO program.
type value = *stablehlo.Value

// failure is what the builder panics with where StableHLO's shape rules refuse an operator; Emit turns it into an error.
type failure struct{ err error }

// builder writes StableHLO operators with go-xla's builder, whose shape inference checks each of them a second time.
type builder struct {
	fn   *stablehlo.Function
	half dtypes.DType // of activations: float32, or bfloat16
	how  types.DotGeneralPrecisionType
}

func check(v value, err error) value {
	if err != nil {
		panic(failure{err})
	}
	return v
}

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func dims(v value) engine.Shape { return v.Shape().Dimensions }

func shapeOf(t dtypes.DType, s engine.Shape) shapes.Shape { return shapes.Make(t, s...) }

func add(a, b value) value     { return check(stablehlo.Add(a, b)) }
func sub(a, b value) value     { return check(stablehlo.Subtract(a, b)) }
func mul(a, b value) value     { return check(stablehlo.Multiply(a, b)) }
func div(a, b value) value     { return check(stablehlo.Divide(a, b)) }
func maximum(a, b value) value { return check(stablehlo.Maximum(a, b)) }
func minimum(a, b value) value { return check(stablehlo.Minimum(a, b)) }
func exp(a value) value        { return check(stablehlo.Exponential(a)) }
func log(a value) value        { return check(stablehlo.Log(a)) }
func abs(a value) value        { return check(stablehlo.Abs(a)) }
func neg(a value) value        { return check(stablehlo.Negate(a)) }
func sqrt(a value) value       { return check(stablehlo.Sqrt(a)) }
func rsqrt(a value) value      { return check(stablehlo.Rsqrt(a)) }
func round(a value) value      { return check(stablehlo.RoundNearestEven(a)) }
func pow(a, b value) value     { return check(stablehlo.Power(a, b)) }

func compare(a, b value, how types.ComparisonDirection) value {
	return check(stablehlo.Compare(a, b, how, types.CompareFloat))
}

func choose(p, yes, no value) value { return check(stablehlo.Select(p, yes, no)) }

func reshape(v value, s engine.Shape) value {
	if dims(v).Equal(s) {
		return v
	}
	return check(stablehlo.Reshape(v, shapeOf(v.Shape().DType, s)))
}

func transpose(v value, axes ...int) value { return check(stablehlo.Transpose(v, axes...)) }

// as converts to another element type.
func as(v value, t dtypes.DType) value {
	if v.Shape().DType == t {
		return v
	}
	return check(stablehlo.Convert(v, t))
}

// f32 is a value in float32.
func f32(v value) value { return as(v, dtypes.Float32) }

// act is a value in the type of activations.
func (b *builder) act(v value) value { return as(v, b.half) }

// scalar is a constant of an element type.
func (b *builder) scalar(t dtypes.DType, x float64) value {
	if t == dtypes.BFloat16 {
		return check(b.fn.ConstantFromScalar(bfloat16.FromFloat32(float32(x))))
	}
	return check(b.fn.ConstantFromScalar(float32(x)))
}

// number is a constant with the shape and the type of another value.
func (b *builder) number(x float64, like value) value {
	return b.spread(b.scalar(like.Shape().DType, x), dims(like))
}

// array is a float32 constant.
func (b *builder) array(d []float32, s engine.Shape) value {
	return check(b.fn.ConstantFromFlatAndDimensions(d, s...))
}

// spread repeats a value over a shape; axes says which of the shape's axes are the value's.
func (b *builder) spread(v value, s engine.Shape, axes ...int) value {
	if dims(v).Equal(s) {
		return v
	}
	return check(stablehlo.BroadcastInDim(v, shapeOf(v.Shape().DType, s), axes))
}

// channels repeats one number per channel, the last axis, over a shape.
func (b *builder) channels(v value, s engine.Shape) value { return b.spread(v, s, len(s)-1) }

// region is a function of two scalars, for reductions.
func (b *builder) region(t dtypes.DType, of func(x, y value) value) *stablehlo.Function {
	f := b.fn.Closure()
	x, y := check(f.Input(shapes.Make(t))), check(f.Input(shapes.Make(t)))
	if err := f.Return(of(x, y)); err != nil {
		panic(failure{err})
	}
	return f
}

func (b *builder) reduce(v value, of func(x, y value) value, first float64, axes []int) value {
	t := v.Shape().DType
	return check(stablehlo.Reduce(v, b.scalar(t, first), b.region(t, of), axes...))
}

// sum adds a float32 value up along axes.
func (b *builder) sum(v value, axes ...int) value { return b.reduce(f32(v), add, 0, axes) }

// total adds all elements up.
func (b *builder) total(v value) value { return b.sum(v, axesOf(dims(v))...) }

// top and bottom are the greatest and the least along axes.
func (b *builder) top(v value, axes ...int) value    { return b.reduce(v, maximum, math.Inf(-1), axes) }
func (b *builder) bottom(v value, axes ...int) value { return b.reduce(v, minimum, math.Inf(1), axes) }

// perChannel adds up along all axes but the last.
func (b *builder) perChannel(v value) value {
	axes := axesOf(dims(v))
	return b.sum(v, axes[:len(axes)-1]...)
}

// axesOf are all axes of a shape.
func axesOf(s engine.Shape) []int {
	axes := make([]int, len(s))
	for i := range axes {
		axes[i] = i
	}
	return axes
}
