package importer

import (
	"os"
	"path/filepath"
	"testing"

	"gleaner/train/dataset/labels"
)

// TestLeftOutIsCountedOnce counts the objects that a map drops, and the bad lines of a list, once each; nothing was mended.
func TestLeftOutIsCountedOnce(t *testing.T) {
	root := drawn(t)
	if err := os.Remove(filepath.Join(root, "bag", "broken.jpg")); err != nil {
		t.Fatal(err)
	}
	m, err := labels.ParseMap([]byte("classes: {x: [bag]}\nothers: drop\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{NewDecoder: decoder, Size: 6, Map: m}
	r, err := Import(t.Context(), filepath.Join(t.TempDir(), "a"), listed(t, root), o)
	if err != nil || r.Examples != 1 || r.LeftOut != 2 || r.Mended != 0 {
		t.Errorf("a map that drops two: %+v, %v", r, err)
	}
	list := filepath.Join(root, "list.csv")
	text := "path,class,x0,y0,x1,y1\nbag/1.png,bag,,,,\nnone.png,bag,,,,\nnowhere.png,bag,,,,\ncan/1.png,bag,0,0,0,4\ncan/2.png,,,,,\n"
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Map = nil
	r, err = Import(t.Context(), filepath.Join(t.TempDir(), "a"), listed(t, list), o)
	if err != nil || r.Examples != 1 || r.LeftOut != 4 || r.Mended != 0 || r.First.Path != "list.csv" || r.First.What != "line 3" {
		t.Errorf("four bad lines: %+v, %v", r, err)
	}
}
