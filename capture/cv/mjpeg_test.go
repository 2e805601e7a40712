package cv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestMJPEGReader(t *testing.T) {
	bin := strings.Repeat("\xff\xd8 -- \r\n--fra \x00", 20000) // longer than the line buffer, with things like delimiters
	for _, c := range []struct {
		name, kind, body string
		want             []string
		err              error
	}{
		{"with lengths", "multipart/x-mixed-replace; boundary=frame",
			"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\nabc\r\n--frame\r\ncontent-LENGTH:2\r\n\r\nde\r\n", []string{"abc", "de"}, io.EOF},
		{"without lengths", "multipart/x-mixed-replace;boundary=frame",
			"--frame\r\n\r\nabc\r\n--frame\r\n\r\nd\r\ne\r\n--frame--\r\n", []string{"abc", "d\r\ne"}, io.ErrUnexpectedEOF},
		{"binary without length", "multipart/x-mixed-replace;boundary=frame",
			"--frame\r\n\r\n" + bin + "\r\n--frame\r\n\r\nx\r\n--frame\r\n", []string{bin, "x"}, io.ErrUnexpectedEOF},
		{"a length that hides a delimiter", "multipart/x-mixed-replace;boundary=b",
			"--b\r\nContent-Length: 7\r\n\r\n\r\n--b\r\n\r\n", []string{"\r\n--b\r\n"}, io.EOF},
		{"dashes in the boundary", "multipart/x-mixed-replace; boundary=--myboundary",
			"--myboundary\r\nContent-Length: 1\r\n\r\na\r\n----myboundary\r\nContent-Length: 1\r\n\r\nb", []string{"a", "b"}, io.EOF},
		{"boundary that wants quotes", "multipart/x-mixed-replace; boundary=foo/bar baz",
			"--foo/bar baz\r\nContent-Length: 1\r\n\r\na", []string{"a"}, io.EOF},
		{"bare line feeds and a preamble", "multipart/mixed; boundary=x",
			"hello\n--x\nContent-Length: 1\n\na\n", []string{"a"}, io.EOF},
		{"cut in a picture", "multipart/mixed; boundary=x", "--x\r\nContent-Length: 9\r\n\r\nabc", nil, io.ErrUnexpectedEOF},
		{"cut in a header", "multipart/mixed; boundary=x", "--x\r\nContent-Le", nil, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := newMJPEGReader(strings.NewReader(c.body), c.kind)
			if err != nil {
				t.Fatal(err)
			}
			var buf []byte
			for i, want := range c.want {
				if buf, err = m.next(buf); err != nil || string(buf) != want {
					t.Fatalf("part %d: %.40q (%d bytes), %v; want %.40q (%d bytes)", i, buf, len(buf), err, want, len(want))
				}
			}
			if _, err = m.next(buf); !errors.Is(err, c.err) {
				t.Fatalf("at the end: %v, want %v", err, c.err)
			}
		})
	}
}

func TestMJPEGReaderRefuses(t *testing.T) {
	for _, c := range []struct{ name, kind, body, err string }{
		{"no boundary", "multipart/x-mixed-replace", "", "has no boundary"},
		{"boundary of dashes", "multipart/x-mixed-replace; boundary=--", "", "has no boundary"},
		{"not multipart", "text/html", "", "is not multipart"},
		{"no type", "", "", "content type"},
		{"negative length", "multipart/mixed; boundary=x", "--x\r\nContent-Length: -1\r\n\r\n", "bad Content-Length"},
		{"huge length", "multipart/mixed; boundary=x", "--x\r\nContent-Length: 99999999999999999999\r\n\r\n", "bad Content-Length"},
		{"endless header", "multipart/mixed; boundary=x", "--x\r\n" + strings.Repeat("A: b\r\n", 200), "more than 100 lines"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := newMJPEGReader(strings.NewReader(c.body), c.kind)
			if err == nil {
				_, err = m.next(nil)
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestMJPEGReaderAllocatesNothing(t *testing.T) {
	var b bytes.Buffer
	for i := range 200 {
		length := ""
		if i%2 == 0 {
			length = "Content-Length: 5000\r\n"
		}
		fmt.Fprintf(&b, "--frame\r\nContent-Type: image/jpeg\r\n%s\r\n%s\r\n", length, strings.Repeat("x", 5000))
	}
	m, err := newMJPEGReader(&b, "multipart/x-mixed-replace; boundary=frame")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(150, func() {
		if buf, err = m.next(buf); err != nil || len(buf) != 5000 {
			t.Fatalf("%d bytes, %v", len(buf), err)
		}
	}); n != 0 {
		t.Fatalf("%g allocations per picture, want 0", n)
	}
}

func FuzzMJPEGReader(f *testing.F) {
	f.Add("multipart/x-mixed-replace; boundary=frame", []byte("--frame\r\nContent-Length: 3\r\n\r\nabc\r\n--frame\r\n\r\nde\r\n--frame--"))
	f.Add("multipart/x-mixed-replace; boundary=\"--a b\"", []byte("--a b\n\n\xff\xd8\n--a b\n\n"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		m, err := newMJPEGReader(bytes.NewReader(body), kind)
		if err != nil {
			return
		}
		var buf []byte
		total := 0
		for {
			buf, err = m.next(buf)
			if err != nil {
				return
			}
			if total += len(buf); total > len(body) {
				t.Fatalf("%d bytes of pictures out of %d", total, len(body))
			}
		}
	})
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe0\x00\x04AB\xff\xc0\x00\x11\x08\x00\x20\x00\x30\x03"))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x05\x00\x00\x00\x06"))
	f.Add([]byte("GIF89a\x05\x00\x06\x00"))
	f.Add(append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00\x05\x00\x00\x00"), 0xfa, 0xff, 0xff, 0xff))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Fuzz(func(t *testing.T, data []byte) {
		format, w, h, err := sniff(data)
		if err != nil {
			return
		}
		if format != "webp" && (w <= 0 || h <= 0 || w*h > maxPixels) {
			t.Fatalf("%s of %d×%d accepted", format, w, h)
		}
	})
}

func TestSniff(t *testing.T) {
	for _, c := range []struct {
		name, data, format string
		w, h               int
	}{
		{"jpeg", "\xff\xd8\xff\xe0\x00\x04AB\xff\xff\xc2\x00\x11\x08\x00\x20\x00\x30\x03", "jpeg", 48, 32},
		{"png", "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x05\x00\x00\x00\x06", "png", 5, 6},
		{"gif", "GIF89a\x05\x00\x06\x00", "gif", 5, 6},
		{"bmp, top down", "BM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00\x05\x00\x00\x00\xfa\xff\xff\xff", "bmp", 5, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			format, w, h, err := sniff([]byte(c.data))
			if err != nil || format != c.format || w != c.w || h != c.h {
				t.Fatalf("%s %d×%d, %v; want %s %d×%d", format, w, h, err, c.format, c.w, c.h)
			}
		})
	}
}
