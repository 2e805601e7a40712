package web

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"sync"
	"sync/atomic"
	"time"

	"gleaner/capture"
	"gleaner/daemon/event"
)

const (
	maxWidth  = 640                    // pixels of the live picture
	interval  = 200 * time.Millisecond // between two of them
	attention = 3 * time.Second        // a picture is wanted for that long after somebody asked for one
	quality   = 75                     // of the JPEG, 1 to 100
	maxBoxes  = 64
)

// Box marks an object in the live picture.
type Box struct {
	X0, Y0, X1, Y1 float32 // pixels of the frame that is shown
	Track          int64
	Verdict        event.Verdict // empty while nothing is decided
	Class          string        // the class so far, or the decided one; empty: none
	P              float64       // its probability, 0 to 1
}

// Viewer takes one camera's frames for the live page. The camera's pipeline calls Wanted and Show from one goroutine;
// a nil Viewer wants nothing.
type Viewer struct {
	asked atomic.Int64 // when somebody last asked, Unix nanoseconds
	shown atomic.Int64 // when Show was last called

	mu      sync.Mutex
	id      uint64 // of the newest frame, from 1
	pending *image.RGBA
	boxes   []Box         // of pending, in its pixels
	fresh   chan struct{} // closed when a frame comes

	encode sync.Mutex // held while a picture is made; guards what follows
	work   *image.RGBA
	marks  []Box
	made   picture
	buf    bytes.Buffer
	count  *atomic.Uint64 // pictures encoded, by all viewers together
}

// picture is an encoded frame with what stands in it. Its members are not changed once it is made.
type picture struct {
	id    uint64
	jpeg  []byte
	boxes []Box // in pixels of the picture
	w, h  int
}

func newViewer(count *atomic.Uint64) *Viewer {
	return &Viewer{pending: &image.RGBA{}, work: &image.RGBA{}, fresh: make(chan struct{}), count: count}
}

// Wanted reports whether somebody looks and the next picture is due: at most five a second. It costs two atomic loads
// and, while somebody looks, a look at the clock.
func (v *Viewer) Wanted() bool {
	if v == nil {
		return false
	}
	asked := v.asked.Load()
	if asked == 0 {
		return false
	}
	now := time.Now().UnixNano()
	return now-asked < int64(attention) && now-v.shown.Load() >= int64(interval)
}

// Show takes a reduced copy of the frame and of the boxes, whose coordinates are pixels of im, and keeps nothing else.
// It does not wait for viewers or for the encoder.
func (v *Viewer) Show(im capture.Image, boxes []Box) {
	if v == nil || im.Empty() {
		return
	}
	v.shown.Store(time.Now().UnixNano())
	v.mu.Lock()
	defer v.mu.Unlock()
	sx, sy := reduce(v.pending, im)
	v.boxes = append(v.boxes[:0], boxes[:min(len(boxes), maxBoxes)]...)
	for i := range v.boxes {
		b := &v.boxes[i]
		b.X0, b.Y0, b.X1, b.Y1 = b.X0*sx, b.Y0*sy, b.X1*sx, b.Y1*sy
	}
	v.id++
	close(v.fresh)
	v.fresh = make(chan struct{})
}

// reduce writes im into dst, at most maxWidth wide, each pixel the mean of four, and returns how much smaller it is
// in x and in y. dst keeps its memory while the size stays.
func reduce(dst *image.RGBA, im capture.Image) (sx, sy float32) {
	w := min(im.W, maxWidth)
	h := max(im.H*w/im.W, 1)
	if dst.Rect.Dx() != w || dst.Rect.Dy() != h {
		*dst = *image.NewRGBA(image.Rect(0, 0, w, h))
	}
	for y := range h {
		y0 := y * im.H / h
		y1 := max((y+1)*im.H/h-1, y0)
		a, b := im.Row(y0), im.Row(y1)
		out := dst.Pix[y*dst.Stride : y*dst.Stride+4*w]
		for x := range w {
			x0 := 3 * (x * im.W / w)
			x1 := max(3*((x+1)*im.W/w-1), x0)
			for c := range 3 {
				sum := int(a[x0+c]) + int(a[x1+c]) + int(b[x0+c]) + int(b[x1+c])
				out[4*x+2-c] = byte((sum + 2) / 4)
			}
			out[4*x+3] = 255
		}
	}
	return float32(w) / float32(im.W), float32(h) / float32(im.H)
}

// ask notes that somebody looks.
func (v *Viewer) ask() { v.asked.Store(time.Now().UnixNano()) }

// newest is the id of the newest frame, 0 before the first, and a channel that closes when another comes.
func (v *Viewer) newest() (uint64, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.id, v.fresh
}

// picture is the newest frame as JPEG, encoded once for all who ask; false before the first frame.
func (v *Viewer) picture() (picture, bool, error) {
	v.encode.Lock()
	defer v.encode.Unlock()
	v.mu.Lock()
	if v.id == v.made.id {
		v.mu.Unlock()
		return v.made, v.made.id != 0, nil
	}
	id := v.id
	v.pending, v.work = v.work, v.pending
	v.boxes, v.marks = v.marks, v.boxes
	v.mu.Unlock()

	for i := range v.marks {
		outline(v.work, &v.marks[i])
	}
	v.buf.Reset()
	if err := jpeg.Encode(&v.buf, v.work, &jpeg.Options{Quality: quality}); err != nil {
		return picture{}, false, err
	}
	v.count.Add(1)
	v.made = picture{id: id, jpeg: bytes.Clone(v.buf.Bytes()), boxes: append([]Box(nil), v.marks...),
		w: v.work.Rect.Dx(), h: v.work.Rect.Dy()}
	return v.made, true, nil
}

// hue is the colour of a verdict, the same as on the page.
func hue(v event.Verdict) color.RGBA {
	switch v {
	case event.Class:
		return color.RGBA{0x12, 0xa1, 0x50, 255}
	case event.Reject:
		return color.RGBA{0xd9, 0x30, 0x25, 255}
	case event.Unsure, event.Late:
		return color.RGBA{0xe8, 0x8c, 0x00, 255}
	}
	return color.RGBA{0x1a, 0x73, 0xe8, 255}
}

// outline draws a box two pixels thick, inside the picture.
func outline(m *image.RGBA, b *Box) {
	r := image.Rect(int(b.X0), int(b.Y0), int(b.X1), int(b.Y1)).Intersect(m.Rect)
	if r.Dx() < 4 || r.Dy() < 4 {
		return
	}
	c := hue(b.Verdict)
	for _, s := range [4]image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+2)}, {image.Pt(r.Min.X, r.Max.Y-2), r.Max},
		{r.Min, image.Pt(r.Min.X+2, r.Max.Y)}, {image.Pt(r.Max.X-2, r.Min.Y), r.Max},
	} {
		for y := s.Min.Y; y < s.Max.Y; y++ {
			for x := s.Min.X; x < s.Max.X; x++ {
				m.SetRGBA(x, y, c)
			}
		}
	}
}
