package cv

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxPixels bounds a picture: OpenCV refuses 2^30 pixels and more, and 2^28 are 768 MB already.
const maxPixels = 1 << 28

// errNotPicture says that the bytes are of no known picture format.
var errNotPicture = errors.New("not a picture (JPEG, PNG, GIF, BMP or WebP)")

// sniff finds a picture's format by its first bytes, whatever its name says, and its size where the format does not
// bound it (WebP: at most 16383×16383). OpenCV sees no bytes before their size is known to be sane. It allocates only
// for its errors.
func sniff(data []byte) (format string, w, h int, err error) {
	le, be := binary.LittleEndian, binary.BigEndian
	switch {
	case has(data, 0, "\xff\xd8\xff"):
		format = "jpeg"
		w, h = jpegSize(data)
	case has(data, 0, "\x89PNG\r\n\x1a\n"):
		// The first chunk is IHDR, width and height its first fields (PNG specification, 11.2.2).
		format = "png"
		if len(data) >= 24 && has(data, 12, "IHDR") {
			w, h = int(be.Uint32(data[16:])), int(be.Uint32(data[20:]))
		}
	case has(data, 0, "GIF87a"), has(data, 0, "GIF89a"):
		format = "gif"
		if len(data) >= 10 {
			w, h = int(le.Uint16(data[6:])), int(le.Uint16(data[8:]))
		}
	case has(data, 0, "BM") && len(data) >= 26 && le.Uint32(data[14:]) >= 40:
		// BITMAPINFOHEADER: width and height are signed; a negative height is stored top down.
		format = "bmp"
		w, h = int(int32(le.Uint32(data[18:]))), int(int32(le.Uint32(data[22:])))
		h = max(h, -h)
	case has(data, 0, "RIFF") && has(data, 8, "WEBP"):
		return "webp", 0, 0, nil
	default:
		return "", 0, 0, errNotPicture
	}
	switch {
	case w == 0 && h == 0:
		return "", 0, 0, fmt.Errorf("damaged picture: %s without a size", format)
	case w <= 0 || h <= 0 || w > 1<<20 || h > 1<<20 || w*h > maxPixels:
		return "", 0, 0, fmt.Errorf("picture of %d×%d pixels: want 1 to %d pixels in all", w, h, maxPixels)
	}
	return format, w, h, nil
}

func has(data []byte, at int, magic string) bool {
	return len(data) >= at+len(magic) && string(data[at:at+len(magic)]) == magic
}

// jpegSize walks the segments to the start-of-frame marker (ITU-T T.81, annex B.2) and returns the size there, or zeros.
func jpegSize(data []byte) (w, h int) {
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xff {
			return 0, 0
		}
		marker := data[i+1]
		switch {
		case marker == 0xff: // fill byte
			i++
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8: // no length
			i += 2
			continue
		case marker == 0xd9 || marker == 0xda: // end, or pixels before any frame header
			return 0, 0
		}
		n := int(binary.BigEndian.Uint16(data[i+2:]))
		if n < 2 {
			return 0, 0
		}
		// SOF0 to SOF15 without DHT, JPG and DAC, which lie among them.
		if marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc {
			if i+9 > len(data) {
				return 0, 0
			}
			return int(binary.BigEndian.Uint16(data[i+7:])), int(binary.BigEndian.Uint16(data[i+5:]))
		}
		i += 2 + n
	}
	return 0, 0
}
