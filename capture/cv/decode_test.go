package cv

import (
	"os"
	"path/filepath"
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
