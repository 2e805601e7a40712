package dataset

import (
	"path/filepath"
	"slices"
	"strings"
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
	if w := p.Misfit(); w != "" { // its crops have no box, which is square
		t.Error(w)
	}
	if Packed(filepath.Join(t.TempDir(), "none")) {
		t.Error("what is not there is a data set")
	}
}

// TestMisfit warns where crops that are not square were made to fit otherwise than the network gets its own, and only there. The set that
// is opened first settles how.
func TestMisfit(t *testing.T) {
	set := func(fit string, boxes ...[4]float64) string {
		path := filepath.Join(t.TempDir(), "a.set")
		w, err := pack.Create(path, pack.Format{Width: 2, Height: 2, Fit: fit})
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range boxes {
			c := pack.Crop{Example: pack.Example{Class: "can", Box: b}, Pixels: make([]byte, 12)}
			if err := w.Add(pack.Source{Path: string(rune('a' + i)), Width: 9, Height: 9}, []pack.Crop{c}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	square, wide := [4]float64{1, 1, 4, 4}, [4]float64{1, 1, 8, 4}
	folder := t.TempDir()
	write(t, folder, map[string][]byte{"a/1.png": picture(t, ".png", 8, 6)})
	for name, c := range map[string]struct{ path, fit, want string }{
		"as the network":       {set("stretch", wide), "stretch", ""},
		"otherwise":            {set("letterbox", square, wide), "stretch", "a.set were made to fit by letterbox"},
		"how many":             {set("letterbox", square, wide), "stretch", "by stretch: 1 of 2 are not square"},
		"what to do":           {set("stretch", wide), "letterbox", "train with fit=stretch"},
		"otherwise, of square": {set("letterbox", square), "stretch", ""},
		"pictures in files":    {folder, "stretch", ""},
	} {
		s, err := OpenStored(c.path)
		if err != nil {
			t.Fatal(err)
		}
		in := bundle.Input{Prep: prep.Linear, Width: 2, Height: 2, Colour: "rgb", Mean: []float32{0}, Std: []float32{1}, Fit: c.fit}
		if first := open(t, c.path, Options{Input: in}); first.Misfit() != "" || c.want != "" && first.Spec().Fit == c.fit {
			t.Errorf("%s: what settles the input asks for %s: %q", name, first.Spec().Fit, first.Misfit())
		}
		for _, got := range []string{s.Misfit(c.fit), open(t, c.path, Options{Input: in, Labels: []string{"a", "can"}}).Misfit()} {
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%s: %q", name, got)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
