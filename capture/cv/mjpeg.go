package cv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"
)

// maxJPEG bounds one picture of a stream in bytes.
const maxJPEG = 64 << 20

// mjpegReader takes the pictures out of a multipart stream (multipart/x-mixed-replace, RFC 2046 section 5.1). It does
// by hand what mime/multipart does, because that allocates for each part, insists on a boundary that cameras write
// carelessly, and does not use Content-Length.
type mjpegReader struct {
	r        *bufio.Reader
	boundary []byte // without leading dashes, which some cameras count in and others not
	atPart   bool   // the delimiter of the next part was read already
}

// newMJPEGReader reads a body whose Content-Type is contentType.
func newMJPEGReader(r io.Reader, contentType string) (*mjpegReader, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil && !strings.HasPrefix(strings.ToLower(contentType), "multipart/") {
		return nil, fmt.Errorf("content type %q: %w", contentType, err)
	}
	if err == nil && !strings.HasPrefix(kind, "multipart/") {
		return nil, fmt.Errorf("content type %q is not multipart", contentType)
	}
	boundary := params["boundary"]
	if err != nil { // a boundary with characters that want quotes: take it as it stands
		_, boundary, _ = strings.Cut(contentType, "boundary=")
		boundary = strings.Trim(boundary, `" `)
	}
	boundary = strings.TrimLeft(boundary, "-")
	if boundary == "" {
		return nil, fmt.Errorf("content type %q has no boundary", contentType)
	}
	return &mjpegReader{r: bufio.NewReaderSize(r, 64<<10), boundary: []byte(boundary)}, nil
}

// delimiter reports whether line, at the start of a line, begins the next part.
func (m *mjpegReader) delimiter(line []byte) bool {
	return bytes.HasPrefix(line, []byte("--")) && bytes.HasPrefix(bytes.TrimLeft(line, "-"), m.boundary)
}

// next reads the next part's body into buf's memory and returns it. io.EOF says that the stream ended between parts.
func (m *mjpegReader) next(buf []byte) ([]byte, error) {
	skipped := 0
	for !m.atPart {
		line, whole, err := m.line()
		if err != nil {
			return buf[:0], err
		}
		if skipped += len(line); skipped > maxJPEG {
			return buf[:0], errors.New("no part begins within 64 MB")
		}
		m.atPart = whole && m.delimiter(line)
	}
	m.atPart = false
	length, err := m.header()
	if err != nil {
		return buf[:0], noEOF(err)
	}
	if length >= 0 {
		if cap(buf) < length {
			buf = make([]byte, length, length+length/2) // pictures vary in size: grow rarely
		}
		_, err := io.ReadFull(m.r, buf[:length])
		return buf[:length], noEOF(err)
	}
	return m.untilDelimiter(buf[:0])
}

// header reads a part's header lines and returns its Content-Length, -1 if it has none.
func (m *mjpegReader) header() (length int, err error) {
	length = -1
	for range 100 {
		line, _, err := m.line()
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return length, nil
		}
		const key = "content-length:"
		if len(line) < len(key) || !bytes.EqualFold(line[:len(key)], []byte(key)) {
			continue
		}
		n, ok := number(bytes.TrimSpace(line[len(key):]))
		if !ok || n > maxJPEG {
			return 0, errors.New("bad Content-Length " + strconv.Quote(string(line)))
		}
		length = n
	}
	return 0, errors.New("a part's header has more than 100 lines")
}

// untilDelimiter reads a body without a length.
func (m *mjpegReader) untilDelimiter(buf []byte) ([]byte, error) {
	atStart := true
	for {
		line, whole, err := m.line()
		if err != nil {
			return buf, noEOF(err)
		}
		if atStart && m.delimiter(line) {
			m.atPart = true
			// The line break before a delimiter belongs to the delimiter.
			return bytes.TrimSuffix(bytes.TrimSuffix(buf, []byte("\n")), []byte("\r")), nil
		}
		if len(buf)+len(line) > maxJPEG {
			return buf, errors.New("a picture has more than 64 MB")
		}
		buf = append(buf, line...)
		atStart = whole
	}
}

// line reads up to and with the next line break, or as much as the buffer holds, which whole tells apart.
func (m *mjpegReader) line() (line []byte, whole bool, err error) {
	line, err = m.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return line, false, nil
	}
	return line, true, err
}

// number reads a decimal without allocating.
func number(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// noEOF turns an end in the middle of a part into io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
