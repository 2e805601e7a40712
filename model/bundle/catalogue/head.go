package catalogue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"gleaner/model/flat"
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
		half := flat.Float16Bytes(row)
		for i, v := range row {
			if half[2*i+1]&0x7c == 0x7c {
				return nil, fmt.Errorf("write head: the weight %v does not fit float16", v)
			}
		}
		out = append(out, half...)
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
		h.W[i] = flat.Float16s(b[2*i*d : 2*(i+1)*d])
	}
	return h, nil
}
