// Package exif reads how a JPEG file says that its picture is to be turned, and turns it.
package exif

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"gleaner/capture"
)

// OrientationOf is the EXIF orientation of a JPEG file, 1 to 8; 1, upright, where there is none.
func OrientationOf(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 1
	}
	defer f.Close()
	return Orientation(bufio.NewReader(f))
}

// Orientation reads the orientation out of a JPEG's Exif segment (Exif 2.32, 4.5.4 and 4.6.4: tag 0x112 of the first
// directory, a TIFF structure in the APP1 segment). What cannot be read counts as upright.
func Orientation(r io.Reader) int {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil || head[0] != 0xFF || head[1] != 0xD8 {
		return 1
	}
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0xFF {
			return 1
		}
		n := int(binary.BigEndian.Uint16(head[2:])) - 2
		if n < 0 || head[1] == 0xDA { // the picture itself begins
			return 1
		}
		segment := make([]byte, n)
		if _, err := io.ReadFull(r, segment); err != nil {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && head[1] == 0xE1 {
			return tiffOrientation(tiff)
		}
	}
}

func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	n := int(order.Uint16(b[at:]))
	for entry := b[at+2:]; n > 0 && len(entry) >= 12; n, entry = n-1, entry[12:] {
		if order.Uint16(entry) != 0x112 {
			continue
		}
		if v := int(order.Uint16(entry[8:])); v >= 1 && v <= 8 {
			return v
		}
		return 1
	}
	return 1
}

// Upright is the picture turned and mirrored as its orientation says: 2 mirrored, 3 upside down, 4 both; 5 to 8 lie on their
// side. Orientation 1 gives the picture itself, the others new memory.
func Upright(im capture.Image, orientation int) capture.Image {
	if orientation <= 1 || orientation > 8 {
		return im
	}
	w, h := im.W, im.H
	if orientation > 4 {
		w, h = h, w
	}
	out := capture.NewImage(w, h)
	for y := range h {
		row := out.Row(y)
		for x := range w {
			sx, sy := x, y
			if orientation > 4 {
				sx, sy = y, x
			}
			switch orientation {
			case 2, 8: // 8: the stored picture's right edge is the top
				sx = im.W - 1 - sx
			case 4, 6: // 6: the stored picture's left edge is the top
				sy = im.H - 1 - sy
			case 3, 7:
				sx, sy = im.W-1-sx, im.H-1-sy
			}
			copy(row[3*x:3*x+3], im.Pix[sy*im.Stride+3*sx:])
		}
	}
	return out
}
