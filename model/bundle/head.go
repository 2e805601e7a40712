package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Head is the last layer of a classifier: the logits are W·x+B.
type Head struct {
	W [][]float32 // a row of weights per class
	B []float32   // one per class
}

// headMagic begins a head file. The rest is little-endian: uint32 classes, uint32 weights per class, then float32
// biases, one per class, and the rows of weights as IEEE 754 float16.
const headMagic = "gleanhd1"

// Bounds on a head file, which comes from outside when a user trains one.
const (
	maxClasses = 1 << 16
	maxWeights = 1 << 28
)

// Bytes is the head as a file. Weights are rounded to float16; one that is too large for it is an error.
func (h *Head) Bytes() ([]byte, error) {
	if len(h.W) == 0 || len(h.B) != len(h.W) {
		return nil, fmt.Errorf("write head: %d rows of weights and %d biases", len(h.W), len(h.B))
	}
	out := []byte(headMagic)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(h.W)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(h.W[0])))
	for _, v := range h.B {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	for _, row := range h.W {
		if len(row) != len(h.W[0]) {
			return nil, errors.New("write head: rows of different length")
		}
		for _, v := range row {
			f := toFloat16(v)
			if f&0x7c00 == 0x7c00 {
				return nil, fmt.Errorf("write head: the weight %v does not fit float16", v)
			}
			out = binary.LittleEndian.AppendUint16(out, f)
		}
	}
	return out, nil
}

// ParseHead reads a head file.
func ParseHead(b []byte) (*Head, error) {
	if len(b) < len(headMagic)+8 || string(b[:len(headMagic)]) != headMagic {
		return nil, errors.New("not a head file")
	}
	b = b[len(headMagic):]
	n, d := int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	if n < 1 || d < 1 || n > maxClasses || d > maxWeights/n || len(b) != 4*n+2*n*d {
		return nil, fmt.Errorf("damaged head file: %d classes of %d weights in %d bytes", n, d, len(b))
	}
	h := &Head{B: make([]float32, n), W: make([][]float32, n)}
	for i := range h.B {
		h.B[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	b = b[4*n:]
	for i := range h.W {
		h.W[i] = make([]float32, d)
		for k := range h.W[i] {
			h.W[i][k] = fromFloat16(binary.LittleEndian.Uint16(b[2*(i*d+k):]))
		}
	}
	return h, nil
}

// toFloat16 rounds to the nearest float16, ties to even (IEEE 754).
func toFloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	sign := uint16(bits >> 16 & 0x8000)
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

func fromFloat16(h uint16) float32 {
	exp, m := int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(m, -24)
	case 31:
		if v = math.Inf(1); m != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1+m/1024, exp-15)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return float32(v)
}
