// Package modeltest has what tests of networks need: a Runner without native code, and the conformance suite that it and
// the real one pass. Nothing that runs in production imports it.
package modeltest

import (
	"errors"
	"hash/fnv"
	"math"

	"gleaner/model"
)

// Shape is a tensor's shape.
type Shape []int

// Size is how many bytes one element of a type takes; 0 for model.Other.
func Size(t model.Type) int {
	switch t {
	case model.Float32, model.Int32:
		return 4
	case model.Int64:
		return 8
	case model.Float16:
		return 2
	case model.Int8, model.UInt8:
		return 1
	}
	return 0
}

// Fake is a Runner in plain Go. Unless Compute is set its outputs are a fixed function of all bytes of its inputs:
// other inputs give other outputs, the same give the same, and float outputs lie in 0 to 1.
type Fake struct {
	In, Out []model.Tensor
	// Compute, if set, is what Invoke does.
	Compute func(in, out []model.Tensor) error
	// Calls counts Invoke.
	Calls  int
	closed bool
}

// NewFake has one float input and one float output.
func NewFake(in, out Shape) *Fake {
	return &Fake{
		In:  []model.Tensor{NewTensor("in", model.Float32, in)},
		Out: []model.Tensor{NewTensor("out", model.Float32, out)},
	}
}

// NewTensor has memory of its own, all zero; quantised types get scale 1/255 and zero point 0.
func NewTensor(name string, t model.Type, shape Shape) model.Tensor {
	n := Size(t)
	for _, d := range shape {
		n *= d
	}
	m := model.Tensor{Name: name, Type: t, Shape: shape, Data: make([]byte, n)}
	if t == model.Int8 || t == model.UInt8 {
		m.Scale = 1.0 / 255
	}
	return m
}

// Inputs are In.
func (f *Fake) Inputs() []model.Tensor { return f.In }

// Outputs are Out.
func (f *Fake) Outputs() []model.Tensor { return f.Out }

var errClosed = errors.New("the fake is closed")

// Invoke fills the outputs.
func (f *Fake) Invoke() error {
	if f.closed {
		return errClosed
	}
	f.Calls++
	if f.Compute != nil {
		return f.Compute(f.In, f.Out)
	}
	h := uint64(14695981039346656037) // FNV-1a, 64 bits
	for _, t := range f.In {
		for _, b := range t.Data {
			h = (h ^ uint64(b)) * 1099511628211
		}
	}
	for _, t := range f.Out {
		fill(t, &h)
	}
	return nil
}

// fill writes pseudo-random elements (splitmix64) that depend on seed only.
func fill(t model.Tensor, seed *uint64) {
	step := max(Size(t.Type), 1)
	for i := 0; i+step <= len(t.Data); i += step {
		*seed += 0x9e3779b97f4a7c15
		z := *seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		if t.Type == model.Float32 {
			z = uint64(math.Float32bits(float32(z>>40) / (1 << 24)))
		}
		for b := range step {
			t.Data[i+b] = byte(z >> (8 * b)) // little-endian, as on every machine the program runs on
		}
	}
}

// Info names the one rung "fake"; the sum is of the shapes, so that two unlike fakes differ.
func (f *Fake) Info() model.Info {
	const hex = "0123456789abcdef"
	h := fnv.New64a()
	for _, t := range append(append([]model.Tensor(nil), f.In...), f.Out...) {
		h.Write([]byte(t.Name))
		for _, d := range t.Shape {
			h.Write([]byte{byte(d), byte(d >> 8)})
		}
	}
	sum := make([]byte, 64)
	for i := range sum {
		sum[i] = hex[h.Sum64()>>(4*(i%16))&15]
	}
	return model.Info{Delegate: "fake", Ladder: []model.Rung{{Name: "fake", Used: true}}, SHA256: string(sum)}
}

// Close makes further calls of Invoke fail.
func (f *Fake) Close() error {
	f.closed = true
	return nil
}
