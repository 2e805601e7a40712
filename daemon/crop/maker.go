package crop

import (
	"bytes"
	"image"
	"image/jpeg"
	"sync"

	"gleaner/capture"
	"gleaner/daemon/event"
)

const (
	shots    = 32        // pictures under way in one camera: held for an object in view, or waiting for the encoder
	maxBytes = 256 << 10 // of one JPEG: brokers refuse large messages, and drop who sends them
)

// Loss is why an object with a verdict got no picture.
type Loss int

// The reasons, each with a counter of its own.
const (
	LostBusy      Loss = iota // every slot was taken
	LostNoPicture             // no crop of it was ever looked at
	LostTooLarge              // the JPEG is larger than 256 KiB
	LostEncoding              // the JPEG could not be made
	losses
)

// String is the reason's name in metrics.
func (l Loss) String() string { return [...]string{"busy", "no_picture", "too_large", "encoding"}[l] }

// Losses are the reasons, all of them.
func Losses() []Loss { return []Loss{LostBusy, LostNoPicture, LostTooLarge, LostEncoding} }

// Stats is what became of the pictures. Asked = Made + Waiting + the sum of Lost.
type Stats struct {
	Asked   uint64 // objects with a verdict
	Made    uint64 // handed to the publisher
	Waiting int    // for the encoder
	Lost    [losses]uint64
}

// Shot is a copy of one crop's pixels in a slot of the Maker that lent it. Its holder hands it to Send or to Drop.
type Shot struct{ im image.RGBA }

// job is a picture to be made.
type job struct {
	shot *Shot
	crop event.Crop
}

// Maker makes the pictures of one camera. One goroutine, the camera's pipeline, calls Take, Send, Drop and Miss, none of
// which waits; Stats may be called by any.
type Maker struct {
	o       Options
	publish func(event.Crop)
	free    chan *Shot
	queue   chan job // as long as there are slots: a send never waits
	encoder sync.WaitGroup
	once    sync.Once

	mu sync.Mutex
	s  Stats
}

// NewMaker starts the encoder. publish is called from its goroutine with each picture, and must not wait.
func NewMaker(o Options, publish func(event.Crop)) *Maker {
	m := &Maker{o: o, publish: publish, free: make(chan *Shot, shots), queue: make(chan job, shots)}
	for range shots {
		m.free <- &Shot{}
	}
	m.encoder.Go(m.encode)
	return m
}

// Take copies the pixels of im, reduced to the options' size, into s, or into a slot of its own when s is nil. It returns
// nil when no slot is free: the object goes without a picture, or gets another chance.
func (m *Maker) Take(s *Shot, im capture.Image) *Shot {
	if im.Empty() {
		return s
	}
	if s == nil {
		select {
		case s = <-m.free:
		default:
			return nil
		}
	}
	reduce(&s.im, im, m.o.CropMaxSide)
	return s
}

// Send has the picture made and published, and takes the slot back.
func (m *Maker) Send(s *Shot, c event.Crop) {
	m.mu.Lock()
	m.s.Asked++
	m.s.Waiting++
	m.mu.Unlock()
	m.queue <- job{s, c}
}

// Drop takes the slot back; nil is none.
func (m *Maker) Drop(s *Shot) {
	if s != nil {
		m.free <- s
	}
}

// Miss counts an object that got its verdict without a picture.
func (m *Maker) Miss(why Loss) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.s.Asked++
	m.s.Lost[why]++
}

// Stats is what became of everything so far.
func (m *Maker) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.s
}

// Close makes what waits and ends; it is called when the pipeline has ended, and may be called twice.
func (m *Maker) Close() error {
	m.once.Do(func() { close(m.queue) })
	m.encoder.Wait()
	return nil
}

// encode makes one picture after the other until Close.
func (m *Maker) encode() {
	var buf bytes.Buffer
	for j := range m.queue {
		buf.Reset()
		err := jpeg.Encode(&buf, &j.shot.im, &jpeg.Options{Quality: m.o.CropQuality})
		m.free <- j.shot
		m.mu.Lock()
		m.s.Waiting--
		switch {
		case err != nil:
			m.s.Lost[LostEncoding]++
		case buf.Len() > maxBytes:
			err = bytes.ErrTooLarge
			m.s.Lost[LostTooLarge]++
		default:
			m.s.Made++
		}
		m.mu.Unlock()
		if err == nil {
			j.crop.JPEG = bytes.Clone(buf.Bytes())
			m.publish(j.crop)
		}
	}
}

// reduce writes src into dst, neither side longer than side, each pixel the mean of those it stands for. dst keeps its
// memory while that is large enough.
func reduce(dst *image.RGBA, src capture.Image, side int) {
	w, h := src.W, src.H
	if long := max(w, h); long > side {
		w, h = max(1, w*side/long), max(1, h*side/long)
	}
	if n := 4 * w * h; cap(dst.Pix) < n {
		dst.Pix = make([]byte, n)
	} else {
		dst.Pix = dst.Pix[:n]
	}
	dst.Stride, dst.Rect = 4*w, image.Rect(0, 0, w, h)
	for y := range h {
		y0, y1 := y*src.H/h, (y+1)*src.H/h
		for x := range w {
			x0, x1 := x*src.W/w, (x+1)*src.W/w
			var b, g, r int
			for v := y0; v < y1; v++ {
				row := src.Pix[v*src.Stride+3*x0 : v*src.Stride+3*x1]
				for i := 0; i+2 < len(row); i += 3 {
					b, g, r = b+int(row[i]), g+int(row[i+1]), r+int(row[i+2])
				}
			}
			n := (y1 - y0) * (x1 - x0)
			d := dst.Pix[y*dst.Stride+4*x:]
			d[0], d[1], d[2], d[3] = byte((r+n/2)/n), byte((g+n/2)/n), byte((b+n/2)/n), 255
		}
	}
}
