package capturetest

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/capture"
)

// WriteLying writes a JPEG of 16×8 pixels, the left half bright, that is stored on its side (EXIF 6): upright, the bright half is above.
func WriteLying(t testing.TB, path string) {
	t.Helper()
	im := image.NewGray(image.Rect(0, 0, 16, 8))
	for y := range 8 {
		for x := range 8 {
			im.SetGray(x, y, color.Gray{Y: 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, nil); err != nil {
		t.Fatal(err)
	}
	exif := "\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	file := slices.Concat(b.Bytes()[:2], []byte(exif), b.Bytes()[2:])
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, file, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// Upright tells what is wrong with WriteLying's photo as it was read.
func Upright(t testing.TB, im capture.Image) {
	t.Helper()
	if im.W != 8 || im.H != 16 || im.Row(0)[0] < 200 || im.Row(15)[0] > 50 {
		t.Errorf("%d×%d pixels, %d above and %d below", im.W, im.H, im.Row(0)[0], im.Row(im.H - 1)[0])
	}
}
