//go:build !cgo || nonative

package cv

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif" // the formats that a build without OpenCV decodes
	_ "image/jpeg"
	_ "image/png"

	"gleaner/capture"
)

// Decoder decodes picture files as they are stored, with Go's own decoders: JPEG, PNG and GIF.
type Decoder struct{}

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Decode decodes a picture file.
func (d *Decoder) Decode(file []byte) (capture.Image, error) {
	format, _, _, err := sniff(file)
	if err == nil {
		err = whole(format, file)
	}
	if err != nil {
		return capture.Image{}, err
	}
	im, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return capture.Image{}, fmt.Errorf("damaged picture: %w", err)
	}
	return capture.FromGo(im), nil
}

// Close has nothing to free.
func (d *Decoder) Close() error { return nil }
