package dataset

import (
	"path/filepath"
	"slices"
	"testing"

	"gleaner/classify/prep"
	"gleaner/model/bundle"
	"gleaner/train/dataset/pack"
)

// TestPackedSet reads a data set file as training does: its own size, its classes by name, its pixels.
func TestPackedSet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.set")
	w, err := pack.Create(path, pack.Format{Width: 2, Height: 1, Fit: "stretch"})
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range []string{"유리", "can", "유리"} {
		src := pack.Source{Path: class + string(rune('0'+i)), Width: 2, Height: 1}
		c := pack.Crop{Example: pack.Example{Class: class}, Pixels: []byte{1, 2, 3, byte(i), 5, 6}} // B G R
		if err := w.Add(src, []pack.Crop{c}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	p := open(t, path, Options{Input: bundle.Input{Prep: prep.Linear, Colour: "rgb", Mean: []float32{0}, Std: []float32{1}, Fit: "stretch"}})
	if p.Len() != 3 || !slices.Equal(p.Heads()[0].Labels, []string{"can", "유리"}) || p.Label(1, 0) != 0 || !slices.Equal(p.Shape(), []int{1, 2, 3}) {
		t.Errorf("%d examples, heads %v, shape %v", p.Len(), p.Heads(), p.Shape())
	}
	got := make([]float32, 6)
	if err := p.Input(got, 2, nil); err != nil || !slices.Equal(got, []float32{3, 2, 1, 6, 5, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if Packed(filepath.Join(t.TempDir(), "none")) {
		t.Error("what is not there is a data set")
	}
}
