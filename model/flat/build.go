package flat

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// New is an empty model with one graph, to be filled with AddTensor, AddConst and AddOp.
func New(description string) *Model {
	return &Model{Version: 3, Description: description, Buffers: [][]byte{nil}, Graphs: []Graph{{Name: "main"}}}
}

// AddTensor appends a tensor without content to the network and returns its index.
func (m *Model) AddTensor(name string, t Type, shape ...int) int {
	g := &m.Graphs[0]
	g.Tensors = append(g.Tensors, Tensor{Name: name, Type: t, Shape: shape})
	return len(g.Tensors) - 1
}

// AddConst appends a constant of little-endian bytes, row-major, and returns its index. It panics when the bytes do
// not match shape and type, which is a mistake in the program and not in any file.
func (m *Model) AddConst(name string, t Type, data []byte, shape ...int) int {
	i := m.AddTensor(name, t, shape...)
	ts := &m.Graphs[0].Tensors[i]
	if ts.Elems()*t.Size() != len(data) {
		panic(fmt.Sprintf("flat: constant %s %v has %d bytes", name, ts, len(data)))
	}
	ts.Buffer = m.addBuffer(data)
	return i
}

func (m *Model) addBuffer(b []byte) int {
	m.Buffers = append(m.Buffers, b)
	return len(m.Buffers) - 1
}

// AddOp appends an operator of a builtin code and version, the first version where 0 is given.
func (m *Model) AddOp(builtin, version int, in, out []int, o Options) {
	g := &m.Graphs[0]
	g.Ops = append(g.Ops, Op{Code: m.code(builtin, max(1, version)), Inputs: in, Outputs: out, Options: o})
}

// code is the index of an operator code, which is added when it is not there.
func (m *Model) code(builtin, version int) int {
	for i, c := range m.Codes {
		if c.Builtin == builtin && c.Version == version && c.Custom == "" {
			return i
		}
	}
	m.Codes = append(m.Codes, OpCode{Builtin: builtin, Version: version})
	return len(m.Codes) - 1
}

// Padding and activations, as the schema numbers them.
const (
	PadSame  = 0
	PadValid = 1

	ActNone  = 0
	ActRelu  = 1
	ActRelu6 = 3
)

func i8(id, v int) Field { return Field{ID: id, Scalar: []byte{byte(v)}} }

func i32(id, v int) Field {
	return Field{ID: id, Scalar: binary.LittleEndian.AppendUint32(nil, uint32(int32(v)))}
}

func f32(id int, v float32) Field {
	return Field{ID: id, Scalar: binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))}
}

// Conv2DOptions are those of CONV_2D: weights [out, h, w, in].
func Conv2DOptions(padding, strideW, strideH, act int) Options {
	return Options{Kind: 1, Fields: []Field{i8(0, padding), i32(1, strideW), i32(2, strideH), i8(3, act), i32(4, 1), i32(5, 1)}}
}

// DepthwiseConv2DOptions are those of DEPTHWISE_CONV_2D: weights [1, h, w, in*multiplier].
func DepthwiseConv2DOptions(padding, strideW, strideH, multiplier, act int) Options {
	return Options{Kind: 2, Fields: []Field{i8(0, padding), i32(1, strideW), i32(2, strideH), i32(3, multiplier), i8(4, act),
		i32(5, 1), i32(6, 1)}}
}

// Dilated spreads the taps of a convolution's options: neighbouring ones are h and w pixels apart.
func Dilated(o Options, h, w int) Options {
	at := map[int]int{1: 4, 2: 5}[o.Kind] // the field of the horizontal dilation, of CONV_2D and of DEPTHWISE_CONV_2D
	o.Fields = slices.Clone(o.Fields)
	for i, f := range o.Fields {
		switch f.ID {
		case at:
			o.Fields[i] = i32(at, w)
		case at + 1:
			o.Fields[i] = i32(at+1, h)
		}
	}
	return o
}

