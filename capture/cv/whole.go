package cv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// whole tells what is missing of a picture file that OpenCV would decode all the same, grey where nothing came, or would speak of
// on standard error: a JPEG without its end, and a PNG whose chunks are cut off or do not have their sums. format is as sniff
// names it; of other formats nothing is known.
func whole(format string, data []byte) error {
	switch format {
	case "jpeg":
		return wholeJPEG(data)
	case "png":
		return wholePNG(data)
	}
	return nil
}

// wholeJPEG looks for the end marker behind the start of the scan (ITU-T T.81, annex B.1.1.3): in between it cannot occur, and
// in front of it there may be a small picture with an end of its own.
func wholeJPEG(data []byte) error {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xda {
			if bytes.Contains(data[at:], []byte{0xff, 0xd9}) {
				return nil
			}
			break
		}
		if marker == 0xff { // a fill byte
			at++
			continue
		}
		at += 2 + int(binary.BigEndian.Uint16(data[at+2:]))
	}
	return errors.New("damaged picture: the JPEG is cut off")
}

// wholePNG walks the chunks to IEND and checks the sums of those that a picture cannot do without (PNG specification, 5.3 and 5.4).
func wholePNG(data []byte) error {
	for at := 8; at+12 <= len(data); {
		n := int(binary.BigEndian.Uint32(data[at:]))
		if n < 0 || n > len(data)-at-12 {
			break
		}
		name := data[at+4 : at+8]
		if name[0]&0x20 == 0 && crc32.ChecksumIEEE(data[at+4:at+8+n]) != binary.BigEndian.Uint32(data[at+8+n:]) {
			return fmt.Errorf("damaged picture: the PNG's chunk %q does not have its sum", name)
		}
		if string(name) == "IEND" {
			return nil
		}
		at += 12 + n
	}
	return errors.New("damaged picture: the PNG is cut off")
}
