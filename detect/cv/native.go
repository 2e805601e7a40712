//go:build cgo && !nonative

package cv

import (
	"fmt"
	"image"
	"runtime"
	"time"

	"gocv.io/x/gocv"

	"gleaner/capture"
	"gleaner/detect"
)

// Real says whether this build has OpenCV.
const Real = true

// lend shows m's pixels to OpenCV, without a copy, for the length of f. Go memory is pinned meanwhile; native memory
// may be pinned too, which does nothing.
func lend(m capture.Image, pin *runtime.Pinner, f func(gocv.Mat)) error {
	if m.Stride%3 != 0 || len(m.Pix) < (m.H-1)*m.Stride+3*m.W {
		return fmt.Errorf("image of %d×%d pixels has a stride of %d in %d bytes: not whole pixels", m.W, m.H,
			m.Stride, len(m.Pix))
	}
	pin.Pin(&m.Pix[0])
	defer pin.Unpin()
	// gocv makes no header with a stride: one over whole rows is narrowed to the picture. It may reach past the last
	// pixel of a part of a frame, where nothing reads.
	rows, err := gocv.NewMatFromBytes(m.H, m.Stride/3, gocv.MatTypeCV8UC3, m.Pix)
	if err != nil {
		return err
	}
	defer rows.Close()
	view := rows.Region(image.Rect(0, 0, m.W, m.H))
	defer view.Close()
	f(view)
	return nil
}

// resizer scales with OpenCV: linear, since averaging over areas costs ten times as much and the model of the
// background knows its noise.
type resizer struct {
	small gocv.Mat
	pin   runtime.Pinner
	size  image.Point
	do    func(gocv.Mat)
}

func newScaler() scaler {
	r := &resizer{small: gocv.NewMat()}
	// Made once: a closure per frame would be an allocation per frame.
	r.do = func(m gocv.Mat) { gocv.Resize(m, &r.small, r.size, 0, 0, gocv.InterpolationLinear) }
	return r
}

func (r *resizer) scale(im capture.Image, w, h int) ([]byte, error) {
	r.size = image.Pt(w, h)
	if err := lend(im, &r.pin, r.do); err != nil {
		return nil, err
	}
	return r.small.DataPtrUint8()
}

func (r *resizer) Close() error { return r.small.Close() }

// mog2 is OpenCV's mixture of Gaussians (Zivkovic 2004).
type mog2 struct {
	sub gocv.BackgroundSubtractorMOG2
	out gocv.Mat
	pin runtime.Pinner
	n   int
}

// mog2Learn is how many frames MOG2 sees before it is believed.
const mog2Learn = 15

func newMOG2(o detect.MotionOptions) (masker, error) {
	const fps = 25 // MOG2 counts frames, the options time; its pace is uncritical
	history := max(int(o.Learn.Seconds()*fps), 2)
	return &mog2{out: gocv.NewMat(),
		sub: gocv.NewBackgroundSubtractorMOG2WithParams(history, o.Threshold*o.Threshold, false)}, nil
}

func (m *mog2) mask(small, dst []byte, _ time.Duration) (bool, error) {
	m.pin.Pin(&small[0])
	defer m.pin.Unpin()
	// MOG2 takes any shape: it looks at one pixel at a time.
	in, err := gocv.NewMatFromBytes(1, len(dst), gocv.MatTypeCV8UC3, small)
	if err != nil {
		return false, err
	}
	defer in.Close()
	m.sub.Apply(in, &m.out)
	out, err := m.out.DataPtrUint8()
	if err != nil {
		return false, err
	}
	changed := 0
	for i, v := range out {
		dst[i] = v >> 7
		changed += int(v >> 7)
	}
	m.n++
	// A step of the light changes nearly everything at once and is not motion.
	return m.n > mog2Learn && changed < len(dst)*3/4, nil
}

func (m *mog2) Close() error {
	m.sub.Close()
	return m.out.Close()
}
