// Package export writes a trained network as a .tflite file.
//
// The way of a network, top to bottom:
//
//	plan       the evaluation program as TFLite's layers: norms folded, activations fused, fake quantisation as ranges
//	calibrate  the ranges of the activations, on pictures, for an int8 file
//	emit       the layers as operators of model/flat: float32, float16 weights, or full-integer int8
//
// What a network is, and how it came to its weights, is in train/net and train/engine; the file format is in model/flat;
// whether the file answers as the network does is for train/export/parity to say. No file is run here.
//
// Long because every operator is planned, measured and written in three kinds of numbers that share their shapes.
package export

import (
	"fmt"
	"math"
	"slices"

	"gleaner/model/flat"
	"gleaner/train/engine"
)

// Kind is how a file holds a network's numbers.
type Kind string

// The kinds. A float16 file holds weights in float16 and computes in float32; an int8 file computes in integers: weights
// symmetric per output channel, biases int32, activations asymmetric per array (Jacob et al. 2018, and TensorFlow Lite's
// 8-bit quantisation specification).
const (
	Float32 Kind = "float32"
	Float16 Kind = "float16"
	Int8    Kind = "int8"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Float32, Float16, Int8} }

// Values gives a variable's value, row-major; nil where it has none. The slice is read and not kept.
type Values func(v *engine.Var) []float32

// Options say how a network is written.
type Options struct {
	Kind Kind
	// Meta is stated in the file for other programs; with Mean and Std an int8 file's input covers exactly what pixels from 0
	// to 255 become.
	Meta flat.Meta
	// Labels are the classes' names, one a line, in the order of the (first) output; nil: none.
	Labels []byte
	// Calibration measures the activations of an int8 network. A network that was trained with fake quantisation brings the
	// ranges along and needs it only for arrays in between that training left alone.
	Calibration *Calibration
	// Input is the element type of an int8 file's input; int8 by itself, which classify/prep fills without a detour.
	Input InputType
	// Integer leaves the outputs of an int8 file int8, probabilities with scale 1/256 and zero point -128. Without it a softmax or
	// sigmoid in the last place is computed in float32 out of dequantised logits, closer to the network's and at no cost.
	Integer bool
}

// InputType is the element type of an int8 file's input.
type InputType int

// The types of an int8 file's input.
const (
	InputInt8 InputType = iota
	InputUInt8
	InputFloat32
)

// File is a network as it was written.
type File struct {
	Bytes   []byte
	MACs    int64 // multiplications and additions of one picture, in convolutions and dense layers
	Weights int64 // numbers in convolutions and dense layers, norms folded
}

// Write makes a .tflite file of an evaluation program with a batch of 1. The same program, values and options give the same
// bytes. An operator or a range that cannot be written is an error that names the layer.
func Write(p *engine.Program, values Values, o Options) (*File, error) {
	if !slices.Contains(Kinds(), o.Kind) {
		return nil, fmt.Errorf("export: kind %q is none of %v", o.Kind, Kinds())
	}
	net, err := newPlan(p, values)
	if err != nil {
		return nil, fmt.Errorf("export as %s: %w", o.Kind, err)
	}
	if net.faked && o.Kind != Int8 {
		return nil, fmt.Errorf("export as %s: the program computes as int8 does (fake quantisation): write it as int8, or evaluate the "+
			"network without", o.Kind)
	}
	if o.Kind != Float32 && o.Calibration != nil {
		if err := o.Calibration.measure(p, net); err != nil {
			return nil, fmt.Errorf("export as %s: %w", o.Kind, err)
		}
	}
	if o.Kind == Int8 {
		if err := net.quantise(o); err != nil {
			return nil, fmt.Errorf("export as int8: %w", err)
		}
	}
	m, err := emit(net, o)
	if err != nil {
		return nil, fmt.Errorf("export as %s: %w", o.Kind, err)
	}
	m.SetMeta(o.Meta, o.Labels)
	b, err := m.Bytes()
	if err != nil {
		return nil, fmt.Errorf("export as %s: %w", o.Kind, err)
	}
	f := &File{Bytes: b}
	for _, l := range net.layers {
		f.MACs += l.macs()
	}
	return f, nil
}

// layerError names the layer that cannot be written.
func layerError(layer, format string, args ...any) error {
	return &engine.LayerError{Layer: layer, Err: fmt.Errorf(format, args...)}
}

// finite is the index of the first element that is no number, -1 if all are.
func finite(v []float32) int {
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return i
		}
	}
	return -1
}
