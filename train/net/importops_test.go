package net

import (
	"math/rand/v2"
	"strings"
	"testing"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// sketch builds a .tflite network for tests.
type sketch struct {
	*flat.Model
	r *rand.Rand
}

func newSketch(shape ...int) (sketch, int) {
	s := sketch{flat.New("sketch"), rand.New(rand.NewPCG(3, 5))}
	x := s.AddTensor("x", flat.Float32, shape...)
	s.Graphs[0].Inputs = []int{x}
	return s, x
}

// consts are numbers around a mean.
func (s sketch) consts(name string, mean float64, shape ...int) int {
	d := make([]float32, engine.Shape(shape).Size())
	for i := range d {
		d[i] = float32(mean + 0.4*s.r.NormFloat64())
	}
	return s.AddConst(name, flat.Float32, flat.Float32Bytes(d), shape...)
}

func (s sketch) ints(name string, shape []int, v ...int) int {
	return s.AddConst(name, flat.Int32, flat.Int32Bytes(v), shape...)
}

// op adds an operator with one output, which becomes the network's.
func (s sketch) op(code int, name string, o flat.Options, shape []int, in ...int) int {
	y := s.AddTensor(name, flat.Float32, shape...)
	s.AddOp(code, 1, in, []int{y}, o)
	s.Graphs[0].Outputs = []int{y}
	return y
}

// every is a network with every operator that can be imported and that the pictures' backbones lack.
func every() *flat.Model {
	s, x := newSketch(1, 14, 10, 3)
	x = s.op(flat.OpMul, "times", flat.MulOptions(flat.ActNone), []int{1, 14, 10, 3}, x, s.consts("two", 2))
	x = s.op(opSub, "minus", flat.Options{}, []int{1, 14, 10, 3}, x, s.consts("one", 1))
	x = s.op(flat.OpPad, "pad", flat.Options{}, []int{1, 17, 13, 3}, x, s.ints("pads", []int{4, 2}, 0, 0, 1, 2, 2, 1, 0, 0))
	x = s.op(flat.OpConv2D, "conv", flat.Conv2DOptions(flat.PadValid, 1, 2, flat.ActNone), []int{1, 8, 11, 8}, x,
		s.consts("conv/w", 0, 8, 3, 3, 3), s.consts("conv/b", 0, 8))
	x = s.op(flat.OpRelu, "relu", flat.Options{}, []int{1, 8, 11, 8}, x)
	x = s.op(flat.OpConv2D, "dilated", flat.Dilated(flat.Conv2DOptions(flat.PadSame, 1, 1, flat.ActNone), 2, 1), []int{1, 8, 11, 8}, x,
		s.consts("dilated/w", 0, 8, 3, 3, 8), s.consts("dilated/b", 0, 8))
	x = s.op(flat.OpHardSwish, "hswish", flat.Options{}, []int{1, 8, 11, 8}, x)
	x = s.op(flat.OpDepthwiseConv2D, "depthwise", flat.DepthwiseConv2DOptions(flat.PadSame, 2, 1, 2, flat.ActRelu6), []int{1, 8, 6, 16}, x,
		s.consts("depthwise/w", 0, 1, 3, 5, 16), s.consts("depthwise/b", 1, 16))
	a := s.op(flat.OpMaxPool2D, "max", flat.Pool2DOptions(flat.PadSame, 2, 2, 3, 3, flat.ActNone), []int{1, 4, 3, 16}, x)
	b := s.op(flat.OpAveragePool2D, "average", flat.Pool2DOptions(flat.PadSame, 2, 2, 3, 2, flat.ActNone), []int{1, 4, 3, 16}, x)
	c := s.op(flat.OpAdd, "sum", flat.AddOptions(flat.ActNone), []int{1, 4, 3, 16}, a, b)
	x = s.op(flat.OpConcatenation, "join", flat.ConcatenationOptions(3), []int{1, 4, 3, 32}, a, c)
	x = s.op(flat.OpMul, "scale", flat.MulOptions(flat.ActNone), []int{1, 4, 3, 32}, s.consts("scale/c", 1, 1, 1, 1, 32), x)
	x = s.op(flat.OpAdd, "shift", flat.AddOptions(flat.ActRelu), []int{1, 4, 3, 32}, x, s.consts("shift/c", 0, 32))
	x = s.op(flat.OpMean, "mean", flat.ReducerOptions(true), []int{1, 1, 1, 32}, x, s.ints("axes", []int{2}, 1, 2))
	x = s.op(opSqueeze, "squeeze", flat.Options{Kind: 30}, []int{1, 32}, x)
	x = s.op(flat.OpFullyConnected, "dense", flat.FullyConnectedOptions(flat.ActRelu), []int{1, 12}, x, s.consts("dense/w", 0, 12, 32), s.consts("dense/b", 0, 12))
	x = s.op(flat.OpFullyConnected, "logits", flat.FullyConnectedOptions(flat.ActNone), []int{1, 5}, x, s.consts("logits/w", 0, 5, 12))
	s.op(flat.OpLogistic, "answer", flat.Options{}, []int{1, 5}, x)
	return s.Model
}

func TestImportKeepsTheClassifier(t *testing.T) {
	n, _, err := Import(every(), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Heads) != 1 || n.Heads[0] != (Head{"class", 5, true}) {
		t.Errorf("the heads are %+v", n.Heads)
	}
	// The preparation of the input does not learn; the scale and the shift by channel do.
	for name, want := range map[string]engine.Role{"trunk/times/gamma": engine.Stat, "trunk/minus/beta": engine.Stat,
		"trunk/scale/gamma": engine.Param, "trunk/shift/beta": engine.Param} {
		if v := n.Var(name); v == nil || v.Role != want {
			t.Errorf("%s is %+v", name, v)
		}
	}
	if n.Var("trunk/relu/w") != nil || n.Var("trunk/conv/w") == nil {
		t.Error("the ReLU behind the convolution is a layer of its own")
	}
	p, err := n.Training(4, TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Outputs[1].Shape; !got.Equal(engine.Shape{4, 5}) {
		t.Errorf("answers are %v", got)
	}
	n, _, err = Import(every(), ImportOptions{Heads: []Head{{Name: "a", Classes: 3}}, Units: 7, Drop: 0.5, Freeze: []string{"trunk/"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Var("hidden/w").Shape; !got.Equal(engine.Shape{7, 12}) {
		t.Errorf("the hidden layer is %v", got)
	}
	if len(n.Params()) != 4 {
		t.Errorf("%d parameters learn with a frozen trunk", len(n.Params()))
	}
}

func TestImportRefuses(t *testing.T) {
	heads := []Head{{Name: "a", Classes: 3}}
	single := func(code int, o flat.Options, shape ...int) *flat.Model {
		s, x := newSketch(1, 4, 4, 3)
		s.op(code, "result", o, shape, x)
		return s.Model
	}
	for _, c := range []struct {
		name string
		m    *flat.Model
		o    ImportOptions
		want string
	}{
		{"unknown operator", single(28, flat.Options{}, 1, 4, 4, 3), ImportOptions{Heads: heads}, `operator 0, TANH, which computes tensor "result"`},
		{"softmax inside", single(flat.OpSoftmax, flat.SoftmaxOptions(), 1, 4, 4, 3), ImportOptions{Heads: heads, At: "result"}, "has no gradient"},
		{"no such tensor", every(), ImportOptions{Heads: heads, At: "nowhere"}, `no tensor "nowhere"`},
		{"channels", every(), ImportOptions{Heads: heads, Input: engine.Shape{14, 10, 1}}, "height and width alone"},
		{"no such layer", every(), ImportOptions{Heads: heads, Freeze: []string{"stem"}}, "no layer that begins"},
		{"dropout", every(), ImportOptions{Heads: heads, Drop: 1}, "dropout"},
		{"cut without a head", every(), ImportOptions{At: "relu"}, "none is named"},
		{"too small", every(), ImportOptions{Heads: heads, Input: engine.Shape{1, 1, 3}, At: "conv"}, ""},
		{"padded channels", single(flat.OpPad, flat.Options{}, 1, 4, 4, 3), ImportOptions{Heads: heads}, "input 1 is missing"},
		{"activation", single(flat.OpMaxPool2D, flat.Pool2DOptions(flat.PadSame, 1, 1, 2, 2, 2), 1, 4, 4, 3), ImportOptions{Heads: heads}, "activation 2"},
		{"stride", single(flat.OpMaxPool2D, flat.Pool2DOptions(flat.PadSame, 0, 1, 2, 2, 0), 1, 4, 4, 3), ImportOptions{Heads: heads}, "stride 1×0"},
		{"shape of a batch", single(flat.OpReshape, flat.Options{}, 4, 12), ImportOptions{Heads: heads, At: "result"}, "must begin with 1"},
	} {
		_, _, err := Import(c.m, c.o)
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	bare := every()
	bare.Buffers = nil
	if _, _, err := Import(bare, ImportOptions{Heads: heads}); err == nil {
		t.Error("a file without buffers became a network")
	}
	if _, _, err := Import(load(t, "ssd_oidv4_fp16.tflite"), ImportOptions{}); err == nil || !strings.Contains(err.Error(), "2 outputs") {
		t.Errorf("a detector as a classifier: %v", err)
	}
	_, _, err := Import(load(t, "mobilenet_v1_0.25_128_quant_edgetpu.tflite"), ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), "edgetpu-custom-op") {
		t.Errorf("a compiled file: %v", err)
	}
}