// Pool2DOptions are those of AVERAGE_POOL_2D and MAX_POOL_2D.
func Pool2DOptions(padding, strideW, strideH, w, h, act int) Options {
	return Options{Kind: 5, Fields: []Field{i8(0, padding), i32(1, strideW), i32(2, strideH), i32(3, w), i32(4, h), i8(5, act)}}
}

// FullyConnectedOptions are those of FULLY_CONNECTED: weights [out, in], the input flattened.
func FullyConnectedOptions(act int) Options { return Options{Kind: 8, Fields: []Field{i8(0, act)}} }

// SoftmaxOptions are those of SOFTMAX with beta 1.
func SoftmaxOptions() Options { return Options{Kind: 9, Fields: []Field{f32(0, 1)}} }

// L2NormOptions are those of L2_NORMALIZATION.
func L2NormOptions() Options { return Options{Kind: 12, Fields: []Field{i8(0, ActNone)}} }

// ConcatenationOptions are those of CONCATENATION along an axis.
func ConcatenationOptions(axis int) Options {
	return Options{Kind: 10, Fields: []Field{i32(0, axis), i8(1, ActNone)}}
}

// AddOptions are those of ADD.
func AddOptions(act int) Options { return Options{Kind: 11, Fields: []Field{i8(0, act)}} }

// MulOptions are those of MUL.
func MulOptions(act int) Options { return Options{Kind: 21, Fields: []Field{i8(0, act)}} }

// ReducerOptions are those of MEAN and its kin; keep leaves the reduced dimensions in, with length 1.
func ReducerOptions(keep bool) Options {
	k := 0
	if keep {
		k = 1
	}
	return Options{Kind: 27, Fields: []Field{i8(0, k)}}
}

// ReshapeOptions are those of RESHAPE.
func ReshapeOptions(shape ...int) Options {
	return Options{Kind: 17, Fields: []Field{{ID: 0, Elem: 4, Vector: Int32Bytes(shape)}}}
}

// Float32Bytes are the little-endian bytes of v.
func Float32Bytes(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// Float16Bytes are the little-endian bytes of v rounded to the nearest float16, ties to even (IEEE 754). What is too large
// becomes an infinity.
func Float16Bytes(v []float32) []byte {
	b := make([]byte, 0, 2*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, toFloat16(x))
	}
	return b
}

func toFloat16(v float32) uint16 {
	sign := uint16(math.Float32bits(v) >> 16 & 0x8000)
	abs := math.Abs(float64(v))
	switch {
	case v != v:
		return sign | 0x7e00
	case abs >= 65520:
		return sign | 0x7c00
	case abs < 1.0/(1<<14): // subnormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(abs*(1<<24)))
	}
	frac, exp := math.Frexp(abs) // abs = frac·2^exp, frac in 0.5 to 1
	m := uint16(math.RoundToEven((frac*2 - 1) * 1024))
	return sign | (uint16(exp+14)<<10 + m) // m of 1024 carries into the exponent, as it should
}

// Float16s are the numbers that little-endian float16 stand for (IEEE 754).
func Float16s(b []byte) []float32 {
	v := make([]float32, len(b)/2)
	for i := range v {
		h := binary.LittleEndian.Uint16(b[2*i:])
		exp, m := int(h>>10&0x1f), float64(h&0x3ff)
		x := math.Ldexp(1+m/1024, exp-15)
		switch {
		case exp == 0:
			x = math.Ldexp(m, -24)
		case exp == 31 && m == 0:
			x = math.Inf(1)
		case exp == 31:
			x = math.NaN()
		}
		if v[i] = float32(x); h&0x8000 != 0 {
			v[i] = -v[i]
		}
	}
	return v
}

// Int32Bytes are the little-endian bytes of v as 32-bit integers.
func Int32Bytes(v []int) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(int32(x)))
	}
	return b
}
