package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/capture/cv"
	"gleaner/internal/shared"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/split"
)

func decoder() Decoder { return cv.NewDecoder() }

func listed(t *testing.T, root string) *labels.List {
	t.Helper()
	l, err := labels.Open(root, labels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func open(t *testing.T, path string) *pack.Set {
	t.Helper()
	s, err := pack.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// drawn is a folder with two classes of pictures, one of which cannot be read.
func drawn(t *testing.T) string {
	root := t.TempDir()
	for i, name := range []string{"can/1.png", "can/2.png", "bag/1.png"} {
		im := image.NewRGBA(image.Rect(0, 0, 6, 4))
		for p := range 24 {
			im.Set(p%6, p/6, color.RGBA{uint8(10 * p), uint8(i), 7, 255})
		}
		var b bytes.Buffer
		p := filepath.Join(root, name)
		if err := errors.Join(png.Encode(&b, im), os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "bag", "broken.jpg"), []byte{0xff, 0xd8, 0xff}, 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestImportOfFolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	r, err := Import(t.Context(), path, listed(t, drawn(t)), Options{NewDecoder: decoder, Size: 6, Fit: "stretch"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Examples != 3 || r.Pictures != 3 || r.LeftOut != 1 || r.Mended != 0 {
		t.Errorf("%+v", r)
	}
	s := open(t, path)
	if p := s.Problems[0]; p.Path != "bag/broken.jpg" || p.Reason == "" {
		t.Errorf("%+v", p)
	}
	buf := make([]byte, s.Format.Bytes())
	if err := s.Pixels(0, buf); err != nil {
		t.Fatal(err)
	}
	// The first row of 6 pixels as it was drawn, in B G R.
	for x := range 6 {
		if got, want := buf[3*x:3*x+3], []byte{7, 2, byte(10 * x)}; !slices.Equal(got, want) {
			t.Errorf("pixel %d is %v, want %v", x, got, want)
		}
	}
}

// TestInterruptedImport stops an import after each picture and finishes it in a second run: the set is the same.
func TestInterruptedImport(t *testing.T) {
	root, dir := drawn(t), t.TempDir()
	whole, err := Import(t.Context(), filepath.Join(dir, "whole"), listed(t, root), Options{NewDecoder: decoder, Size: 6})
	if err != nil {
		t.Fatal(err)
	}
	for after := 1; after < 4; after++ {
		path := filepath.Join(dir, string(rune('0'+after)))
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Import(ctx, path, listed(t, root), Options{NewDecoder: decoder, Size: 6, Workers: 1, Progress: func(done, _ int) {
			if done == after {
				cancel()
			}
		}})
		if err == nil {
			continue // the rest was under way already
		}
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run it again") {
			t.Fatalf("interrupted: %v", err)
		}
		r, err := Import(t.Context(), path, listed(t, root), Options{NewDecoder: decoder, Size: 6})
		if err != nil || r != whole {
			t.Errorf("after %d: %+v, %v, want %+v", after, r, err, whole)
		}
	}
}

func TestMapIsAskedFirst(t *testing.T) {
	m, err := labels.ParseMap([]byte("classes: {metal: [can]}"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a")
	_, err = Import(t.Context(), path, listed(t, drawn(t)), Options{NewDecoder: decoder, Size: 6, Map: m})
	var un *labels.Unmapped
	if !errors.As(err, &un) || un.Class != "bag" {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was begun all the same")
	}
	m.Others = labels.Drop
	r, err := Import(t.Context(), path, listed(t, drawn(t)), Options{NewDecoder: decoder, Size: 6, Map: m})
	if err != nil || r.Examples != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestCropsArePixelExact compares each crop of the AI-Hub sample, cut at its own size, with the stored pixels of its box.
func TestCropsArePixelExact(t *testing.T) {
	l := listed(t, shared.Path(t, "data/aihub/composite"))
	n := 0
	for _, it := range l.Items[:6] {
		file, err := os.ReadFile(filepath.Join(l.Root, it.Picture))
		if err != nil {
			t.Fatal(err)
		}
		im, err := decoder().Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range it.Objects {
			b := *o.Box
			part := im.Sub(Region(b, 0, false))
			if part.W != int(b[2]-b[0]) || part.H != int(b[3]-b[1]) || !slices.Equal(part.Row(0)[:3], im.Pix[int(b[1])*im.Stride+3*int(b[0]):][:3]) {
				t.Errorf("%s: a box %v gives %d×%d pixels", it.Picture, b, part.W, part.H)
			}
			n++
		}
	}
	if n == 0 {
		t.Error("no object")
	}
}

func TestQuirks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	r, err := Import(t.Context(), path, listed(t, shared.Path(t, "data/aihub/quirks")), Options{NewDecoder: decoder, Size: 32, Margin: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	var said []string
	for _, p := range s.Problems {
		said = append(said, p.Path+" "+p.What+" "+p.Reason)
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"CP949", "corners swapped", "past the edge", "the box is empty", "EXIF 6"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing of %q in\n%s", want, all)
		}
	}
	if r.Examples < 20 || r.LeftOut != 1 {
		t.Errorf("%+v\n%s", r, all)
	}
}

// TestImportTellsOfSpellings lists a class that is perhaps another one spelt otherwise, once, also when an import goes on.
func TestImportTellsOfSpellings(t *testing.T) {
	root := drawn(t)
	for _, to := range []string{"Cans", "cup"} {
		if err := os.CopyFS(filepath.Join(root, to), os.DirFS(filepath.Join(root, "bag"))); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "a")
	o := Options{NewDecoder: decoder, Size: 6, Fit: "stretch", Workers: 1}
	ctx, stop := context.WithCancel(t.Context())
	o.Progress = func(done, _ int) {
		if done == 3 {
			stop()
		}
	}
	if _, err := Import(ctx, path, listed(t, root), o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.Progress = nil
	if _, err := Import(t.Context(), path, listed(t, root), o); err != nil {
		t.Fatal(err)
	}
	want := pack.Problem{Path: "can/1.png", What: "class can", Reason: `perhaps "Cans" spelt otherwise: a label map joins them (--map)`, Mended: true}
	n := 0
	for _, p := range open(t, path).Problems {
		if strings.HasPrefix(p.What, "class ") {
			n++
			if p != want {
				t.Errorf("%+v", p)
			}
		}
	}
	if n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestImportTellsAll lists every line of a list that is wrong, links to folders and pictures of kinds that are not read, once each,
// also when it goes on; and an import of nothing leaves no set.
func TestImportTellsAll(t *testing.T) {
	root := drawn(t)
	list := filepath.Join(root, "list.csv")
	if err := os.WriteFile(list, []byte("path,class\ncan/1.png,can\nnone.png,can\nnowhere.png,can\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"cup": "can", "bag/2.heic": "1.png"} {
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{NewDecoder: decoder, Size: 6}
	for name, c := range map[string]struct {
		list *labels.List
		want int
	}{"list": {listed(t, list), 3}, "folder": {must(labels.Open(root, labels.Options{Format: "folders"})), 3}} {
		path := filepath.Join(t.TempDir(), "a")
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if _, err := Import(stopped, path, c.list, o); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := Import(t.Context(), path, c.list, o); err != nil {
			t.Fatal(err)
		}
		if p := open(t, path).Problems; len(p) != c.want {
			t.Errorf("%s: %+v", name, p)
		}
	}
	path := filepath.Join(t.TempDir(), "a")
	o.MinSide = 99
	_, err := Import(t.Context(), path, listed(t, list), o)
	var none *NothingError
	if _, e := os.Stat(path); !errors.As(err, &none) || !errors.Is(e, os.ErrNotExist) {
		t.Errorf("%v, and %v", err, e)
	}
}

// TestGroupsOfOnePictureStayTogether imports a picture with objects of two groups: neither group is torn apart by a split, and
// nor is the picture.
func TestGroupsOfOnePictureStayTogether(t *testing.T) {
	root := t.TempDir()
	rows := "path,class,x0,y0,x1,y1,group\n"
	for i := range 40 {
		im := image.NewRGBA(image.Rect(0, 0, 6, 4))
		im.Set(1, 1, color.RGBA{uint8(i), 1, 1, 255})
		var b bytes.Buffer
		name := fmt.Sprintf("%02d.png", i)
		if err := errors.Join(png.Encode(&b, im), os.WriteFile(filepath.Join(root, name), b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		rows += fmt.Sprintf("%s,can,0,0,3,4,g%02d\n", name, i/2)
		if i%2 == 0 { // a second row, of the group that is the next picture's second row as well
			rows += fmt.Sprintf("%s,can,3,0,6,4,h%02d\n", name, i/4)
		}
	}
	list := filepath.Join(root, "list.csv")
	if err := os.WriteFile(list, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "a")
	if _, err := Import(t.Context(), path, listed(t, list), Options{NewDecoder: decoder, Size: 6}); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	part, err := split.Parts(s.Examples, nil, []float64{0.5, 0.5}, 1)
	if err != nil {
		t.Fatal(err)
	}
	of, groups := map[string]int{}, map[string]bool{}
	for i, e := range s.Examples {
		groups[e.Group] = true
		for _, what := range []string{e.Group, e.Source.Path} {
			if p, ok := of[what]; ok && p != part[i] {
				t.Errorf("%s is in two parts", what)
			}
			of[what] = part[i]
		}
	}
	if len(s.Examples) != 60 || len(groups) != 30 {
		t.Errorf("%d examples in %d groups", len(s.Examples), len(groups))
	}
}

// TestProblemsHaveTheirLabelsNumbers names an object as its label does, also behind those that the label's reader left out.
func TestProblemsHaveTheirLabelsNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"AI-Hub": {"1.json", `{"FILE NAME":"1.png","Bounding":[{"CLASS":"can","x1":"1","y1":"0","x2":"1","y2":"4"},{"CLASS":"can","x1":"0","y1":"0","x2":"6","y2":"4"},
			{"CLASS":"can","x1":"0","y1":"0","x2":"1","y2":"4"}]}`, []string{"can/1.json object 1", "can/1.png object 3"}},
		"COCO": {"1.json", `{"images":[{"id":1,"file_name":"1.png"}],"categories":[{"id":1,"name":"can"}],"annotations":[{"id":4,"image_id":1,"category_id":1,"bbox":[0,0,0,4]},
			{"id":5,"image_id":1,"category_id":1,"bbox":[0,0,6,4]},{"id":6,"image_id":1,"category_id":1,"bbox":[0,0,1,4]}]}`, []string{"can/1.json annotation 4", "can/1.png annotation 6"}},
		"list": {"1.csv", "path,class,x0,y0,x1,y1\n1.png,can,0,0,0,4\n\n1.png,can,0,0,6,4\n1.png,can,0,0,1,4\n", []string{"can/1.csv line 2", "can/1.png line 5"}},
	} {
		root := drawn(t)
		if err := os.WriteFile(filepath.Join(root, "can", c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, "a")
		if _, err := Import(t.Context(), path, listed(t, root), Options{NewDecoder: decoder, Size: 6, MinSide: 2}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range open(t, path).Problems {
			got = append(got, p.Path+" "+p.What)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func must(l *labels.List, err error) *labels.List {
	if err != nil {
		panic(err)
	}
	return l
}
