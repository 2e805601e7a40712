//go:build cgo && !nonative

package cv

import (
	"bytes"
	"fmt"
	"image/gif"

	"gleaner/capture"
)

// Decoder decodes picture files as they are stored, orientation tags ignored: boxes of labels refer to those pixels. One
// goroutine uses it; Close frees its memory.
type Decoder struct {
	dec *decoder
	buf *Buffer
}

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder {
	d := &Decoder{newDecoder(), newBuffer()}
	d.dec.stored = 1
	return d
}

// Decode decodes a JPEG, PNG, GIF (its first picture), BMP or WebP file, whatever its name says. The image is valid until the
// next call.
func (d *Decoder) Decode(file []byte) (capture.Image, error) {
	format, _, _, err := sniff(file)
	if err != nil {
		return capture.Image{}, err
	}
	if err := whole(format, file); err != nil {
		return capture.Image{}, err
	}
	if format == "gif" {
		im, err := gif.Decode(bytes.NewReader(file))
		if err != nil {
			return capture.Image{}, fmt.Errorf("damaged picture: %w", err)
		}
		return capture.FromGo(im), nil
	}
	if err := d.dec.decode(file, d.buf); err != nil {
		return capture.Image{}, err
	}
	return d.buf.Image(), nil
}

// Close frees the decoder's memory.
func (d *Decoder) Close() error {
	d.dec.close()
	return d.buf.Close()
}
