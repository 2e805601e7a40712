package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/train/dataset/pack"
)

// line is one line of the import report, as data look shows it.
type line struct {
	Path, What, Reason string
	Mended             bool
}

// quirk is one awkward label: the examples it must give, box and class, in their order, and the lines that tell of it.
type quirk struct {
	name     string
	label    string // its file
	examples []box
	lines    []line
}

// quirky says what becomes of each, read off the label files by eye.
var quirky = []quirk{
	{"cp949", "labels/cp949.Json", []box{{class: "캔류", x0: 436, y0: 72, x1: 659, y1: 280}, {class: "종이류", x0: 738, y0: 183, x1: 1189, y1: 521},
		{class: "플라스틱류", x0: 965, y0: 586, x1: 1214, y1: 879}, {class: "유리병", x0: 58, y0: 513, x1: 357, y1: 787},
		{class: "유리병", x0: 87, y0: 171, x1: 302, y1: 453}},
		[]line{{"labels/cp949.Json", "file", "read as CP949", true}}},
	{"swapped", "labels/swapped.Json", []box{{class: "유리병", x0: 712, y0: 439, x1: 1128, y1: 751}, {class: "유리병", x0: 405, y0: 649, x1: 555, y1: 838},
		{class: "플라스틱류", x0: 435, y0: 450, x1: 520, y1: 599}},
		[]line{{"labels/swapped.Json", "object 1", "corners swapped", true}}},
	{"out_of_range", "labels/out_of_range.Json", []box{{class: "유리병", x0: 85, y0: 54, x1: 1280, y1: 312}, {class: "플라스틱류", x0: 27, y0: 697, x1: 226, y1: 916},
		{class: "유리병", x0: 730, y0: 359, x1: 947, y1: 583}, {class: "유리병", x0: 500, y0: 136, x1: 876, y1: 310}},
		[]line{{"labels/out_of_range.Json", "object 1", "the box went past the edge and was cut there", true}}},
	{"zero_area", "labels/zero_area.Json", []box{{class: "유리병", x0: 482, y0: 39, x1: 881, y1: 267}, {class: "유리병", x0: 635, y0: 340, x1: 763, y1: 603},
		{class: "종이류", x0: 217, y0: 559, x1: 620, y1: 861}},
		[]line{{"labels/zero_area.Json", "object 1", "the box is empty", false}}},
	{"exif_rotated", "labels/exif_rotated.Json", []box{{class: "종이류", x0: 513, y0: 539, x1: 599, y1: 719}, {class: "유리병", x0: 165, y0: 279, x1: 388, y1: 444},
		{class: "유리병", x0: 840, y0: 74, x1: 1067, y1: 344}, {class: "플라스틱류", x0: 714, y0: 379, x1: 959, y1: 631}},
		[]line{{"images/exif_rotated.jpg", "orientation", "stored turned (EXIF 6): cut as stored, then put upright", true}}},
	{"class_spelling", "labels/class_spelling.json", []box{{class: "유리병류", x0: 179, y0: 352, x1: 342, y1: 547}, {class: "유리병", x0: 565, y0: 595, x1: 914, y1: 813}},
		[]line{{"images/class_spelling.jpg", "class 유리병류", `perhaps "유리병" spelt otherwise: a label map joins them (--map)`, true}}},
}

// quirks imports the awkward labels and checks boxes, classes, pixels, and the lines of the report.
func quirks(root, dir string) (right, all int, err error) {
	set := filepath.Join(dir, "quirks.set")
	if _, err := bring(root, set); err != nil {
		return 0, 0, err
	}
	open, err := pack.Open(set)
	if err != nil {
		return 0, 0, err
	}
	defer open.Close()
	told, err := report(set)
	if err != nil {
		return 0, 0, err
	}
	wanted := 0
	for _, q := range quirky {
		wanted += len(q.lines)
		what := "ok"
		if err := errors.Join(q.cut(open, root, dir), q.told(told)); err != nil {
			what = "WRONG: " + err.Error()
		} else {
			right++
		}
		fmt.Printf("%-16s %s\n", q.name, what)
	}
	if len(told) != wanted {
		return right, len(quirky), fmt.Errorf("the report has %d lines, and %d things were to be told: %+v", len(told), wanted, told)
	}
	return right, len(quirky), joined(root, dir)
}

