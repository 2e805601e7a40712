package labels

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// household is a label file of AI-Hub's household waste (생활 폐기물 이미지). Every value of Bounding is text; public readers of
// the set disagree on the rest, so numbers are taken either way.
type household struct {
	File       string                       `json:"FILE NAME"`
	Resolution string                       `json:"RESOLUTION"` // width*height
	Bounding   []map[string]json.RawMessage `json:"Bounding"`
}

// sister is a label file of AI-Hub's recyclables (재활용품 분류 및 선별).
type sister struct {
	Image struct {
		File   string `json:"FILE_NAME"`
		Width  number `json:"IMAGE_WIDTH"`
		Height number `json:"IMAGE_HEIGHT"`
	} `json:"IMAGE_INFO"`
	Annotations []map[string]json.RawMessage `json:"ANNOTATION_INFO"`
}

// number is a number that may be written as text.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.TrimSpace(strings.Trim(string(b), `"`)), 64)
	*n = number(f)
	return err
}

// aihub reads one label file of either set.
func (l *List) aihub(t *tree, label string, b []byte) error {
	b, recoded, err := decode(b)
	if err != nil {
		return err
	}
	var h household
	var s sister
	if err := json.Unmarshal(b, &h); err != nil {
		return fmt.Errorf("no label of AI-Hub's waste sets: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("no label of AI-Hub's waste sets: %w", err)
	}
	it := Item{}
	name := h.File
	switch {
	case s.Annotations != nil:
		name, it.Width, it.Height = s.Image.File, int(s.Image.Width), int(s.Image.Height)
	case h.Bounding != nil:
		fmt.Sscanf(h.Resolution, "%d*%d", &it.Width, &it.Height)
	default:
		return errors.New("neither Bounding nor ANNOTATION_INFO: no label of AI-Hub's waste sets")
	}
	if it.Picture, _, err = t.find(label, name); err != nil {
		var e error
		if it.Picture, _, e = t.find(label, strings.TrimSuffix(path.Base(label), path.Ext(label))+path.Ext(name)); e != nil {
			return fmt.Errorf("its picture %q is %w", name, err)
		}
	}
	// The folders are labels/large class/small class/session: what one session took stays together.
	if dir := path.Dir(label); dir != "." {
		it.Group = dir
	}
	if recoded {
		it.Problems = append(it.Problems, Problem{label, "file", "read as CP949", true})
	}
	for i, raw := range append(h.Bounding, s.Annotations...) {
		what := fmt.Sprintf("object %d", i+1)
		o, err := aihubObject(raw)
		if err != nil {
			it.Problems = append(it.Problems, Problem{label, what, err.Error(), false})
			continue
		}
		it.add(label, what, o)
	}
	l.Items = append(l.Items, it)
	return nil
}

// aihubObject reads one object of either set: its class, its box, and all else that is text as attributes.
func aihubObject(raw map[string]json.RawMessage) (o Object, err error) {
	text := func(k string) string {
		var s string
		if json.Unmarshal(raw[k], &s) != nil {
			s = string(raw[k])
		}
		return strings.TrimSpace(s)
	}
	for k := range raw {
		switch k {
		case "CLASS":
			o.Class = text(k)
		case "x1", "y1", "x2", "y2", "Drawing", "PolygonCount", "PolygonPoint", "POINTS", "BoundingCount":
		default:
			o.set(k, text(k))
		}
	}
	var b [4]float64
	switch {
	case raw["POINTS"] != nil:
		b, err = pointsBox(raw["POINTS"])
	case raw["PolygonPoint"] != nil:
		b, err = polygonBox(raw["PolygonPoint"])
	default:
		for i, k := range []string{"x1", "y1", "x2", "y2"} {
			if b[i], err = strconv.ParseFloat(text(k), 64); err != nil {
				return o, fmt.Errorf("%s is %q, no number", k, text(k))
			}
		}
	}
	o.Box = &b
	return o, err
}

// pointsBox is the box of the sister set's [[x y w h]].
func pointsBox(raw json.RawMessage) (b [4]float64, err error) {
	var p [][]number
	if err := json.Unmarshal(raw, &p); err != nil || len(p) == 0 || len(p[0]) != 4 {
		return b, fmt.Errorf("POINTS is %s, not [[x, y, width, height]]", raw)
	}
	x, y, w, h := float64(p[0][0]), float64(p[0][1]), float64(p[0][2]), float64(p[0][3])
	return [4]float64{x, y, x + w, y + h}, nil
}

// polygonBox is the box around the household set's [{"Point1":"x,y"} …].
func polygonBox(raw json.RawMessage) (b [4]float64, err error) {
	var points []map[string]string
	if err := json.Unmarshal(raw, &points); err != nil || len(points) == 0 {
		return b, errors.New("PolygonPoint is no list of points")
	}
	first := true
	for _, p := range points {
		for _, v := range p {
			xs, ys, _ := strings.Cut(v, ",")
			x, ex := strconv.ParseFloat(strings.TrimSpace(xs), 64)
			y, ey := strconv.ParseFloat(strings.TrimSpace(ys), 64)
			if ex != nil || ey != nil {
				return b, fmt.Errorf("the polygon's point %q is not x,y", v)
			}
			if first {
				b, first = [4]float64{x, y, x, y}, false
			}
			b = [4]float64{min(b[0], x), min(b[1], y), max(b[2], x), max(b[3], y)}
		}
	}
	return b, nil
}
