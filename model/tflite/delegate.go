//go:build cgo && !nonative

package tflite

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"errors"
	"unsafe"
)

// delegate is a native delegate behind the one that counts its claims. It is a go-tflite Delegater.
type delegate struct{ d *C.gl_delegate }

// Ptr is the native delegate.
func (d *delegate) Ptr() unsafe.Pointer { return unsafe.Pointer(d.d) }

// Delete frees it; every interpreter with it must be gone.
func (d *delegate) Delete() {
	C.gl_delegate_free(d.d)
	d.d = nil
}

// claimed is how many of a model's operators the delegate computes, and of how many.
func (d *delegate) claimed() (n, of int) { return int(d.d.claimed), int(d.d.total) }

// XNNPACK's flags: TFLITE_XNNPACK_DELEGATE_FLAG_QS8 and _QU8 of xnnpack_delegate.h.
const (
	flagQS8 = 1
	flagQU8 = 2
)

func newXNNPACK(threads int, flags uint32) (*delegate, error) {
	d := C.gl_xnnpack(C.int32_t(threads), C.uint32_t(flags))
	if d == nil {
		return nil, errors.New("XNNPACK made no delegate")
	}
	return &delegate{d}, nil
}

func newExternal(e External) (*delegate, error) {
	n := len(e.Options)
	// One spare entry each: a plug-in may get no options, and an array of nothing has no address.
	size := C.size_t(n+1) * C.size_t(unsafe.Sizeof((*C.char)(nil)))
	kp, vp := (**C.char)(C.calloc(1, size)), (**C.char)(C.calloc(1, size))
	keys, values := unsafe.Slice(kp, n+1), unsafe.Slice(vp, n+1)
	defer func() {
		for i := range keys {
			C.free(unsafe.Pointer(keys[i]))
			C.free(unsafe.Pointer(values[i]))
		}
		C.free(unsafe.Pointer(kp))
		C.free(unsafe.Pointer(vp))
	}()
	for i, o := range e.Options {
		keys[i], values[i] = C.CString(o.Key), C.CString(o.Value)
	}
	lib := C.CString(e.Library)
	defer C.free(unsafe.Pointer(lib))
	const room = 1024
	said := (*C.char)(C.calloc(1, room))
	defer C.free(unsafe.Pointer(said))
	d := C.gl_external(lib, kp, vp, C.size_t(n), said, room)
	if d == nil {
		return nil, errors.New(C.GoString(said))
	}
	return &delegate{d}, nil
}
