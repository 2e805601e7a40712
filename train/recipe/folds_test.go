package recipe

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/train/dataset"
	"gleaner/train/recipes"
)

// TestRecipesAreWhole holds each recipe to the options that there are, and the doc of the key to the recipes.
func TestRecipesAreWhole(t *testing.T) {
	for _, name := range recipes.Names() {
		o := set(t, "data=x", "out=y")
		if err := o.SetAll([]string{"epochs=3", "recipe=" + name}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := o.Check(); err != nil || o.Epochs != 3 || o.Recipe != name {
			t.Errorf("%s: %v, epochs %d", name, err, o.Epochs)
		}
		for _, k := range o.Keys() {
			if k.Name == "recipe" && !strings.Contains(k.Doc, name) {
				t.Errorf("the doc of recipe= does not name %s", name)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "own.recipe")
	for text, want := range map[string]string{"# mine\n\nlr=0.1\n": "", "lr\n": "line 1, ", "recipe=masks\n": "line 1: a recipe cannot name another", "lr=x": "lr=x"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o := set(t)
		err := o.Set("recipe=" + path)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	o := set(t)
	if err := o.Set("recipe=waste"); err == nil || !strings.Contains(err.Error(), "recycling") {
		t.Errorf("an unknown recipe: %v", err)
	}
}

// drawn is a folder of pictures of two classes, each in two sizes that are near copies.
func drawn(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for _, class := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			var cells [8][8]uint8
			for y := range cells {
				for x := range cells[y] {
					cells[y][x] = uint8(r.IntN(256))
				}
			}
			for copied, side := range []int{64, 96} {
				im := image.NewGray(image.Rect(0, 0, side, side))
				for y := range side {
					for x := range side {
						im.SetGray(x, y, color.Gray{cells[y*8/side][x*8/side]})
					}
				}
				f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%d-%d.png", i, copied)))
				if err != nil {
					t.Fatal(err)
				}
				if err := png.Encode(f, im); err != nil {
					t.Fatal(err)
				}
				f.Close()
			}
		}
	}
	return dir
}

// TestValidation keeps near copies on one side of val=, and gives each class its share where there are none.
func TestValidation(t *testing.T) {
	dir := drawn(t, 20)
	open := func() *Data {
		t.Helper()
		o := set(t, "data="+dir, "out=x", "size=16", "val=0.25")
		d, err := Open(t.Context(), &o, nil)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open()
	trained := map[string]bool{}
	for i := range d.Train.Len() {
		trained[shown(d.Train.Name(i))] = true
	}
	for i := range d.Val.Len() {
		if trained[shown(d.Val.Name(i))] {
			t.Errorf("%s validates, and its copy trains", d.Val.Name(i))
		}
	}
	if n := dataset.Counts(d.Val, 0); d.Train.Len()+d.Val.Len() != 80 || n[0] != 10 || n[1] != 10 {
		t.Errorf("%d pictures train, %v validate", d.Train.Len(), n)
	}
	copies, err := filepath.Glob(filepath.Join(dir, "*", "*-1.png"))
	if err != nil || len(copies) != 40 {
		t.Fatal(copies, err)
	}
	for _, path := range copies {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if n := dataset.Counts(open().Val, 0); n[0] != 5 || n[1] != 5 {
		t.Errorf("without copies %v validate", n)
	}
}

// shown is what a picture of drawn shows, whatever its size.
func shown(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, "-0.png"), "-1.png")
}

// TestFolds deals near copies into one part of a cross-validation, and every picture into one test.
func TestFolds(t *testing.T) {
	dir := drawn(t, 20)
	tested := map[string]int{}
	for part := 1; part <= 4; part++ {
		o := set(t, "data="+dir, "out=x", "size=16", fmt.Sprintf("fold=%d/4", part), "val=0.25")
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		d, err := Open(t.Context(), &o, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]string{}
		total := 0
		for name, s := range map[string]dataset.Set{"train": d.Train, "val": d.Val, "test": d.Test} {
			total += s.Len()
			if c := dataset.Counts(s, 0); c[0] == 0 || c[1] == 0 {
				t.Errorf("%s of fold %d has %v pictures of the classes", name, part, c)
			}
			for i := range s.Len() {
				what := shown(s.Name(i))
				if at[what] != "" && at[what] != name {
					t.Errorf("fold %d: copies of %s are in %s and %s", part, what, at[what], name)
				}
				at[what] = name
				if name == "test" {
					tested[s.Name(i)]++
				}
			}
		}
		if total != 80 {
			t.Errorf("fold %d has %d pictures of 80", part, total)
		}
	}
	for name, n := range tested {
		if n != 1 {
			t.Errorf("%s is tested %d times", name, n)
		}
	}
	if len(tested) != 80 {
		t.Errorf("%d pictures of 80 are tested", len(tested))
	}
	for _, bad := range [][]string{{"fold=5/4"}, {"fold=x"}, {"fold=1/1"}, {"fold=1/4", "test=y"}, {"fold=1/4", "val=y"}} {
		o := set(t, append(slices.Clone(bad), "data=x", "out=y")...)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), "fold=") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestFoldsOfFlatPictures deals pictures of one colour each like any others: that they have no features does not make them copies.
func TestFoldsOfFlatPictures(t *testing.T) {
	dir := t.TempDir()
	for _, class := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			im := image.NewGray(image.Rect(0, 0, 32, 32))
			for k := range im.Pix {
				im.Pix[k] = uint8(20 + 25*i)
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, im); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	o := set(t, "data="+dir, "out=x", "size=16", "fold=1/4", "val=0", "keep=last")
	d, err := Open(t.Context(), &o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := dataset.Counts(d.Test, 0); c[0] != 2 || c[1] != 2 {
		t.Errorf("%v pictures of the classes in one of four folds, want 2 each", c)
	}
}
