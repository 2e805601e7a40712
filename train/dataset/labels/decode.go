package labels

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"
)

// decode is a label file's text as UTF-8 without a byte order mark, and whether it was written in CP949 (WHATWG's EUC-KR).
func decode(b []byte) (text []byte, recoded bool, err error) {
	if !utf8.Valid(b) {
		if b, err = korean.EUCKR.NewDecoder().Bytes(b); err != nil {
			return nil, false, fmt.Errorf("neither UTF-8 nor CP949: %w", err)
		}
		// The decoder writes U+FFFD, which CP949 cannot say, for bytes that mean nothing, and goes on.
		if at := bytes.IndexRune(b, utf8.RuneError); at >= 0 {
			line := 1 + bytes.Count(b[:at], []byte("\n"))
			return nil, false, fmt.Errorf("neither UTF-8 nor CP949: line %d has bytes that are no letter in either", line)
		}
		recoded = true
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), recoded, nil
}
