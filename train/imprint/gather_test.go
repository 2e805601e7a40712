package imprint

import (
	"path/filepath"
	"testing"

	"gleaner/capture/capturetest"
	"gleaner/capture/pictures"
)

// TestGatherUpright: a photo that is stored on its side is shown upright to the backbone.
func TestGatherUpright(t *testing.T) {
	dir := t.TempDir()
	capturetest.WriteLying(t, filepath.Join(dir, "can", "1.jpg"))
	p, err := pictures.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	im, err := (&gatherer{pictures: p}).picture(0)
	if err != nil {
		t.Fatal(err)
	}
	capturetest.Upright(t, im)
}
