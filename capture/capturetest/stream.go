package capturetest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"time"
)

// StreamOptions says what a test server sends.
type StreamOptions struct {
	W, H int     // pixels, multiples of 16
	FPS  float64 // frames per second
	// H264 is an Annex B stream (Encode makes one) that an RTSP server sends over and over instead of MJPEG.
	H264 []byte
	// NoLength leaves Content-Length out of an HTTP server's parts.
	NoLength bool
}

func (o StreamOptions) period() time.Duration { return time.Duration(float64(time.Second) / o.FPS) }

// Pictures draws n pictures of a bar that moves over a gradient and encodes them as JPEG.
func Pictures(w, h, n int) ([][]byte, error) {
	var out [][]byte
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range n {
		for y := range h {
			for x := range w {
				c := color.RGBA{R: uint8(255 * x / w), G: uint8(255 * y / h), B: 90, A: 255}
				if x*n/w == i {
					c = color.RGBA{R: 250, G: 250, B: 20, A: 255}
				}
				m.SetRGBA(x, y, c)
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}); err != nil {
			return nil, fmt.Errorf("encode picture %d: %w", i, err)
		}
		out = append(out, b.Bytes())
	}
	return out, nil
}
