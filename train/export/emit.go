package export

import (
	"fmt"
	"math"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// emitter writes a plan's layers as operators.
type emitter struct {
	m     *flat.Model
	o     Options
	faked bool         // the network was trained with fake quantisation
	forms map[form]int // tensors by what they hold
}

// form is an array in one of the shapes and element types in which operators want it.
type form struct {
	of      *array
	picture bool // [N C] as [N 1 1 C]
	real    bool // float32 in an int8 file
	q       params
	pad     margins
	least   bool // padded with the least number instead of 0
}

func emit(net *plan, o Options) (*flat.Model, error) {
	e := &emitter{m: flat.New(o.Meta.Description), o: o, faked: net.faked, forms: map[form]int{}}
	if err := e.input(net.input); err != nil {
		return nil, err
	}
	for _, l := range net.layers {
		if err := e.layer(l); err != nil {
			return nil, err
		}
	}
	for _, a := range net.outputs {
		of := e.flat
		if e.int8() && !o.Integer {
			of = e.float
		}
		e.m.Graphs[0].Outputs = append(e.m.Graphs[0].Outputs, of(a))
	}
	return e.m, nil
}

func (e *emitter) int8() bool { return e.o.Kind == Int8 }

// version is an operator's: the first for float32, another for int8.
func (e *emitter) version(int8 int) int {
	if e.int8() {
		return int8
	}
	return 1
}

// tensor adds a tensor for activations, int8 with q in an int8 file.
func (e *emitter) tensor(name string, q params, shape ...int) int {
	if !e.int8() {
		return e.m.AddTensor(name, flat.Float32, shape...)
	}
	t := e.m.AddTensor(name, flat.Int8, shape...)
	e.quant(t, q)
	return t
}

func (e *emitter) quant(t int, q params) {
	e.m.Graphs[0].Tensors[t].Quant = &flat.Quant{Scale: []float32{q.scale}, Zero: []int64{int64(q.zero)}}
}

// input adds the network's input; one that is not int8 has a QUANTIZE behind it.
func (e *emitter) input(a *array) error {
	q := e.own(a)
	x := e.tensor(a.name, q, a.shape...)
	e.forms[form{of: a, q: q}] = x
	if e.int8() && e.o.Input != InputInt8 {
		y := e.m.AddTensor(a.name+"/real", flat.Float32, a.shape...)
		version := 1
		switch e.o.Input {
		case InputFloat32:
		case InputUInt8:
			e.m.Graphs[0].Tensors[y].Type, version = flat.UInt8, 2
			e.quant(y, params{q.scale, q.zero + 128})
		default:
			return fmt.Errorf("the input type %d is not known", e.o.Input)
		}
		e.m.AddOp(flat.OpQuantize, version, []int{y}, []int{x}, flat.Options{})
		x = y
	}
	e.m.Graphs[0].Inputs = []int{x}
	return nil
}

func (e *emitter) layer(l *layer) error {
	switch l.kind {
	case engine.Conv2D:
		return e.conv(l)
	case engine.Dense:
		return e.dense(l)
	case engine.MaxPool, engine.AvgPool:
		e.pool(l)
	case engine.GlobalAvgPool:
		e.mean(l)
	case engine.Add:
		return e.sum(l)
	case engine.Concat:
		e.concat(l)
	case engine.Slice:
		x := l.in[0]
		begin := make([]int, len(x.shape))
		begin[len(begin)-1] = l.part.From
		in := []int{e.flat(x), e.constant(l.name+"/begin", begin...), e.constant(l.name+"/size", l.out.shape...)}
		e.op(flat.OpSlice, 2, in, e.result(l, e.own(x), false), flat.Options{})
	case engine.Reshape:
		e.op(flat.OpReshape, 1, []int{e.flat(l.in[0]), e.constant(l.name+"/shape", l.out.shape...)},
			e.result(l, e.own(l.in[0]), false), flat.ReshapeOptions(l.out.shape...))
	case engine.Scale:
		e.op(flat.OpMul, 2, []int{e.flat(l.in[0]), e.factors(l.name+"/factor", []float32{float32(l.factor)}, 1)},
			e.result(l, e.own(l.out), false), flat.MulOptions(flat.ActNone))
	case engine.Relu, engine.Relu6:
		code := map[engine.Kind]int{engine.Relu: flat.OpRelu, engine.Relu6: flat.OpRelu6}[l.kind]
		e.op(code, 2, []int{e.flat(l.in[0])}, e.result(l, e.own(l.out), false), flat.Options{})
	case engine.HSwish:
		e.op(flat.OpHardSwish, 1, []int{e.flat(l.in[0])}, e.result(l, e.own(l.out), false), flat.Options{})
	case engine.Softmax:
		e.gate(l, flat.OpSoftmax, flat.SoftmaxOptions())
	case engine.Sigmoid:
		e.gate(l, flat.OpLogistic, flat.Options{})
	default:
		return layerError(l.name, "the operator %s cannot be written as TensorFlow Lite", l.kind)
	}
	return nil
}

// op adds an operator with its version for int8, and what has to be behind it.
func (e *emitter) op(code, int8 int, in []int, r result, o flat.Options) {
	e.m.AddOp(code, e.version(int8), in, []int{r.tensor}, o)
	if r.want != r.q {
		e.forms[form{of: r.of, picture: r.picture, q: r.want}] = e.requantize(r.tensor, r.want)
	}
}

// result is where an operator puts what it makes of an array: in the array's own quantisation, or in one from which it has to
// be brought there.
type result struct {
	of      *array
	tensor  int
	picture bool
	q, want params
}

// result makes the tensor for a layer's result, with the quantisation that the operator gives.
func (e *emitter) result(l *layer, q params, picture bool) result {
	a := l.out
	shape := a.shape
	if picture {
		shape = pictureShape(a.shape)
	}
	r := result{a, e.tensor(a.name, q, shape...), picture && len(a.shape) == 2, q, e.own(a)}
	e.forms[form{of: a, picture: r.picture, q: q}] = r.tensor
	return r
}

// own is an array's quantisation; none in a float file.
func (e *emitter) own(a *array) params {
	if !e.int8() {
		return params{}
	}
	return a.q()
}

func pictureShape(s engine.Shape) []int {
	if len(s) == 2 {
		return []int{s[0], 1, 1, s[1]}
	}
	return s
}

// flat is an array's tensor in its own shape; picture is the same with an [N C] as [N 1 1 C], which convolutions take.
func (e *emitter) flat(a *array) int    { return e.shaped(a, false) }
func (e *emitter) picture(a *array) int { return e.shaped(a, len(a.shape) == 2) }

func (e *emitter) shaped(a *array, picture bool) int {
	f := form{of: a, picture: picture, q: e.own(a), real: e.int8() && a.real}
	if f.real {
		f.q = params{}
	}
	if t, ok := e.forms[f]; ok {
		return t
	}
	other := f
	other.picture = !picture
	e.forms[f] = e.reshape(e.forms[other], map[bool][]int{true: pictureShape(a.shape), false: a.shape}[picture])
	return e.forms[f]
}

func (e *emitter) reshape(x int, shape []int) int {
	t := e.m.Graphs[0].Tensors[x]
	t.Name, t.Shape = t.Name+"/reshaped", shape
	e.m.Graphs[0].Tensors = append(e.m.Graphs[0].Tensors, t)
	y := len(e.m.Graphs[0].Tensors) - 1
	e.m.AddOp(flat.OpReshape, 1, []int{x, e.constant(t.Name+"/shape", shape...)}, []int{y}, flat.ReshapeOptions(shape...))
	return y
}

// float is an int8 array as real numbers, in its own shape.
func (e *emitter) float(a *array) int {
	f := form{of: a, real: true}
	if t, ok := e.forms[f]; ok {
		return t
	}
	picture := form{of: a, picture: true, q: a.q()}
	x, ok := e.forms[picture] // reshaped behind the DEQUANTIZE, so that a delegate has all of it in one piece
	if _, flat := e.forms[form{of: a, q: a.q()}]; !ok || flat {
		picture.picture, x = false, e.flat(a)
	}
	t := e.m.Graphs[0].Tensors[x]
	y := e.m.AddTensor(t.Name+"/float", flat.Float32, t.Shape...)
	e.m.AddOp(flat.OpDequantize, 2, []int{x}, []int{y}, flat.Options{})
	if picture.picture {
		y = e.reshape(y, a.shape)
	}
	e.forms[f] = y
	return y
}

// in is an array's tensor in another quantisation than its own.
func (e *emitter) in(a *array, q params) int {
	if e.own(a) == q {
		return e.flat(a)
	}
	f := form{of: a, q: q}
	if _, ok := e.forms[f]; !ok {
		e.forms[f] = e.requantize(e.flat(a), q)
	}
	return e.forms[f]
}

func (e *emitter) requantize(x int, q params) int {
	t := e.m.Graphs[0].Tensors[x]
	y := e.tensor(t.Name+"/requantized", q, t.Shape...)
	e.m.AddOp(flat.OpQuantize, 2, []int{x}, []int{y}, flat.Options{})
	return y
}

// constant are integers that an operator takes as a tensor.
func (e *emitter) constant(name string, v ...int) int {
	return e.m.AddConst(name, flat.Int32, flat.Int32Bytes(v), len(v))
}

// padded is an array's tensor within margins of 0, or of the least number that it can hold.
func (e *emitter) padded(a *array, pad margins, least bool) int {
	f := form{of: a, q: e.own(a), pad: pad, least: least}
	if t, ok := e.forms[f]; ok {
		return t
	}
	s := pictureShape(a.shape)
	x := e.picture(a)
	y := e.tensor(a.name+"/padded", f.q, s[0], s[1]+pad.top+pad.bottom, s[2]+pad.left+pad.right, s[3])
	p := e.m.AddConst(a.name+"/margins", flat.Int32, flat.Int32Bytes([]int{0, 0, pad.top, pad.bottom, pad.left, pad.right, 0, 0}), 4, 2)
	code, in := flat.OpPad, []int{x, p}
	if least {
		t, v := flat.Float32, flat.Float32Bytes([]float32{-math.MaxFloat32})
		if e.int8() {
			t, v = flat.Int8, []byte{0x80}
		}
		code, in = flat.OpPadV2, append(in, e.m.AddConst(a.name+"/least", t, v, 1))
		e.m.Graphs[0].Tensors[in[2]].Quant = e.m.Graphs[0].Tensors[x].Quant
	}
	e.m.AddOp(code, e.version(2), in, []int{y}, flat.Options{})
	e.forms[f] = y
	return y
}

// act is a fused activation as the schema numbers it.
func act(a engine.Act) int {
	return map[engine.Act]int{engine.NoAct: flat.ActNone, engine.ActRelu: flat.ActRelu, engine.ActRelu6: flat.ActRelu6}[a]
}
