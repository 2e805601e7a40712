//go:build cgo && !nonative

package prep

/*
#cgo CFLAGS: -O3 -Wall
#include "linear.h"
#cgo noescape gleaner_prep_linear
#cgo nocallback gleaner_prep_linear
*/
import "C"

import (
	"unsafe"

	"gleaner/capture"
)

const native = true

// fillNative is fillGo in C, for pictures at least 2 pixels wide.
func (p *Prep) fillNative(out []byte, im capture.Image, iw, ih int) {
	_ = im.Pix[(im.H-1)*im.Stride+3*im.W-1] // the C code checks nothing
	_ = out[((ih-1)*p.w+iw)*p.c*p.elem-1]
	swap := C.int(0)
	if p.swap {
		swap = 1
	}
	C.gleaner_prep_linear(
		(*C.uint8_t)(unsafe.Pointer(&im.Pix[0])), C.ptrdiff_t(im.Stride), C.int(im.W), C.int(im.H),
		(*C.int32_t)(unsafe.Pointer(&p.xofs[0])), (*C.int16_t)(unsafe.Pointer(&p.alpha[0])),
		(*C.int32_t)(unsafe.Pointer(&p.yofs[0])), (*C.int16_t)(unsafe.Pointer(&p.beta[0])),
		(*C.int16_t)(unsafe.Pointer(&p.rows[0][0])), (*C.int16_t)(unsafe.Pointer(&p.rows[1][0])),
		(*C.uint8_t)(unsafe.Pointer(&p.line[0])),
		(*C.float)(unsafe.Pointer(&p.mean[0])), (*C.float)(unsafe.Pointer(&p.std[0])),
		(*C.uint8_t)(unsafe.Pointer(&p.table[0][0])),
		(*C.uint8_t)(unsafe.Pointer(&out[0])), C.ptrdiff_t(p.w*p.c*p.elem),
		C.int(iw), C.int(ih), C.int(p.c), swap, C.int(p.mode))
}
