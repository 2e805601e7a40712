package crop

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/internal/shared"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/dataset/exif"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/spot"
)

func options() Options {
	o := DefaultOptions()
	o.NewDecoder = func() importer.Decoder { return cv.NewDecoder() }
	o.Workers, o.Look.Looks = 1, 1
	return o
}

// detector opens the COCO SSD.
func detector(t *testing.T) *spot.Detector {
	t.Helper()
	d, err := spot.Open(t.Context(), shared.Path(t, "models/models/coco_ssd_mobilenet_v1_quant.tflite"),
		shared.Path(t, "models/labels/coco_ssd_labelmap_with_background.txt"), 2)
	if errors.Is(err, tflite.ErrNotBuilt) {
		t.Skip("this build has no TensorFlow Lite")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
		t.Fatal(err)
	}
}

func photo(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(shared.Path(t, "models/images/"+name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// grey is a picture with nothing in it.
func grey(t *testing.T) []byte {
	t.Helper()
	im := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for i := range im.Pix {
		im.Pix[i] = 128
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pets is a folder of photos with their troubles: a cat and a dog in folders of other names, an empty picture, a damaged one, one
// whose name is wrong, and a text.
func pets(t *testing.T) string {
	root := t.TempDir()
	cat, dog := photo(t, "cat.bmp"), photo(t, "imprinting/dog_test_0.bmp")
	put(t, filepath.Join(root, "tom/1.bmp"), cat)
	put(t, filepath.Join(root, "rex/a/1.jpg"), dog)
	put(t, filepath.Join(root, "rex/2.png"), grey(t))
	put(t, filepath.Join(root, "rex/3.jpg"), []byte{0xff, 0xd8, 0xff, 0xe0, 1, 2})
	put(t, filepath.Join(root, "rex/notes.txt"), []byte("a dog"))
	return root
}

func list(t *testing.T, root, label string) *labels.List {
	t.Helper()
	l, err := Pictures(root, label, labels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCropOfAFolder(t *testing.T) {
	d, root, dir := detector(t), pets(t), t.TempDir()
	for _, c := range []struct {
		label string
		supers, want,
		detected []string
	}{
		{LabelDetector, []string{"animal"}, []string{"cat", "dog"}, nil},
		{LabelPicture, []string{"Animal"}, []string{"rex", "tom"}, []string{"cat", "dog"}},
	} {
		o := options()
		o.Label, o.Supers, o.Most, o.Min = c.label, c.supers, 1, 0.5
		set := filepath.Join(dir, c.label+".set")
		r, err := Crop(t.Context(), set, list(t, root, c.label), d, o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Pictures != 3 || r.Cropped != 2 || r.Misses != 1 || r.Unreadable != 2 || r.Examples != 2 {
			t.Errorf("%s: %+v", c.label, r)
		}
		s, err := pack.Open(set)
		if err != nil {
			t.Fatal(err)
		}
		names, _ := pack.Classes(s.Examples)
		slices.Sort(names)
		detected := map[string]bool{}
		for _, e := range s.Examples {
			if e.Group == "" || e.Attributes["supercategory"] != "animal" || e.Attributes["score"] == "" {
				t.Errorf("%+v", e)
			}
			if v := e.Attributes["detected"]; v != "" {
				detected[v] = true
			}
		}
		if !slices.Equal(names, c.want) || !slices.Equal(slices.Sorted(maps.Keys(detected)), c.detected) {
			t.Errorf("%s: classes %v, detected %v", c.label, names, detected)
		}
		var said []string
		for _, p := range s.Problems {
			said = append(said, p.Path+" "+p.Reason)
		}
		all := strings.Join(said, "\n")
		for _, want := range []string{"rex/3.jpg", "rex/notes.txt no picture", "rex/a/1.jpg its content is BMP", "rex/2.png nothing"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: nothing of %q in\n%s", c.label, want, all)
			}
		}
		s.Close()
		var page bytes.Buffer
		if err := r.WriteHTML(&page, set); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Misses", "rex/2.png", "rex/notes.txt", "data:image/jpeg;base64,"} {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%s: the page has no %q", c.label, want)
			}
		}
		if data, err := dataset.OpenStored(set); err != nil || data.Len() != 2 {
			t.Errorf("training does not open the set: %v", err)
		}
	}
}

// TestInterrupted stops a crop after each picture and finishes it: set, boxes and counts are the same, and other options are refused.
func TestInterrupted(t *testing.T) {
	d, root, dir := detector(t), pets(t), t.TempDir()
	o := options()
	o.Classes = []string{"Cat", "dog"}
	whole, err := Crop(t.Context(), filepath.Join(dir, "whole"), list(t, root, o.Label), d, o)
	if err != nil {
		t.Fatal(err)
	}
	for after := 1; after < 4; after++ {
		set := filepath.Join(dir, string(rune('0'+after)))
		ctx, cancel := context.WithCancel(t.Context())
		first := o
		first.Progress = func(done, _ int) {
			if done == after {
				cancel()
			}
		}
		_, err := Crop(ctx, set, list(t, root, o.Label), d, first)
		cancel()
		if err == nil {
			continue // the rest was under way already
		}
		other := o
		other.Margin = 0.3
		var unfit *WantedError
		if _, err := Crop(t.Context(), set, list(t, root, o.Label), d, other); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "other options") {
			t.Errorf("other options: %v", err)
		}
		f, err := os.OpenFile(BoxesFile(set), os.O_APPEND|os.O_WRONLY, 0o644) // as a power cut leaves it
		if err == nil {
			_, err = f.WriteString(`{"picture":"to`)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := Crop(t.Context(), set, list(t, root, o.Label), d, o)
		if err != nil || r.Identity != whole.Identity || !reflect.DeepEqual(r.Records, whole.Records) {
			t.Errorf("after %d: %+v, %v, want %+v", after, r, err, whole)
		}
	}
	empty := filepath.Join(dir, "empty") // as a kill leaves it, before the first page is written
	put(t, empty, nil)
	put(t, BoxesFile(empty), []byte(`{"detector":"`))
	r, err := Crop(t.Context(), empty, list(t, root, o.Label), d, o)
	if err != nil || r.Identity != whole.Identity || !reflect.DeepEqual(r.Records, whole.Records) {
		t.Errorf("over an empty file: %+v, %v, want %+v", r, err, whole)
	}
	put(t, empty, []byte("notes"))
	if _, err := Crop(t.Context(), empty, list(t, root, o.Label), d, o); !errors.Is(err, pack.ErrNotASet) {
		t.Errorf("a file of another kind: %v", err)
	}
	if _, err := Crop(t.Context(), filepath.Join(dir, "whole"), list(t, root, o.Label), d, o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a finished set: %v", err)
	}
}

func TestRefused(t *testing.T) {
	d, root := detector(t), pets(t)
	set := filepath.Join(t.TempDir(), "a.set")
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Classes = []string{"unicorn"} }, "classes=unicorn: the detector knows no such thing; it knows accessory (backpack"},
		{func(o *Options) { o.Supers = []string{"clock"} }, "supercategories=clock"},
		{func(o *Options) { o.Min, o.Doubt = 0.2, 0.4 }, "doubt=0.4 is above min=0.2"},
		{func(o *Options) { o.Label = LabelPicture }, "label=picture: rex/2.png"},
		{func(o *Options) { o.Size = 2 }, "size=2"},
	} {
		o := options()
		c.change(&o)
		if _, err := Crop(t.Context(), set, list(t, root, LabelDetector), d, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	o := options()
	o.Classes = []string{"toaster"}
	if r, err := Crop(t.Context(), set, list(t, root, LabelDetector), d, o); !errors.Is(err, ErrNothing) || r.Misses != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(set); err == nil {
		t.Error("an empty set is left")
	}
	if _, err := Pictures(t.TempDir(), LabelDetector, labels.Options{}); err == nil {
		t.Error("an empty folder is taken")
	}
}

// TestTruth holds a crop against COCO's labels, by the file's own super-categories.
func TestTruth(t *testing.T) {
	d := detector(t)
	o := options()
	o.Supers = []string{"vehicle"}
	r, err := Crop(t.Context(), filepath.Join(t.TempDir(), "a.set"), list(t, shared.Path(t, "data/coco"), LabelDetector), d, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Truth == nil || r.Truth.Marked == 0 || r.Truth.Kept == 0 || r.Truth.Kept+r.Truth.Shown > r.Truth.Marked || r.Truth.LargeIn > r.Truth.Large {
		t.Errorf("%+v", r.Truth)
	}
	for _, rec := range r.Records {
		for _, b := range rec.Boxes {
			if superOf(b.Class) != "vehicle" {
				t.Errorf("%s: %+v", rec.Picture, b)
			}
		}
	}
}

// TestLists reads a plain list with a path that is not there.
func TestLists(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "pictures/1.png"), grey(t))
	put(t, filepath.Join(root, "lists/all.txt"), []byte("path\n../pictures/1.png\npictures/1.png\npictures/none.png\n"))
	l := list(t, filepath.Join(root, "lists/all.txt"), LabelDetector)
	if len(l.Items) != 1 || l.Items[0].Picture != "../pictures/1.png" || len(l.Problems) != 1 || l.Problems[0].Path != "pictures/none.png" {
		t.Errorf("%+v", l)
	}
	away := t.TempDir()
	if err := errors.Join(os.Symlink(root, filepath.Join(away, "root")), os.Symlink(filepath.Join(root, "lists"), filepath.Join(away, "lists"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"root/pictures", "lists/all.txt", "root"} {
		if l := list(t, filepath.Join(away, p), LabelDetector); len(l.Items) != 1 {
			t.Errorf("by a link, %s: %+v", p, l)
		}
	}
	put(t, filepath.Join(root, "lists/classes.tsv"), []byte("../pictures/1.png\tclock\n"))
	if l := list(t, filepath.Join(root, "lists/classes.tsv"), LabelPicture); len(l.Items) != 1 || l.Items[0].Objects[0].Class != "clock" {
		t.Errorf("%+v", l)
	}
}

// TestStored takes boxes there and back for every orientation, and holds them to the pixels that exif.Upright moves.
func TestStored(t *testing.T) {
	im := capture.NewImage(7, 5)
	for i := range im.Pix {
		im.Pix[i] = byte(i)
	}
	for turn := 1; turn <= 8; turn++ {
		up := exif.Upright(im, turn)
		b := [4]float64{1, 2, 3, 5}
		s := stored(b, turn, im.W, im.H)
		if back := upright(s, turn, im.W, im.H); back != b {
			t.Errorf("orientation %d: %v there and back is %v", turn, b, back)
		}
		want := up.Sub(image.Rect(1, 2, 3, 5))
		got := exif.Upright(im.Sub(image.Rect(int(s[0]), int(s[1]), int(s[2]), int(s[3]))), turn)
		for y := range want.H {
			if got.W != want.W || got.H != want.H || !slices.Equal(got.Row(y), want.Row(y)) {
				t.Errorf("orientation %d: the box %v holds other pixels", turn, s)
				break
			}
		}
	}
}

func TestSupers(t *testing.T) {
	n := 0
	for _, c := range supers {
		n += len(c)
	}
	if len(supers) != 12 || n != 80 {
		t.Errorf("%d categories in %d super-categories", n, len(supers))
	}
	names := []string{unnamed, "Bottle", "Car", "Coffee cup", "clock"}
	got, err := wanted(names, map[string]string{"Car": "Vehicle"}, map[string]string{"clock": "furniture"}, []string{"CAR"}, []string{"Kitchen", "furniture"})
	if err != nil || !slices.Equal(got, []string{"Car", "Bottle", "Coffee cup", "clock"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := wanted(names, nil, map[string]string{"clock": "furniture"}, nil, []string{"indoor"}); err == nil {
		t.Error("the file's super-category does not come first")
	}
}

// TestPageIsSafe shows hostile names as text.
func TestPageIsSafe(t *testing.T) {
	r := &Result{root: t.TempDir(), o: options(), Records: []Record{{Picture: `<img src=x>.jpg`, Width: 4, Height: 3, Orientation: 6,
		Boxes: []Box{{Box: [4]float64{0, 0, 2, 2}, Class: `"><script>`, Score: 0.2, Doubts: []string{"weak", "weak"}}}}}}
	r.Records[0].Boxes = append(r.Records[0].Boxes, r.Records[0].Boxes[0])
	var b bytes.Buffer
	if err := r.WriteHTML(&b, "a.set"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<img src=x", "<script", "ZgotmplZ", "http"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q stands in the page", bad)
		}
	}
	if !strings.Contains(b.String(), "2 × ") {
		t.Error("what is said twice is not said once")
	}
	small := capture.NewImage(1000, 10)
	if im := shrink(small); im.W > thumbSide || im.H < 1 {
		t.Errorf("%d×%d", im.W, im.H)
	}
}

// TestGroupsThatShareAPictureAreOne keeps together what any label of a picture says belongs together.
func TestGroupsThatShareAPictureAreOne(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"} {
		put(t, filepath.Join(root, name), nil)
	}
	put(t, filepath.Join(root, "l.csv"), []byte("path,class,group\na.jpg,x,g3\na.jpg,x,g2\nb.jpg,x,g2\nc.jpg,x,g2\nc.jpg,x,g1\nd.jpg,x,g4\ne.jpg,x,\n"))
	l, err := labels.Open(filepath.Join(root, "l.csv"), labels.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, it := range grouped(l).Items {
		got = append(got, it.Group)
	}
	if want := []string{"g1", "g1", "g1", "g4", "e.jpg"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
