package prep

import (
	"encoding/binary"
	"math"

	"gleaner/capture"
)

// The weights have 11 bits and the rows between the two passes 15, as in OpenCV's resize.cpp
// (INTER_RESIZE_COEF_BITS, VResizeLinear for 8-bit pixels).
const one = 1 << 11

// weights fills the tables for a source of l.sw×l.sh pixels that becomes l.iw×l.ih: per target column the byte offset
// of the left pixel and two weights, per target row the two source rows and their weights.
func (p *Prep) weights(l placed) {
	key := [4]int{l.sw, l.sh, l.iw, l.ih}
	if key == p.key {
		return
	}
	p.key = key
	scale := float64(l.sw) / float64(l.iw)
	for x := range l.iw {
		s, a := sample(x, scale)
		switch {
		case s < 0:
			s, a = 0, 0
		case s >= l.sw-1 && l.sw > 1: // the last pixel, seen as the right one of a pair
			s, a = l.sw-2, one
		case s >= l.sw-1:
			s, a = 0, 0
		}
		p.xofs[x] = int32(3 * s)
		p.alpha[2*x], p.alpha[2*x+1] = one-a, a
	}
	scale = float64(l.sh) / float64(l.ih)
	for y := range l.ih {
		s, b := sample(y, scale)
		p.yofs[2*y], p.yofs[2*y+1] = int32(max(s, 0)), int32(min(s+1, l.sh-1))
		p.beta[2*y], p.beta[2*y+1] = one-b, b
	}
}

// sample is where the centre of target pixel i falls: source pixel s and the weight of s+1, 0 to one.
func sample(i int, scale float64) (s int, weight int16) {
	// The conversions keep compilers from fusing multiply and add, which would differ between machines.
	f := float32(float64((float64(i)+0.5)*scale) - 0.5)
	s = int(math.Floor(float64(f)))
	return s, int16(math.RoundToEven(float64(f-float32(s)) * one))
}

// fillGo is the definition: it resizes im to iw×ih and writes the elements to out, whose rows are those of the tensor.
func (p *Prep) fillGo(out []byte, im capture.Image, iw, ih int) {
	have := [2]int32{-1, -1}
	rows := p.rows
	step := 3
	if im.W == 1 {
		step = 0
	}
	line := p.line[:3*iw]
	for y := range ih {
		y0, y1 := p.yofs[2*y], p.yofs[2*y+1]
		if have[0] != y0 && have[1] == y0 {
			rows[0], rows[1] = rows[1], rows[0]
			have[0], have[1] = have[1], have[0]
		}
		if have[0] != y0 {
			p.across(rows[0], im.Row(int(y0)), iw, step)
			have[0] = y0
		}
		if have[1] != y1 {
			p.across(rows[1], im.Row(int(y1)), iw, step)
			have[1] = y1
		}
		down(line, rows[0], rows[1], int32(p.beta[2*y]), int32(p.beta[2*y+1]))
		px := line
		if p.c == 1 {
			px = luma(line)
		}
		p.convert(out[y*p.w*p.c*p.elem:], px)
	}
}

// across interpolates one source row horizontally, in the tensor's colour order.
func (p *Prep) across(dst []int16, src []byte, iw, step int) {
	c0, c2 := 0, 2
	if p.swap {
		c0, c2 = 2, 0
	}
	for x := range iw {
		l := src[p.xofs[x]:]
		l, r := l[:3:3], l[step:step+3:step+3]
		a0, a1 := int32(p.alpha[2*x]), int32(p.alpha[2*x+1])
		d := dst[3*x : 3*x+3 : 3*x+3]
		d[0] = int16((int32(l[c0])*a0 + int32(r[c0])*a1) >> 4)
		d[1] = int16((int32(l[1])*a0 + int32(r[1])*a1) >> 4)
		d[2] = int16((int32(l[c2])*a0 + int32(r[c2])*a1) >> 4)
	}
}

// down interpolates between two rows and rounds to 8 bits.
func down(dst []byte, r0, r1 []int16, b0, b1 int32) {
	r0, r1 = r0[:len(dst)], r1[:len(dst)]
	for i := range dst {
		dst[i] = byte((int32(r0[i])*b0>>16 + int32(r1[i])*b1>>16 + 2) >> 2)
	}
}

// luma turns B, G, R into grey in place: ITU-R BT.601 with 15-bit weights, as OpenCV's cvtColor.
func luma(line []byte) []byte {
	n := len(line) / 3
	for i := range n {
		b, g, r := uint32(line[3*i]), uint32(line[3*i+1]), uint32(line[3*i+2])
		line[i] = byte((b*3735 + g*19235 + r*9798 + 1<<14) >> 15)
	}
	return line[:n]
}

// convert turns 8-bit channel values into elements.
func (p *Prep) convert(out, px []byte) {
	switch {
	case p.elem == 1 && p.c == 1:
		for i, v := range px {
			out[i] = p.table[0][v]
		}
	case p.elem == 1:
		for i := 0; i+3 <= len(px); i += 3 {
			out[i], out[i+1], out[i+2] = p.table[0][px[i]], p.table[1][px[i+1]], p.table[2][px[i+2]]
		}
	case p.c == 1:
		for i, v := range px {
			putFloatBits(out[4*i:], math.Float32bits(p.tabF[0][v]))
		}
	default:
		out = out[:4*len(px)]
		for i := 0; i+3 <= len(px); i += 3 {
			o, v := out[4*i:4*i+12], px[i:i+3]
			putFloatBits(o, math.Float32bits(p.tabF[0][v[0]]))
			putFloatBits(o[4:], math.Float32bits(p.tabF[1][v[1]]))
			putFloatBits(o[8:], math.Float32bits(p.tabF[2][v[2]]))
		}
	}
}

func putFloatBits(b []byte, v uint32) { binary.NativeEndian.PutUint32(b, v) }
