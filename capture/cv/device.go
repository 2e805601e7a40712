//go:build cgo && !nonative

package cv

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"gleaner/capture"
)

// errClosed is what Read of a closed Source returns.
var errClosed = errors.New("source is closed")

// device is what every Device of this package shares.
type device struct {
	o    capture.Options
	name string // for people, without passwords
}

// NewBuffer makes one frame's memory, a Mat.
func (d *device) NewBuffer() capture.Buffer { return newBuffer() }

// Finite reports false; clips and pictures say otherwise.
func (d *device) Finite() bool { return false }

// String is the source, passwords left out.
func (d *device) String() string { return d.name }

// live reports whether a clip plays at its own rate.
func (d *device) live() bool { return d.o.Pace != "fast" }

// Finite reports whether the pictures are read as fast as wanted and end.
func (d *images) Finite() bool { return !d.live() && !d.o.Loop }

// Finite reports whether the clip is read as fast as wanted and ends.
func (d *file) Finite() bool { return !d.live() && !d.o.Loop }

func open(a address, o capture.Options) (capture.Device, error) {
	d := device{o: o, name: a.kind + ":" + redact(a.arg)}
	switch a.kind {
	case "images":
		if gap := time.Duration(float64(time.Second) / cmp.Or(o.FPS, 1)); d.live() && o.Stall > 0 && gap >= o.Stall {
			return nil, fmt.Errorf("source %s at %g pictures/s: each waits longer than stall (%v): raise stall or fps", d.name, cmp.Or(o.FPS, 1), o.Stall)
		}
		return &images{d, a.arg}, nil
	case "file":
		return &file{d, a.arg}, nil
	case "rtsp":
		d.name = redact(a.arg)
		return &rtsp{d, a.arg}, nil
	case "http":
		d.name = redact(a.arg)
		return &httpStream{d, a.arg}, nil
	case "v4l2":
		return newV4L2(d, a.arg), nil
	case "gst":
		return &gst{device: d, pipeline: a.arg}, nil
	}
	return nil, fmt.Errorf("source %s: no such kind", d.name)
}

// orElse is err, or text when OpenCV gave no reason.
func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

// Interface checks.
var (
	_ capture.Device = (*images)(nil)
	_ capture.Device = (*file)(nil)
	_ capture.Device = (*rtsp)(nil)
	_ capture.Device = (*httpStream)(nil)
	_ capture.Device = (*v4l2)(nil)
	_ capture.Device = (*gst)(nil)
	_ Warner         = (*imageSource)(nil)
	_ Warner         = (*cameraSource)(nil)
	_ Namer          = (*imageSource)(nil)
)
