//go:build cgo && !nonative

package cv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gleaner/capture"
)

// v4l2 is a camera of Linux's V4L2.
type v4l2 struct {
	device
	path string
}

func newV4L2(d device, arg string) *v4l2 {
	if n, err := strconv.ParseUint(arg, 10, 16); err == nil {
		arg = fmt.Sprintf("/dev/video%d", n)
	}
	return &v4l2{d, arg}
}

// Open opens the camera and locks its format and controls. What the camera does not take as asked is no error: the
// Source's Warnings say it.
func (d *v4l2) Open(ctx context.Context) (capture.Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := tryDevice(d.path, "/dev/v4l/by-id", "/dev"); err != nil {
		return nil, fmt.Errorf("open camera %s: %w", d.path, err)
	}
	v, err := openVideo(d.path, apiV4L2)
	if v == nil {
		return nil, fmt.Errorf("open camera %s: %w", d.path, orElse(err,
			"it is busy, or no capture device: fuser -v "+d.path+" shows who has it, v4l2-ctl --list-devices what it is"))
	}
	warns := applyFormat(v, d.o)
	v.Set(propBufferSize, 2) // few buffers, young frames; a driver that has more keeps them
	controls, err := parseControls(d.o.Controls)
	if err != nil {
		v.close()
		return nil, fmt.Errorf("open camera %s: %w", d.path, err)
	}
	warns = append(warns, applyControls(v, controls)...)
	return &cameraSource{liveSource{name: d.name, v: v, timeout: ioTimeout(d.o)}, warns}, nil
}

// tryDevice opens and closes a device file for its reason, which OpenCV does not give. It looks for cameras to propose
// in byID and, where that is absent, in dev.
func tryDevice(path, byID, dev string) error {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	switch {
	case err == nil:
		st, err := f.Stat()
		_ = f.Close() // nothing was written
		if err == nil && st.Mode()&os.ModeCharDevice == 0 {
			return errors.New("not a camera device; a clip is file:" + path)
		}
		return err
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("no such device: %s", proposals(byID, dev))
	case errors.Is(err, os.ErrPermission):
		return errors.New("permission denied: add the user to the group video (sudo usermod -aG video $USER, then log in anew)")
	case errors.Is(err, syscall.EBUSY):
		return errors.New("busy: another program has it (fuser -v " + path + " shows which)")
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return errors.New("the device file is there but its camera is gone: was it unplugged?")
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err
}

// proposals lists the cameras that are there.
func proposals(byID, dev string) string {
	for _, pattern := range []string{filepath.Join(byID, "*"), filepath.Join(dev, "video*")} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return "there are " + strings.Join(found, ", ")
		}
	}
	return "no camera is connected (" + byID + " is empty)"
}

type cameraSource struct {
	liveSource
	warns []string
}

// Read decodes the next frame.
func (s *cameraSource) Read(ctx context.Context, b capture.Buffer) (time.Time, error) {
	t, err := s.liveSource.Read(ctx, b)
	if err != nil && ctx.Err() == nil && s.v != nil {
		err = fmt.Errorf("%w: was the camera unplugged, or is its USB bus overloaded?", err)
	}
	return t, err
}

// Warnings says what the camera did not take as asked.
func (s *cameraSource) Warnings() []string { return s.warns }
