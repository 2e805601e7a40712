//go:build cgo && !nonative

package tflite

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"errors"
	"os"
	"strings"
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

// claims is how many of a network's operators a delegate computes, and of how many.
type claims struct{ n, of int }

func (d *delegate) claimed() claims { return claims{int(d.d.claimed), int(d.d.total)} }

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

// newExternal loads a plug-in and makes its delegate; stage is told before each step that may take the process down.
func newExternal(e External, stage func(string)) (*delegate, error) {
	if strings.Contains(e.Library, "/") {
		if _, err := os.Stat(e.Library); errors.Is(err, os.ErrNotExist) {
			return nil, errNoFile
		}
	}
	const room = 1024
	said := (*C.char)(C.calloc(1, room))
	defer C.free(unsafe.Pointer(said))
	path := C.CString(e.Library)
	defer C.free(unsafe.Pointer(path))
	stage(stageLoading)
	lib := C.gl_load(path, said, room)
	if lib == nil {
		return nil, loadError(e.Library, C.GoString(said))
	}
	n := len(e.Options)
	keys, values, free := cStrings(e.Options)
	defer free()
	stage(stageCreating)
	d := C.gl_external(lib, keys, values, C.size_t(n), said, room)
	if d == nil {
		return nil, errors.New(oneLine(C.GoString(said)))
	}
	return &delegate{d}, nil
}

// cStrings are the options as two native arrays, with one empty entry more: a plug-in may get no options, and an array of
// nothing has no address.
func cStrings(o []Option) (keys, values **C.char, free func()) {
	size := C.size_t(len(o)+1) * C.size_t(unsafe.Sizeof((*C.char)(nil)))
	keys, values = (**C.char)(C.calloc(1, size)), (**C.char)(C.calloc(1, size))
	ks, vs := unsafe.Slice(keys, len(o)+1), unsafe.Slice(values, len(o)+1)
	for i, p := range o {
		ks[i], vs[i] = C.CString(p.Key), C.CString(p.Value)
	}
	return keys, values, func() {
		for i := range ks {
			C.free(unsafe.Pointer(ks[i]))
			C.free(unsafe.Pointer(vs[i]))
		}
		C.free(unsafe.Pointer(keys))
		C.free(unsafe.Pointer(values))
	}
}
