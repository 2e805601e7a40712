package labels

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// cocoFile is what is used of COCO's format for object detection (cocodataset.org, Data format).
type cocoFile struct {
	Images []struct {
		ID     int64  `json:"id"`
		File   string `json:"file_name"`
		Width  int    `json:"width"`
		Height int    `json:"height"`
	} `json:"images"`
	Annotations []struct {
		ID       int64     `json:"id"`
		Image    int64     `json:"image_id"`
		Category int64     `json:"category_id"`
		Box      []float64 `json:"bbox"` // x, y, width, height
		Crowd    int       `json:"iscrowd"`
	} `json:"annotations"`
	Categories []struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Super string `json:"supercategory"`
	} `json:"categories"`
}

// coco reads a COCO file. Crowds (many things in one box) are left out; the super-category is an attribute.
func (l *List) coco(t *tree, label string, b []byte) error {
	b, recoded, err := decode(b)
	if err != nil {
		return err
	}
	var c cocoFile
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("no COCO file: %w", err)
	}
	if len(c.Categories) == 0 {
		return fmt.Errorf("no COCO file: it names no categories")
	}
	if recoded {
		l.Problems = append(l.Problems, Problem{label, "file", "read as CP949", true})
	}
	category := map[int64]int{}
	for i, k := range c.Categories {
		category[k.ID] = i
	}
	items := map[int64]*Item{}
	for _, im := range c.Images {
		p, found := t.find(label, im.File)
		if !found {
			l.Problems = append(l.Problems, Problem{label, "picture " + im.File, "it is nowhere below the folder", false})
			continue
		}
		items[im.ID] = &Item{Picture: p, Width: im.Width, Height: im.Height}
	}
	for _, a := range c.Annotations {
		it, k, what := items[a.Image], -1, "annotation "+strconv.FormatInt(a.ID, 10)
		if n, ok := category[a.Category]; ok {
			k = n
		}
		switch {
		case it == nil: // said once, above
		case k < 0 || len(a.Box) != 4:
			it.Problems = append(it.Problems, Problem{label, what, "its category or its box is missing", false})
		case a.Crowd != 0:
			it.Problems = append(it.Problems, Problem{label, what, "a crowd, not one object", false})
		default:
			o := Object{Class: c.Categories[k].Name, Box: &[4]float64{a.Box[0], a.Box[1], a.Box[0] + a.Box[2], a.Box[1] + a.Box[3]}}
			o.set("supercategory", c.Categories[k].Super)
			it.add(label, what, o)
		}
	}
	for _, im := range c.Images {
		if it := items[im.ID]; it != nil {
			l.Items = append(l.Items, *it)
		}
	}
	return nil
}
