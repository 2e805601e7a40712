// Package flat reads and writes .tflite files in pure Go: it takes a network apart into tensors, operators and weights,
// cuts a backbone out of it, appends a head, and writes the result with its labels. The format is FlatBuffers with the
// identifier TFL3, described in tensorflow/lite/schema/schema.fbs; the field numbers below are that file's. It computes
// nothing: model/tflite runs what is written here.
//
// Long because reader and writer share one format's field numbers: apart, they would drift.
package flat

import (
	"errors"
	"math"
)

// What is wrong with a file, for callers that branch on it. Every error of Read wraps one of the first two.
var (
	// ErrNotTFLite says that the bytes are something else; the message says what they look like.
	ErrNotTFLite = errors.New("not a TensorFlow Lite file")
	// ErrDamaged says that the file begins as a TFLite file but does not hold together: truncated, or altered.
	ErrDamaged = errors.New("damaged TensorFlow Lite file")
	// ErrUnsupported says that the file is sound but uses what this package cannot write again.
	ErrUnsupported = errors.New("unsupported in TensorFlow Lite file")
)

// Type is a tensor's element type, numbered as TensorType in the schema.
type Type uint8

// The element types by their number in the schema.
const (
	Float32 Type = 0
	Float16 Type = 1
	Int32   Type = 2
	UInt8   Type = 3
	Int64   Type = 4
	String  Type = 5
	Bool    Type = 6
	Int16   Type = 7
	Int8    Type = 9
	Float64 Type = 10
)

// Size is the bytes of one element, 0 for types without a fixed size in whole bytes and for unknown types.
func (t Type) Size() int {
	switch t {
	case Float32, Int32:
		return 4
	case Float16, Int16:
		return 2
	case UInt8, Int8, Bool:
		return 1
	case Int64, Float64:
		return 8
	}
	return 0
}

// String is the type's name in lower case, such as "float32".
func (t Type) String() string {
	names := map[Type]string{Float32: "float32", Float16: "float16", Int32: "int32", UInt8: "uint8", Int64: "int64",
		String: "string", Bool: "bool", Int16: "int16", Int8: "int8", Float64: "float64"}
	if s, ok := names[t]; ok {
		return s
	}
	return "another type"
}

// Model is a .tflite file taken apart. Buffers that came from Read are views on the bytes that were read.
type Model struct {
	Version     uint32   // of the schema; 3 for every file since 2017
	Description string   // free text of the maker
	Codes       []OpCode // the kinds of operators; Op.Code is an index into it
	Graphs      []Graph  // the first is the network; others are bodies of control flow
	Buffers     [][]byte // weights and constants; the first is empty and means "none"
	Metadata    []Metadata
	Files       []File // associated files, from the zip archive behind the network
}

// OpCode names a kind of operator.
type OpCode struct {
	Builtin int    // BuiltinOperator in the schema; OpCustom for a custom operator
	Custom  string // the custom operator's name, such as "edgetpu-custom-op"
	Version int    // of the operator's definition, from 1
}

// Graph is one network.
type Graph struct {
	Name            string
	Tensors         []Tensor
	Inputs, Outputs []int // indices into Tensors
	Ops             []Op  // in the order of execution
}

// Tensor describes one array. Whether it is a constant is said by its buffer: not 0 and not empty.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int // nil for a scalar
	// Signature is the shape with -1 for what may vary; nil where it equals Shape.
	Signature []int
	Buffer    int    // index into Model.Buffers; 0: no constant
	Quant     *Quant // nil for a tensor without quantisation
	Variable  bool   // state that lives from one run to the next
	HasRank   bool   // Shape is meant even when it is empty
	sparse    bool   // sparsity parameters, which are read over and cannot be written again
}

// Elems is the number of elements, or -1 where the shape is negative or does not fit an int.
func (t *Tensor) Elems() int {
	n := 1
	for _, d := range t.Shape {
		if d < 0 || (d > 0 && n > math.MaxInt32/d) {
			return -1
		}
		n *= d
	}
	return n
}

// Quant turns a quantised element q into Scale*(q-Zero).
type Quant struct {
	Min, Max []float32
	Scale    []float32 // one for the whole tensor, or one per slice of dimension Dim
	Zero     []int64   // as many as Scale
	Dim      int
	custom   bool // details of another scheme, which cannot be written again
}

// Op is one step of a network.
type Op struct {
	Code            int   // index into Model.Codes
	Inputs, Outputs []int // indices into Graph.Tensors; an input may be -1: left out
	Options         Options
	Custom          []byte // options of a custom operator
	Mutating        []bool // which inputs the operator changes; nil: none
	Intermediates   []int
	extra           string // what the operator has that cannot be written again; empty: nothing
}

// Options is an operator's table of options, field by field, so that it can be written again without knowing the
// operator. Kind is its number in the union BuiltinOptions, 0: none.
type Options struct {
	Kind   int
	Fields []Field
}

// Field is one entry of Options: either a scalar of 1, 2, 4 or 8 little-endian bytes, or a vector.
type Field struct {
	ID     int
	Scalar []byte
	Vector []byte // elements of Elem bytes each
	Elem   int    // bytes of a vector's element; 0: the field is a scalar
}

// Metadata names a buffer, such as TFLITE_METADATA.
type Metadata struct {
	Name   string
	Buffer int
}

// File is an associated file, such as labels.txt.
type File struct {
	Name string
	Data []byte
}

// File is the associated file of that name, nil where there is none.
func (m *Model) File(name string) []byte {
	for _, f := range m.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// Op codes that the program names, from BuiltinOperator in the schema.
const (
	OpAdd             = 0
	OpAveragePool2D   = 1
	OpConcatenation   = 2
	OpConv2D          = 3
	OpDepthwiseConv2D = 4
	OpDequantize      = 6
	OpFullyConnected  = 9
	OpL2Norm          = 11
	OpLogistic        = 14
	OpMaxPool2D       = 17
	OpMul             = 18
	OpRelu            = 19
	OpRelu6           = 21
	OpReshape         = 22
	OpSoftmax         = 25
	OpCustom          = 32
	OpPad             = 34
	OpMean            = 40
	OpPadV2           = 60
	OpSlice           = 65
	OpSqrt            = 75
	OpReduceMax       = 82
	OpReverseV2       = 105
	OpQuantize        = 114
	OpHardSwish       = 117
)

// HasCustom reports whether an operator of the network is the custom operator of that name.
func (m *Model) HasCustom(name string) bool {
	for _, g := range m.Graphs {
		for _, op := range g.Ops {
			if c := m.Codes[op.Code]; c.Builtin == OpCustom && c.Custom == name {
				return true
			}
		}
	}
	return false
}

// InputTensors are the tensors that the caller of the network fills.
func (m *Model) InputTensors() []Tensor { return m.pick(m.Graphs[0].Inputs) }

// OutputTensors are the tensors that the network answers with.
func (m *Model) OutputTensors() []Tensor { return m.pick(m.Graphs[0].Outputs) }

func (m *Model) pick(ix []int) []Tensor {
	out := make([]Tensor, len(ix))
	for i, k := range ix {
		out[i] = m.Graphs[0].Tensors[k]
	}
	return out
}
