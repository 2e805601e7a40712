package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataMerge says how many examples a merged set has, and how many of those given were there already.
func TestDataMerge(t *testing.T) {
	dir := t.TempDir()
	draw := func(names ...string) string {
		for _, name := range names {
			im := image.NewGray(image.Rect(0, 0, 8, 8))
			im.Set(3, 3, color.Gray{name[len(name)-5]})
			var b bytes.Buffer
			p := filepath.Join(dir, name)
			if err := errors.Join(png.Encode(&b, im), os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, b.Bytes(), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(dir, filepath.Dir(filepath.Dir(names[0])))
	}
	a, b := draw("a/can/1.png", "a/can/2.png", "a/bag/3.png"), draw("b/can/2.png", "b/bag/4.png")
	for _, from := range []string{a, b} {
		works(t, "data", "import", from, "-o", from+".set", "--size=8")
	}
	out := filepath.Join(dir, "all.set")
	said := works(t, "data", "merge", a+".set", b+".set", "-o", out)
	if want := fmt.Sprintf("%s: 4 examples, and 1 of those given were there already, ", out); !strings.HasPrefix(said, want) {
		t.Errorf("it said %s, want %s", said, want)
	}
}
