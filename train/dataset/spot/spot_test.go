package spot

import (
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/detect"
	"gleaner/internal/shared"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

func saw(part int, class int, score, x0, y0, x1, y1 float32) seen {
	return seen{detect.Detection{Box: detect.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}, Class: class, Score: score}, look{part: part}, false}
}

// TestMerge makes one box of one object, and leaves two objects two.
func TestMerge(t *testing.T) {
	cut := func(s seen) seen { s.cut = true; return s }
	mirrored := func(s seen) seen { s.mirrored = true; return s }
	for _, c := range []struct {
		name string
		all  []seen
		want []Found
	}{
		{"two looks at one", []seen{saw(0, 1, 0.9, 0, 0, 10, 10), mirrored(saw(0, 1, 0.3, 4, 0, 14, 10))},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 10, Y1: 10}, Class: 1, Score: 0.9}, false},
				{detect.Detection{Box: detect.Box{X0: 4, Y0: 0, X1: 14, Y1: 10}, Class: 1, Score: 0.3}, false}}},
		{"the mean, by score", []seen{saw(0, 1, 0.75, 0, 0, 10, 10), mirrored(saw(0, 1, 0.25, 2, 0, 12, 10))},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0.5, Y0: 0, X1: 10.5, Y1: 10}, Class: 1, Score: 0.75}, false}}},
		{"another class", []seen{saw(0, 1, 0.9, 0, 0, 10, 10), saw(2, 2, 0.3, 0, 0, 10, 10)},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 10, Y1: 10}, Class: 1, Score: 0.9}, false},
				{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 10, Y1: 10}, Class: 2, Score: 0.3}, false}}},
		{"cut off in a tile, whole in another", []seen{cut(saw(2, 1, 0.9, 0, 0, 5, 10)), saw(3, 1, 0.4, 0, 0, 12, 10)},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 12, Y1: 10}, Class: 1, Score: 0.4}, false}}},
		{"nowhere whole", []seen{cut(saw(2, 1, 0.9, 0, 0, 5, 10))},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 5, Y1: 10}, Class: 1, Score: 0.9}, true}}},
		{"one inside another, seen at once", []seen{saw(0, 1, 0.9, 0, 0, 20, 20), saw(0, 1, 0.4, 5, 5, 10, 10)},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 20, Y1: 20}, Class: 1, Score: 0.9}, false},
				{detect.Detection{Box: detect.Box{X0: 5, Y0: 5, X1: 10, Y1: 10}, Class: 1, Score: 0.4}, false}}},
		{"a part, in a tile", []seen{saw(0, 1, 0.9, 0, 0, 20, 20), saw(2, 1, 0.4, 5, 5, 10, 10)},
			[]Found{{detect.Detection{Box: detect.Box{X0: 0, Y0: 0, X1: 20, Y1: 20}, Class: 1, Score: 0.9}, false}}},
	} {
		got := merge(c.all)
		same := len(got) == len(c.want)
		for i := range c.want {
			same = same && got[i] == c.want[i]
		}
		if !same {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestTiles covers large pictures and leaves small ones whole.
func TestTiles(t *testing.T) {
	o := DefaultOptions()
	if n := len(o.tiles(1999, 1500)); n != 0 {
		t.Errorf("1,999 pixels are cut into %d tiles", n)
	}
	all := o.tiles(2560, 1920)
	sides := map[int]int{}
	covered := map[image.Point]bool{}
	for _, r := range all {
		sides[r.Dx()]++
		if r.Dx() != r.Dy() || !r.In(image.Rect(0, 0, 2560, 1920)) {
			t.Errorf("tile %v", r)
		}
		for y := r.Min.Y; y < r.Max.Y && r.Dx() == 640; y += 40 {
			for x := r.Min.X; x < r.Max.X; x += 40 {
				covered[image.Pt(x/40, y/40)] = true
			}
		}
	}
	if len(sides) != 2 || sides[1280] == 0 || sides[640] == 0 || len(covered) < 64*48 {
		t.Errorf("sides %v, %d of %d covered", sides, len(covered), 64*48)
	}
	for _, bad := range []Options{{Looks: 3}, {Looks: 1, Tile: 5}, {Looks: 1, Overlap: 0.95}, {Looks: 1, TileFrom: -1}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// detector opens the registry's detector, as setup fetched it.
func detector(t *testing.T) *Detector {
	t.Helper()
	d, err := Open(t.Context(), shared.Native(t, "models/ssd-oidv4.tflite"), shared.Native(t, "models/ssd-oidv4.labels.txt"), 1)
	if errors.Is(err, tflite.ErrNotBuilt) {
		t.Skip("this build has no TensorFlow Lite")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestLook finds a cat in a photo, where it stands in a corner of a large picture, and when that is mirrored, at the same place.
func TestLook(t *testing.T) {
	d := detector(t)
	raw, err := os.ReadFile(shared.Path(t, "models/images/cat.bmp"))
	if err != nil {
		t.Fatal(err)
	}
	im, err := cv.NewDecoder().Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Eye(DefaultOptions(), []string{"Cat"}, 0.15)
	if err != nil {
		t.Fatal(err)
	}
	found, tiles, err := e.Look(t.Context(), im)
	if err != nil || len(found) == 0 || tiles != 0 || d.Labels()[found[0].Class] != "Cat" {
		t.Fatalf("%v, %d tiles, %v", found, tiles, err)
	}
	canvas := capture.NewImage(2400, 1500)
	for y := range im.H {
		copy(canvas.Row(1500 - im.H + y)[3*(2400-im.W):], im.Row(y))
	}
	big, tiles, err := e.Look(t.Context(), canvas)
	if err != nil || len(big) == 0 || tiles == 0 {
		t.Fatalf("in the large picture %v, %d tiles, %v", big, tiles, err)
	}
	at := found[0].Box
	x, y := float32(2400-im.W), float32(1500-im.H)
	want := detect.Box{X0: at.X0 + x, Y0: at.Y0 + y, X1: at.X1 + x, Y1: at.Y1 + y}
	if iou := want.IoU(big[0].Box); iou < 0.6 {
		t.Errorf("in the large picture it is at %v, want %v (IoU %.2f)", big[0].Box, want, iou)
	}
}

// TestOpenSaysWhatIsMissing refuses what finds no objects, and says what to do.
func TestOpenSaysWhatIsMissing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.tflite")
	text := filepath.Join(t.TempDir(), "text.tflite")
	if err := os.WriteFile(text, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{none: "no such file", text: "text.tflite", shared.Native(t, "models/ssd-oidv4.tflite"): "labels"} {
		_, err := Open(t.Context(), path, "", 1)
		var b *bundle.Error
		if want == "labels" && err != nil { // the labels lie beside the file under another name
			if !errors.As(err, &b) || !strings.Contains(b.Hint, "labels=") {
				t.Errorf("%v", err)
			}
			continue
		}
		if !errors.As(err, &b) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
