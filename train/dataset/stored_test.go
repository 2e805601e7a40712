package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gleaner/capture/pictures"
	"gleaner/train/dataset/pack"
)

// TestStored looks at pictures as they lie in a folder, an idx folder and a data set file.
func TestStored(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"a/1.png": picture(t, ".png", 8, 6), "b/2.jpg": picture(t, ".jpg", 20, 10), "b/3.png": []byte("no picture")})
	s, err := OpenStored(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != 2 || len(s.Skipped()) != 1 || s.Labels()[s.Label(1)] != "b" || filepath.Base(s.Name(1)) != "2.jpg" || s.Group(0) != "" || s.Attributes(0) != nil {
		t.Errorf("%d pictures, %v left out, %v, %s", s.Len(), s.Skipped(), s.Labels(), s.Name(1))
	}
	if im, err := s.Picture(1); err != nil || im.W != 20 || im.H != 10 {
		t.Errorf("%d×%d, %v", im.W, im.H, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}

	set := filepath.Join(dir, "x.set")
	w, err := pack.Create(set, pack.Format{Width: 2, Height: 1, Fit: "stretch"})
	if err != nil {
		t.Fatal(err)
	}
	e := pack.Example{Class: "can", Group: "monday", Attributes: map[string]string{"camera": "left"}}
	if err := w.Add(pack.Source{Path: "1.jpg", Width: 2, Height: 1}, []pack.Crop{{Example: e, Pixels: []byte{1, 2, 3, 4, 5, 6}}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenStored(set); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 1 || s.Group(0) != "monday" || s.Attributes(0)["camera"] != "left" || s.Name(0) != "1.jpg" {
		t.Errorf("%d pictures, group %q, %v", s.Len(), s.Group(0), s.Attributes(0))
	}
	if im, err := s.Picture(0); err != nil || im.W != 2 || im.Pix[5] != 6 {
		t.Errorf("%v, %v", im, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestStoredTakesTheTestSet of a folder that has both, and refuses a folder of nothing.
func TestStoredTakesTheTestSet(t *testing.T) {
	dir := t.TempDir()
	head := func(kind byte, dims ...byte) (b []byte) {
		b = []byte{0, 0, 8, kind}
		for _, d := range dims {
			b = append(b, 0, 0, 0, d)
		}
		return b
	}
	files := map[string][]byte{}
	for part, n := range map[string]byte{"train": 3, "t10k": 2} {
		files[part+"-images-idx3-ubyte"] = append(head(3, n, 2, 2), make([]byte, 4*int(n))...)
		files[part+"-labels-idx1-ubyte"] = append(head(1, n), make([]byte, n)...)
	}
	write(t, dir, files)
	s, err := OpenStored(dir)
	if err != nil || s.Len() != 2 || filepath.Base(s.Source()) != "t10k-images-idx3-ubyte" {
		t.Errorf("%+v, %v", s, err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStored(empty); !errors.Is(err, pictures.ErrEmpty) {
		t.Errorf("an empty folder: %v", err)
	}
}
