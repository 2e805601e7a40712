//go:build cgo && !nonative

package cv

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: -std=c++11
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"unsafe"

	"gocv.io/x/gocv"

	"gleaner/capture"
)

// OpenCV's backend numbers (videoio.hpp, enum VideoCaptureAPIs).
const (
	apiV4L2   = 200
	apiFFmpeg = 1900
)

// Buffer is one frame's memory: a Mat that is kept across reads and reconnects.
type Buffer struct {
	mat gocv.Mat
	img capture.Image
}

func newBuffer() *Buffer { return &Buffer{mat: gocv.NewMat()} }

// Image is the view on the Mat's pixels as they were after the last Read.
func (b *Buffer) Image() capture.Image { return b.img }

// Close frees the Mat. Closing twice is harmless.
func (b *Buffer) Close() error {
	b.img = capture.Image{}
	if b.mat.Ptr() == nil {
		return nil
	}
	return b.mat.Close()
}

// view looks at the Mat anew: OpenCV reallocates it silently when a stream comes back at another size.
func (b *Buffer) view() error {
	b.img = capture.Image{}
	if b.mat.Empty() || b.mat.Type() != gocv.MatTypeCV8UC3 {
		return fmt.Errorf("frame is not 8-bit BGR but OpenCV type %d", b.mat.Type())
	}
	pix, err := b.mat.DataPtrUint8()
	if err != nil {
		return err
	}
	b.img = capture.Image{Pix: pix, Stride: b.mat.Step(), W: b.mat.Cols(), H: b.mat.Rows()}
	return nil
}

// fill copies a Go image into the Mat.
func (b *Buffer) fill(src capture.Image) error {
	if b.mat.Rows() != src.H || b.mat.Cols() != src.W || b.mat.Type() != gocv.MatTypeCV8UC3 {
		next := gocv.NewMatWithSize(src.H, src.W, gocv.MatTypeCV8UC3)
		b.img = capture.Image{}
		_ = b.mat.Close() // cannot fail: it frees memory
		b.mat = next
	}
	if err := b.view(); err != nil {
		return err
	}
	for y := range src.H {
		copy(b.img.Row(y), src.Row(y))
	}
	return nil
}

// buffer is the Mat behind a Buffer of this package.
func buffer(b capture.Buffer) (*Buffer, error) {
	m, ok := b.(*Buffer)
	if !ok || m.mat.Ptr() == nil {
		return nil, fmt.Errorf("buffer %T is closed or of another device", b)
	}
	return m, nil
}

// errNoFrame says that OpenCV had no frame and no reason: the end of a clip, or a stream that closed or timed out.
var errNoFrame = errors.New("no frame")

// catcher takes frames of one source into buffers and makes them BGR.
type catcher struct {
	// raw takes frames that are not BGR, which are then converted; toBGR says that the last one was such.
	raw   gocv.Mat
	toBGR bool
}

// target is the cv::Mat that the next frame is to be read into.
func (c *catcher) target(b *Buffer) unsafe.Pointer {
	b.img = capture.Image{} // the Mat may move while it is read into
	if c.toBGR {
		return unsafe.Pointer(c.raw.Ptr())
	}
	return unsafe.Pointer(b.mat.Ptr())
}

// finish makes what was read into target b's frame.
func (c *catcher) finish(b *Buffer) error {
	kind := b.mat.Type()
	if c.toBGR {
		kind = c.raw.Type()
	}
	if other := kind != gocv.MatTypeCV8UC3; other != c.toBGR {
		b.mat, c.raw = c.raw, b.mat
		c.toBGR = other
	}
	if c.toBGR {
		switch kind {
		case gocv.MatTypeCV8UC1:
			gocv.CvtColor(c.raw, &b.mat, gocv.ColorGrayToBGR)
		case gocv.MatTypeCV8UC4:
			gocv.CvtColor(c.raw, &b.mat, gocv.ColorBGRAToBGR)
		default:
			return fmt.Errorf("frames have OpenCV type %d: want 8 bits with 1, 3 or 4 channels", kind)
		}
	}
	return b.view()
}

// message is what the shim put into err, or nil; err is empty afterwards.
func message(err *C.char) error {
	if *err == 0 {
		return nil
	}
	text := C.GoString(err)
	*err = 0
	return errors.New(strings.Join(strings.Fields(text), " "))
}

// video is an open cv::VideoCapture. It is used by one goroutine.
type video struct {
	catcher
	cap unsafe.Pointer
	err *C.char // ERR_LEN bytes of C memory for messages
}

// openVideo opens uri with one backend. params are OpenCV property numbers and values in turn. It returns nil and the
// reason, which is nil too when OpenCV gives none.
func openVideo(uri string, api int, params ...int) (*video, error) {
	C.gl_setup()
	v := &video{err: (*C.char)(C.calloc(C.ERR_LEN, 1))}
	cs := C.CString(uri)
	defer C.free(unsafe.Pointer(cs))
	ps := make([]C.int, len(params)+1)
	for i, p := range params {
		ps[i] = C.int(p)
	}
	v.cap = C.gl_open(cs, C.int(api), &ps[0], C.int(len(params)), v.err)
	if v.cap == nil {
		defer C.free(unsafe.Pointer(v.err))
		return nil, message(v.err)
	}
	v.raw = gocv.NewMat()
	return v, nil
}

// Get is a property's value, NaN if OpenCV threw.
func (v *video) Get(prop int) float64 { return float64(C.gl_get(v.cap, C.int(prop))) }

// Set changes a property and reports whether the backend accepted it.
func (v *video) Set(prop int, value float64) bool {
	return C.gl_set(v.cap, C.int(prop), C.double(value)) == 1
}

// read decodes the next frame into b as BGR, or returns errNoFrame.
func (v *video) read(b *Buffer) error {
	switch C.gl_read(v.cap, v.target(b), v.err) {
	case 0:
		return errNoFrame
	case -1:
		return message(v.err)
	}
	return v.finish(b)
}

// close frees the connection. Closing twice is harmless.
func (v *video) close() {
	if v.cap == nil {
		return
	}
	C.gl_close(v.cap)
	v.cap = nil
	C.free(unsafe.Pointer(v.err))
	_ = v.raw.Close() // cannot fail: it frees memory
	C.gl_trim()
}

// number is a property that must be finite and above zero, or else fallback.
func (v *video) number(prop int, fallback float64) float64 {
	if x := v.Get(prop); x > 0 && !math.IsInf(x, 0) {
		return x
	}
	return fallback
}

// decoder turns the bytes of JPEG, PNG, BMP and WebP pictures into Mats. It is used by one goroutine.
type decoder struct {
	stored C.int // 1: as stored, orientation tags ignored
	err    *C.char
}

func newDecoder() *decoder {
	C.gl_setup()
	return &decoder{err: (*C.char)(C.calloc(C.ERR_LEN, 1))}
}

func (d *decoder) close() {
	C.free(unsafe.Pointer(d.err))
	d.err = nil
	C.gl_trim()
}

// decode puts the picture into b; its size must have been checked by sniff. The Mat keeps its memory while the size
// stays.
func (d *decoder) decode(data []byte, b *Buffer) error {
	b.img = capture.Image{}
	r := C.gl_decode(unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)), d.stored, unsafe.Pointer(b.mat.Ptr()), d.err)
	runtime.KeepAlive(data)
	switch r {
	case 0:
		return errors.New("damaged picture: OpenCV cannot decode it")
	case -1:
		return message(d.err)
	}
	return b.view()
}
