package cv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // Decode and DecodeConfig know GIF,
	_ "image/jpeg" // JPEG
	_ "image/png"  // and PNG by their first bytes, whatever the file's name says.
)

// maxPixels bounds a picture: OpenCV ends the process at 2^30 pixels, and 2^28 are 768 MB already.
const maxPixels = 1 << 28

// errNotPicture says that the bytes are of no known picture format.
var errNotPicture = errors.New("not a picture (JPEG, PNG, GIF, BMP or WebP)")

// sniff finds a picture's format and size by its bytes. OpenCV must not see bytes before their size is known to be
// sane, because some of its checks throw where nothing catches.
func sniff(data []byte) (format string, w, h int, err error) {
	switch {
	case len(data) >= 26 && data[0] == 'B' && data[1] == 'M' && binary.LittleEndian.Uint32(data[14:]) >= 40:
		// BITMAPINFOHEADER: width and height are signed; a negative height is stored top down.
		format = "bmp"
		w, h = int(int32(binary.LittleEndian.Uint32(data[18:]))), int(int32(binary.LittleEndian.Uint32(data[22:])))
		h = max(h, -h)
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return "webp", 0, 0, nil // 16383 × 16383 at most by its format
	default:
		c, f, err := image.DecodeConfig(bytes.NewReader(data))
		if errors.Is(err, image.ErrFormat) || len(data) == 0 {
			return "", 0, 0, errNotPicture
		}
		if err != nil {
			return "", 0, 0, fmt.Errorf("damaged picture: %w", err)
		}
		format, w, h = f, c.Width, c.Height
	}
	if w <= 0 || h <= 0 || w > 1<<20 || h > 1<<20 || w*h > maxPixels {
		return "", 0, 0, fmt.Errorf("picture of %d×%d pixels: want 1 to %d pixels in all", w, h, maxPixels)
	}
	return format, w, h, nil
}
