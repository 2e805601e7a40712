package cv

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/internal/shared"
)

// TestDecoderLeavesOrientationAlone decodes a photo that is stored on its side: labels speak of the stored pixels.
func TestDecoderLeavesOrientationAlone(t *testing.T) {
	d := NewDecoder()
	defer d.Close()
	file, err := os.ReadFile(filepath.Join(shared.Path(t, "data/aihub/quirks"), "images", "exif_rotated.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	im, err := d.Decode(file)
	if err != nil || im.W != 1280 || im.H != 960 {
		t.Errorf("%d×%d, %v; stored are 1280×960", im.W, im.H, err)
	}
	if _, err := d.Decode(file[:200]); err == nil {
		t.Error("a truncated file is decoded")
	}
	if _, err := d.Decode([]byte("no picture")); err == nil {
		t.Error("text is decoded")
	}
}

// TestDecoderRefusesParts decodes no file of which a part is missing or changed, which would come out grey.
func TestDecoderRefusesParts(t *testing.T) {
	im := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for p := range im.Pix {
		im.Pix[p] = byte(p * p / 7)
	}
	var j, p bytes.Buffer
	if err := errors.Join(jpeg.Encode(&j, im, nil), png.Encode(&p, im)); err != nil {
		t.Fatal(err)
	}
	d := NewDecoder()
	defer d.Close()
	for name, file := range map[string][]byte{"jpeg": j.Bytes(), "png": p.Bytes()} {
		if _, err := d.Decode(append(bytes.Clone(file), "more behind the end"...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, n := range []int{len(file) - 1, len(file) * 3 / 4, len(file) / 2, len(file) / 4} {
			if _, err := d.Decode(file[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are decoded", name, n, len(file))
			}
		}
	}
	changed := p.Bytes()
	changed[len(changed)/2] ^= 4
	if _, err := d.Decode(changed); err == nil || !strings.Contains(err.Error(), `"IDAT" does not have its sum`) {
		t.Errorf("a changed PNG: %v", err)
	}
}
