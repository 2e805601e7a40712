package cv

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/capture/capturetest"
)

func TestBeltConforms(t *testing.T) {
	dir := t.TempDir()
	for i, class := range []string{"유리", "종이"} {
		m := image.NewRGBA(image.Rect(0, 0, 40, 30))
		for p := range 40 * 30 {
			m.SetRGBA(p%40, p/40, color.RGBA{R: uint8(80 + 100*i), G: 120, B: uint8(p / 5), A: 255})
		}
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%d.png", k)))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, m); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	o := capture.DefaultOptions()
	o.Source, o.Width, o.Height, o.FPS, o.Belt.Pictures = "belt:", 320, 180, 30, dir
	capturetest.Run(t, func(t *testing.T) capture.Device {
		dev, err := NewDevice(o)
		if err != nil {
			t.Fatal(err)
		}
		return dev
	}, capturetest.Options{W: 320, H: 180})
	o.Belt.Pictures = filepath.Join(dir, "없음")
	if _, err := NewDevice(o); err == nil || !strings.Contains(err.Error(), "없음") {
		t.Fatalf("pictures that are not there: %v", err)
	}
}
