package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataImportNames: a set has its folder's name where none is given, in any script, and from inside the folder.
func TestDataImportNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, class := range []string{"병", "캔"} {
		im := image.NewGray(image.Rect(0, 0, 20, 20))
		for p := range im.Pix {
			im.Pix[p] = byte(40 + 150*i)
		}
		im.SetGray(i, i, color.Gray{Y: 255})
		var file bytes.Buffer
		if err := png.Encode(&file, im); err != nil {
			t.Fatal(err)
		}
		at := filepath.Join("재활용 2.0", class, "1.png")
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	works(t, "data", "import", "재활용 2.0", "--size=16")
	if said := works(t, "data", "look", "재활용 2.0.set", "--plain"); !strings.Contains(said, "labels not looked at") {
		t.Errorf("it said %s", said)
	}
	t.Chdir("재활용 2.0")
	works(t, "data", "import", ".", "--size=16")
	if _, err := os.Stat("재활용 2.0.set"); err != nil {
		t.Error(err)
	}
	if got := setName("/data/lists/train.csv"); got != "train.set" {
		t.Errorf("of a list: %s", got)
	}
}
