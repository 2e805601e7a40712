package exif

import (
	"bytes"
	"testing"
)

// right is the beginning of a JPEG file whose first row is on the right, orientation 6.
const right = "\xff\xd8\xff\xe1\x00\x22Exif\x00\x00\x4d\x4d\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"

func TestOrientation(t *testing.T) {
	if o := Orientation(bytes.NewReader([]byte(right))); o != 6 {
		t.Errorf("orientation %d, want 6", o)
	}
	for n := range len(right) - 1 {
		if o := Orientation(bytes.NewReader([]byte(right[:n]))); o != 1 {
			t.Errorf("of %d bytes: orientation %d, want 1", n, o)
		}
	}
	if o := OrientationOf("nowhere.jpg"); o != 1 {
		t.Errorf("no file: orientation %d, want 1", o)
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add([]byte(right))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II\x2a\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := Orientation(bytes.NewReader(b)); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
