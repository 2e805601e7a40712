package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/train/dataset/crop"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/spot"
)

// The large pictures: photos side by side, each in a cell of its own.
const (
	cell          = 640 // pixels; no photo is wider or higher
	columns, rows = 4, 3
	tiledTitle    = "2560×1920, with tiles"
)

// large puts the photos into large pictures and crops them with tiles and without. What counts is what counted in the photos.
func large(tmp string, photos *labels.List, d *spot.Detector) (with, without tally, err error) {
	dir := filepath.Join(tmp, "large")
	counting, err := mosaics(dir, photos)
	if err != nil {
		return with, without, err
	}
	list, err := crop.Pictures(dir, crop.LabelDetector, labels.Options{})
	if err != nil {
		return with, without, err
	}
	least := func(picture string, b [4]float64) bool { return counting[fmt.Sprintf("%s %.0f", picture, b)] }
	if with, err = cut(filepath.Join(tmp, "with.set"), list, d, crop.DefaultOptions(), tiledTitle, least); err != nil {
		return with, without, err
	}
	o := crop.DefaultOptions()
	o.Look.TileFrom = 0
	without, err = cut(filepath.Join(tmp, "without.set"), list, d, o, "2560×1920, without tiles", least)
	return with, without, err
}

// annotation is an object in COCO's format.
type annotation struct {
	ID       int        `json:"id"`
	Image    int        `json:"image_id"`
	Category int        `json:"category_id"`
	Box      [4]float64 `json:"bbox"`
}

// named is an entry of COCO's lists of images and categories.
type named struct {
	ID    int    `json:"id"`
	File  string `json:"file_name,omitempty"`
	Name  string `json:"name,omitempty"`
	Super string `json:"supercategory,omitempty"`
}

// mosaics draws the large pictures with their labels into a new folder, the last one perhaps with empty cells, and says which boxes
// count: those of at least share of their photo.
func mosaics(dir string, photos *labels.List) (map[string]bool, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	dec := cv.NewDecoder()
	defer dec.Close()
	var file struct {
		Images      []named      `json:"images"`
		Annotations []annotation `json:"annotations"`
		Categories  []named      `json:"categories"`
	}
	category, counting := map[string]int{}, map[string]bool{}
	var canvas capture.Image
	for i, it := range photos.Items {
		k := i % (columns * rows)
		name := fmt.Sprintf("%d.png", i/(columns*rows))
		if k == 0 {
			canvas = capture.NewImage(columns*cell, rows*cell)
			for p := range canvas.Pix {
				canvas.Pix[p] = 128
			}
			file.Images = append(file.Images, named{ID: i / (columns * rows), File: name})
		}
		raw, err := os.ReadFile(filepath.Join(photos.Root, filepath.FromSlash(it.Picture)))
		if err != nil {
			return nil, err
		}
		im, err := dec.Decode(raw)
		if err != nil {
			return nil, err
		}
		x0, y0 := k%columns*cell+(cell-im.W)/2, k/columns*cell+(cell-im.H)/2
		for y := range im.H {
			copy(canvas.Row(y0 + y)[3*x0:], im.Row(y))
		}
		for _, o := range it.Objects {
			if category[o.Class] == 0 {
				category[o.Class] = len(category) + 1
				file.Categories = append(file.Categories, named{ID: category[o.Class], Name: o.Class, Super: o.Attributes["supercategory"]})
			}
			b := [4]float64{o.Box[0] + float64(x0), o.Box[1] + float64(y0), o.Box[2] + float64(x0), o.Box[3] + float64(y0)}
			file.Annotations = append(file.Annotations, annotation{len(file.Annotations) + 1, i / (columns * rows), category[o.Class],
				[4]float64{b[0], b[1], b[2] - b[0], b[3] - b[1]}})
			if area(b) >= share*float64(im.W*im.H) {
				counting[fmt.Sprintf("%s %.0f", name, b)] = true
			}
		}
		if k == columns*rows-1 || i == len(photos.Items)-1 {
			if err := write(filepath.Join(dir, name), canvas); err != nil {
				return nil, err
			}
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	return counting, os.WriteFile(filepath.Join(dir, "instances.json"), text, 0o644)
}

func write(path string, im capture.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	return e.Encode(f, im.ToGo())
}
