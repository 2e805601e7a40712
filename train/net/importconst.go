package net

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"gleaner/model/flat"
)

// option is an operator's option, numbered as in the schema; def where it is left out.
func option(op *flat.Op, id, def int) int {
	for _, f := range op.Options.Fields {
		if f.ID == id && f.Elem == 0 {
			var b [4]byte
			copy(b[:], f.Scalar)
			return int(int32(binary.LittleEndian.Uint32(b[:])))
		}
	}
	return def
}

// byteOption is an option of one byte.
func byteOption(op *flat.Op, id int) int { return option(op, id, 0) & 0xff }

var errNotConstant = errors.New("is no constant")

// data is a buffer's content; a file may have no buffers at all.
func (im *importer) data(buffer int) []byte {
	if buffer < len(im.m.Buffers) {
		return im.m.Buffers[buffer]
	}
	return nil
}

// constant is a constant's value in real numbers, row-major.
func (im *importer) constant(tensor int) ([]float32, error) {
	if c, ok := im.consts[tensor]; ok {
		return c, nil
	}
	t := &im.g.Tensors[tensor]
	data := im.data(t.Buffer)
	if len(data) == 0 {
		return nil, fmt.Errorf("tensor %s %w", t.Name, errNotConstant)
	}
	n := t.Elems()
	if n < 0 || n*t.Type.Size() != len(data) {
		return nil, fmt.Errorf("tensor %s %v has %d bytes", t.Name, t, len(data))
	}
	c := make([]float32, n)
	switch t.Type {
	case flat.Float32:
		for i := range c {
			c[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case flat.Float16:
		for i := range c {
			c[i] = half(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case flat.Int8, flat.UInt8, flat.Int32:
		if err := dequantise(c, t, data); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("tensor %s is %s, and its numbers are not known here", t.Name, t.Type)
	}
	for _, x := range c {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("tensor %s holds what is no number", t.Name)
		}
	}
	im.consts[tensor] = c
	return c, nil
}

// dequantise computes scale·(q-zero), with one scale for all or one for each slice of a dimension.
func dequantise(c []float32, t *flat.Tensor, data []byte) error {
	q := t.Quant
	if q == nil || len(q.Scale) == 0 {
		return fmt.Errorf("tensor %s is %s and states no scale", t.Name, t.Type)
	}
	inner := len(c) // elements that share a scale
	if len(q.Scale) > 1 {
		if q.Dim < 0 || q.Dim >= len(t.Shape) || t.Shape[q.Dim] != len(q.Scale) {
			return fmt.Errorf("tensor %s %v has %d scales along dimension %d", t.Name, t.Shape, len(q.Scale), q.Dim)
		}
		inner = 1
		for _, d := range t.Shape[q.Dim+1:] {
			inner *= d
		}
	}
	for i := range c {
		var v int64
		switch t.Type {
		case flat.Int8:
			v = int64(int8(data[i]))
		case flat.UInt8:
			v = int64(data[i])
		default:
			v = int64(int32(binary.LittleEndian.Uint32(data[4*i:])))
		}
		s := i / inner % len(q.Scale)
		if len(q.Zero) > 0 {
			v -= q.Zero[s]
		}
		c[i] = float32(float64(v) * float64(q.Scale[s]))
	}
	return nil
}

// half is the number that an IEEE 754 half-precision pattern stands for.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // zero, or a subnormal: frac·2^-24
		f := float32(frac) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// bias is an operator's bias of k numbers from its input i; nil where it has none. A bias without a scale of its own has the
// product of the input's and the weights'.
func (im *importer) bias(op *flat.Op, i, k int) ([]float32, error) {
	if i >= len(op.Inputs) || op.Inputs[i] < 0 {
		return nil, nil
	}
	t := im.g.Tensors[op.Inputs[i]]
	if t.Type == flat.Int32 && (t.Quant == nil || len(t.Quant.Scale) == 0) {
		return im.plainBias(op, t, k)
	}
	b, err := im.constant(op.Inputs[i])
	if err != nil {
		return nil, err
	}
	if len(b) != k {
		return nil, fmt.Errorf("its bias has %d numbers for %d channels", len(b), k)
	}
	return b, nil
}

func (im *importer) plainBias(op *flat.Op, t flat.Tensor, k int) ([]float32, error) {
	x, w := im.g.Tensors[op.Inputs[0]].Quant, im.g.Tensors[op.Inputs[1]].Quant
	if x == nil || w == nil || len(x.Scale) != 1 || len(w.Scale) != 1 && len(w.Scale) != k || t.Elems() != k {
		return nil, fmt.Errorf("its bias %s states no scale", t.Name)
	}
	scales := make([]float32, k)
	for i := range scales {
		scales[i] = x.Scale[0] * w.Scale[min(i, len(w.Scale)-1)]
	}
	t.Shape, t.Quant = []int{k}, &flat.Quant{Scale: scales}
	data := im.data(t.Buffer)
	if len(data) != 4*k {
		return nil, fmt.Errorf("its bias %s has %d bytes", t.Name, len(data))
	}
	b := make([]float32, k)
	return b, dequantise(b, &t, data)
}

// int32s are the numbers of a constant that states sizes.
func (im *importer) int32s(op *flat.Op, i int) ([]int, error) {
	if i >= len(op.Inputs) || op.Inputs[i] < 0 {
		return nil, fmt.Errorf("its input %d is missing", i)
	}
	t := &im.g.Tensors[op.Inputs[i]]
	data := im.data(t.Buffer)
	if t.Type != flat.Int32 || len(data) == 0 || len(data)%4 != 0 {
		return nil, fmt.Errorf("tensor %s %w of int32", t.Name, errNotConstant)
	}
	out := make([]int, len(data)/4)
	for k := range out {
		out[k] = int(int32(binary.LittleEndian.Uint32(data[4*k:])))
	}
	return out, nil
}

// span is the least and the greatest number that a quantised tensor can hold.
func (im *importer) span(tensor int) (r [2]float32, ok bool) {
	t := &im.g.Tensors[tensor]
	low, high := 0, 255
	if t.Type == flat.Int8 {
		low, high = -128, 127
	}
	if t.Type != flat.Int8 && t.Type != flat.UInt8 || t.Quant == nil || len(t.Quant.Scale) != 1 {
		return r, false
	}
	zero := int64(0)
	if len(t.Quant.Zero) > 0 {
		zero = t.Quant.Zero[0]
	}
	s := float64(t.Quant.Scale[0])
	return [2]float32{float32(s * float64(int64(low)-zero)), float32(s * float64(int64(high)-zero))}, true
}

// activation is a fused activation, and whether there is none. A quantised tensor that cannot hold less than 0 is a ReLU's
// whatever its operator says, and a ReLU6's where it ends at 6: converters leave the clamp to the range.
func (im *importer) activation(out, act int) (a Act, none bool, err error) {
	switch act {
	case unfused:
		return None, false, nil
	case flat.ActRelu:
		return Relu, false, nil
	case flat.ActRelu6:
		return Relu6, false, nil
	case flat.ActNone:
	default:
		return nil, false, fmt.Errorf("its fused activation %d is not known here", act)
	}
	r, ok := im.span(out)
	switch {
	case !ok || r[0] != 0:
		return None, true, nil
	case r[1] > 5.95 && r[1] < 6.05:
		return Relu6, false, nil
	}
	return Relu, false, nil
}
