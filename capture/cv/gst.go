//go:build cgo && !nonative

package cv

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"gocv.io/x/gocv"

	"gleaner/capture"
)

// gst is a GStreamer pipeline. It does not go through OpenCV's CAP_GSTREAMER, which waits for ever for a pipeline that
// is silent (measured: udpsrc without packets); shim_gst.cpp says more.
type gst struct {
	device
	pipeline string
}

// withSink appends the appsink that hands out BGR frames, the newest only, unless the pipeline has its own, and names it
// as the shim wants.
func withSink(pipeline string) string {
	stages := strings.Split(pipeline, "!")
	if !strings.HasPrefix(strings.TrimSpace(stages[len(stages)-1]), "appsink") {
		pipeline += " ! videoconvert ! video/x-raw,format=BGR ! appsink max-buffers=1 drop=true sync=false"
	}
	return pipeline + " name=" + C.GST_SINK
}

// Open starts the pipeline. An element that itself waits while it starts, such as tcpclientsrc for its server, is waited
// for.
func (d *gst) Open(ctx context.Context) (capture.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &gstSource{name: d.name, timeout: ioTimeout(d.o), err: (*C.char)(C.calloc(C.ERR_LEN, 1))}
	cs := C.CString(withSink(d.pipeline))
	defer C.free(unsafe.Pointer(cs))
	if s.pipe = C.gl_gst_open(cs, s.err); s.pipe == nil {
		defer C.free(unsafe.Pointer(s.err))
		return nil, fmt.Errorf("open %s: %w", d.name, message(s.err))
	}
	s.raw = gocv.NewMat()
	return s, nil
}

type gstSource struct {
	catcher
	name    string
	timeout time.Duration
	pipe    unsafe.Pointer // nil: closed
	err     *C.char        // ERR_LEN bytes of C memory for messages
}

// slice is how long a read waits before it looks whether its context has ended.
const slice = 100 * time.Millisecond

// Read takes the next frame. It ends early with ctx.
func (s *gstSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	if s.pipe == nil {
		return time.Time{}, errClosed
	}
	m, err := buffer(b)
	if err != nil {
		return time.Time{}, err
	}
	for began := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return time.Time{}, err
		}
		wait := min(slice, max(time.Until(began.Add(s.timeout)), 0))
		switch C.gl_gst_read(s.pipe, s.target(m), C.ulonglong(wait), s.err) {
		case 1:
			return time.Time{}, s.finish(m)
		case 2:
			return time.Time{}, fmt.Errorf("read %s: %w", s.name, errEnded)
		case -1:
			return time.Time{}, fmt.Errorf("read %s: %w", s.name, message(s.err))
		}
		if time.Since(began) >= s.timeout {
			return time.Time{}, fmt.Errorf("read %s: no frame within %v: the pipeline runs, but nothing comes", s.name, s.timeout)
		}
	}
}

// errEnded says that a pipeline that is no clip has no more frames.
var errEnded = errors.New("the pipeline has ended")

// Close stops the pipeline.
func (s *gstSource) Close() error {
	if s.pipe == nil {
		return nil
	}
	C.gl_gst_close(s.pipe)
	s.pipe = nil
	C.free(unsafe.Pointer(s.err))
	err := s.raw.Close()
	C.gl_trim()
	return err
}
