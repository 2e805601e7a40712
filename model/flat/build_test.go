package flat

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestFloat16Bytes(t *testing.T) {
	for _, c := range []struct {
		name string
		v    float32
		want uint16
	}{
		{"zero", 0, 0}, {"minus zero", float32(math.Copysign(0, -1)), 0x8000}, {"one", 1, 0x3c00}, {"minus two", -2, 0xc000},
		{"a third", 1. / 3, 0x3555}, {"tie to even, down", 1 + 1./2048, 0x3c00}, {"tie to even, up", 1 + 3./2048, 0x3c02},
		{"carry into the exponent", 1.9999, 0x4000}, {"largest", 65504, 0x7bff}, {"too large", 65520, 0x7c00},
		{"smallest normal", 1. / (1 << 14), 0x0400}, {"smallest", 1. / (1 << 24), 1}, {"half of the smallest", 1. / (1 << 25), 0},
		{"not a number", float32(math.NaN()), 0x7e00},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := binary.LittleEndian.Uint16(Float16Bytes([]float32{c.v})); got != c.want {
				t.Errorf("%v is written as %#04x, want %#04x", c.v, got, c.want)
			}
		})
	}
}

// TestFloat16s reads all numbers that there are and writes them again.
func TestFloat16s(t *testing.T) {
	for h := range 1 << 16 {
		b := binary.LittleEndian.AppendUint16(nil, uint16(h))
		v := Float16s(b)
		if got := binary.LittleEndian.Uint16(Float16Bytes(v)); got != uint16(h) && !math.IsNaN(float64(v[0])) {
			t.Fatalf("%#04x is read as %v and written as %#04x", h, v[0], got)
		}
	}
	if v := Float16s([]byte{0x00, 0x7e, 0x55, 0x35}); !math.IsNaN(float64(v[0])) || math.Abs(float64(v[1])-1./3) > 1e-4 {
		t.Errorf("numbers are read as %v", v)
	}
}

func TestDilated(t *testing.T) {
	plain := DepthwiseConv2DOptions(PadValid, 1, 1, 1, ActNone)
	for _, o := range []Options{Dilated(Conv2DOptions(PadSame, 1, 1, ActRelu), 3, 2), Dilated(plain, 3, 2)} {
		at := map[int]int{1: 4, 2: 5}[o.Kind]
		if w, h := o.scalar(at, 0), o.scalar(at+1, 0); w != 2 || h != 3 {
			t.Errorf("options of kind %d are dilated by %d×%d, want 3×2 (h, w)", o.Kind, h, w)
		}
	}
	if w := plain.scalar(5, 0); w != 1 {
		t.Errorf("the options dilated from have become %d", w)
	}
}