// report is what data look lists.
func report(set string) ([]line, error) {
	out, err := gleaner("data", "look", set, "--plain", "--json")
	if err != nil {
		return nil, err
	}
	var r struct{ Problems []line }
	return r.Problems, json.Unmarshal(out, &r)
}

// cut compares the examples of a picture, at their own size, with cuts of the stored picture; what is stored on its side is
// turned after the cut.
func (q quirk) cut(set *pack.Set, root, dir string) error {
	path := "images/" + q.name + ".jpg"
	file, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return err
	}
	d := cv.NewDecoder()
	defer d.Close()
	im, err := d.Decode(file)
	if err != nil {
		return err
	}
	var have []box
	for _, e := range set.Examples {
		if e.Source.Path == path {
			have = append(have, box{class: e.Class, x0: int(e.Box[0]), y0: int(e.Box[1]), x1: int(e.Box[2]), y1: int(e.Box[3])})
		}
	}
	if fmt.Sprint(have) != fmt.Sprint(q.examples) {
		return fmt.Errorf("examples %v, wanted %v", have, q.examples)
	}
	for _, b := range q.examples {
		b.picture, b.label = path, q.label
		if err := q.pixels(b, im, root, dir); err != nil {
			return err
		}
	}
	return nil
}

// pixels imports the picture once more, at the size of one box, and compares that.
func (q quirk) pixels(b box, im capture.Image, root, dir string) error {
	side := max(b.x1-b.x0, b.y1-b.y0)
	few, err := part(root, dir, []box{b})
	if err != nil {
		return err
	}
	path := few + ".set"
	defer os.Remove(path)
	if _, err := bring(few, path, fmt.Sprintf("--size=%d", side)); err != nil {
		return err
	}
	set, err := pack.Open(path)
	if err != nil {
		return err
	}
	defer set.Close()
	pix := make([]byte, set.Format.Bytes())
	if err := crop(set, b, pix); err != nil {
		return err
	}
	if q.name == "exif_rotated" {
		im = turned(capture.Image{Pix: im.Pix[b.y0*im.Stride+3*b.x0:], Stride: im.Stride, W: b.x1 - b.x0, H: b.y1 - b.y0})
		b = box{x1: im.W, y1: im.H}
	}
	if !bytes.Equal(pix, padded(im, b, side)) {
		return fmt.Errorf("%+v: not the pixels of its box", b)
	}
	return nil
}

// told looks for the lines of a quirk in the report.
func (q quirk) told(report []line) error {
	for _, want := range q.lines {
		n := 0
		for _, l := range report {
			if l == want {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%d lines %+v in the report", n, want)
		}
	}
	return nil
}

// joined imports once more with a label map that joins the two spellings: one class, and no word about it.
func joined(root, dir string) error {
	file := filepath.Join(dir, "map.yaml")
	if err := os.WriteFile(file, []byte("classes:\n  유리병: [유리병류]\n  종이류: []\n  캔류: []\n  플라스틱류: []\n"), 0o644); err != nil {
		return err
	}
	path := filepath.Join(dir, "joined.set")
	if _, err := bring(root, path, "--map="+file); err != nil {
		return err
	}
	told, err := report(path)
	if err != nil {
		return err
	}
	set, err := pack.Open(path)
	if err != nil {
		return err
	}
	defer set.Close()
	if names, _ := pack.Classes(set.Examples); len(names) != 4 {
		return fmt.Errorf("joined by a map: %v", names)
	}
	for _, l := range told {
		if l.Path == "images/class_spelling.jpg" {
			return fmt.Errorf("joined by a map: %+v", l)
		}
	}
	return nil
}
