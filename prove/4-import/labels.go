package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// box is one object of a label file, read without the product.
type box struct {
	picture string // the path below the folder with images and labels
	label   string // the label file's
	class   string
	x0, y0  int // pixels of the stored picture
	x1, y1  int
}

// boxes reads every label file of a folder. Its values are text, and its files are UTF-8.
func boxes(root string) (all []box, err error) {
	pictures := map[string]string{}
	err = filepath.WalkDir(filepath.Join(root, "images"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, e := filepath.Rel(root, p)
			pictures[d.Name()], err = filepath.ToSlash(rel), e
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, filepath.WalkDir(filepath.Join(root, "labels"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.EqualFold(filepath.Ext(p), ".json") {
			return err
		}
		list, err := labelFile(p, pictures)
		for i := range list {
			if list[i].label, err = filepath.Rel(root, p); err != nil {
				return err
			}
		}
		all = append(all, list...)
		return err
	})
}

func labelFile(path string, pictures map[string]string) (list []box, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var l struct {
		File     string `json:"FILE NAME"`
		Bounding []object
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, o := range l.Bounding {
		v, err := o.box()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		v.picture = pictures[l.File]
		list = append(list, v)
	}
	return list, nil
}

// object is what is read of one object. A polygon has points, each under a name of its own, and no corners.
type object struct {
	CLASS, Drawing string
	X1             string `json:"x1"`
	Y1             string `json:"y1"`
	X2             string `json:"x2"`
	Y2             string `json:"y2"`
	PolygonPoint   []map[string]string
}

// box is the corners, or the smallest box that holds all points.
func (o object) box() (b box, err error) {
	points := []string{o.X1 + "," + o.Y1, o.X2 + "," + o.Y2}
	if o.Drawing == "POLYGON" {
		points = nil
		for i, p := range o.PolygonPoint {
			points = append(points, p[fmt.Sprintf("Point%d", i+1)])
		}
	}
	b = box{class: o.CLASS, x0: math.MaxInt, y0: math.MaxInt, x1: math.MinInt, y1: math.MinInt}
	for _, p := range points {
		var x, y int
		if n, err := fmt.Sscanf(p, "%d,%d", &x, &y); n != 2 || err != nil {
			return b, fmt.Errorf("the point %q: %w", p, err)
		}
		b.x0, b.y0, b.x1, b.y1 = min(b.x0, x), min(b.y0, y), max(b.x1, x), max(b.y1, y)
	}
	return b, nil
}

// part makes a folder with the labels and pictures of some boxes alone.
func part(root, dir string, list []box) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	to, err := os.MkdirTemp(dir, "part")
	if err != nil {
		return "", err
	}
	for _, b := range list {
		for _, p := range []string{b.picture, b.label} {
			at := filepath.Join(to, filepath.FromSlash(p))
			err := os.MkdirAll(filepath.Dir(at), 0o755)
			if err == nil {
				err = os.Symlink(filepath.Join(root, filepath.FromSlash(p)), at)
			}
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return "", err
			}
		}
	}
	return to, nil
}
