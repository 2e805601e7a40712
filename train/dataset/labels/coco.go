package labels

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// cocoFile is what is used of COCO's format for object detection (cocodataset.org, Data format). Each value is read by itself, so
// that an odd one stops no other.
type cocoFile struct {
	Images      []json.RawMessage `json:"images"`
	Annotations []json.RawMessage `json:"annotations"`
	Categories  []json.RawMessage `json:"categories"`
}

type cocoImage struct {
	ID     ident           `json:"id"`
	File   string          `json:"file_name"`
	Width  json.RawMessage `json:"width"`
	Height json.RawMessage `json:"height"`
}

type cocoAnnotation struct {
	ID       ident           `json:"id"`
	Image    ident           `json:"image_id"`
	Category ident           `json:"category_id"`
	Box      json.RawMessage `json:"bbox"` // x, y, width, height
	Crowd    json.RawMessage `json:"iscrowd"`
}

type cocoCategory struct {
	ID    ident  `json:"id"`
	Name  string `json:"name"`
	Super string `json:"supercategory"`
}

// ident is an id, which some programs write as text or as 790.0; empty for none.
type ident string

func (d *ident) UnmarshalJSON(b []byte) error {
	text := string(b)
	if text == "null" {
		return nil
	}
	if b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	} else if b[0] == '{' || b[0] == '[' {
		return fmt.Errorf("%.40s is no id", b)
	}
	text = strings.TrimSpace(text)
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		text = strconv.FormatInt(int64(f), 10)
	}
	*d = ident(text)
	return nil
}

// pixelsOf is a width or height; 0 where it is none.
func pixelsOf(raw json.RawMessage) int {
	var n number
	if json.Unmarshal(raw, &n) != nil || !(n > 0 && n < 1<<31) {
		return 0
	}
	return int(n)
}

// coco reads a COCO file. Crowds (many things in one box) are left out; the super-category is an attribute.
func (l *List) coco(t *tree, label string, b []byte) error {
	b, recoded, err := decode(b)
	if err != nil {
		return err
	}
	var c cocoFile
	if !json.Valid(b) {
		return fmt.Errorf("not valid JSON: %w", json.Unmarshal(b, &c))
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("no COCO file: %w", err)
	}
	if len(c.Categories) == 0 {
		return errors.New("no COCO file: it names no categories")
	}
	if recoded {
		l.Problems = append(l.Problems, Problem{label, "file", "read as CP949", true})
	}
	left := func(what, reason string) { l.Problems = append(l.Problems, Problem{label, what, reason, false}) }
	category := map[ident]cocoCategory{}
	for i, raw := range c.Categories {
		var k cocoCategory
		if err := json.Unmarshal(raw, &k); err != nil {
			left(fmt.Sprintf("category number %d", i+1), odd(err))
			continue
		}
		category[k.ID] = k
	}
	items, order := l.pictures(t, label, c.Images)
	for i, raw := range c.Annotations {
		l.annotation(label, i, raw, items, category)
	}
	for _, id := range order {
		if it := items[id]; it != nil {
			l.Items = append(l.Items, *it)
		}
	}
	return nil
}

// pictures finds the pictures of a COCO file, by their ids and in their order; nil is one that is left out.
func (l *List) pictures(t *tree, label string, images []json.RawMessage) (items map[ident]*Item, order []ident) {
	left := func(what, reason string) { l.Problems = append(l.Problems, Problem{label, what, reason, false}) }
	type place struct {
		cocoImage
		picture string
		same    int
		err     error
	}
	var all []place
	most := map[string]int{} // by picture
	for i, raw := range images {
		var p place
		if err := json.Unmarshal(raw, &p.cocoImage); err != nil {
			left(fmt.Sprintf("picture number %d", i+1), odd(err))
			continue
		}
		p.picture, p.same, p.err = t.find(label, p.File)
		all, most[p.picture] = append(all, p), max(most[p.picture], p.same)
	}
	items = map[ident]*Item{}
	files := map[ident]string{}
	for _, p := range all {
		if p.err == nil && p.same < most[p.picture] { // batch_2/1.jpg is not there, and batch_1/1.jpg is another's
			p.err = errNowhere
		}
		switch was, twice := files[p.ID]; {
		case twice && was != p.File:
			left("picture "+p.File, fmt.Sprintf("its id %q is that of %s as well: nobody knows of which the annotations are", p.ID, was))
			items[p.ID] = nil
		case twice:
		case p.err != nil:
			left("picture "+p.File, "it is "+p.err.Error())
			items[p.ID] = nil
		default:
			items[p.ID] = &Item{Picture: p.picture, Width: pixelsOf(p.Width), Height: pixelsOf(p.Height)}
			order = append(order, p.ID)
		}
		files[p.ID] = p.File
	}
	return items, order
}

// annotation adds annotation i, counted from 0, to its picture's item.
func (l *List) annotation(label string, i int, raw json.RawMessage, items map[ident]*Item, category map[ident]cocoCategory) {
	var a cocoAnnotation
	err := json.Unmarshal(raw, &a)
	what := "annotation " + cmp.Or(string(a.ID), fmt.Sprintf("number %d", i+1))
	it, known := items[a.Image]
	switch k, ok := category[a.Category]; {
	case err != nil:
		l.Problems = append(l.Problems, Problem{label, what, odd(err), false})
	case !known:
		l.Problems = append(l.Problems, Problem{label, what, fmt.Sprintf("its image_id %q is none of the file's images", a.Image), false})
	case it == nil: // said once, of the picture
	case !ok || len(a.Box) == 0 || string(a.Box) == "null" || string(a.Box) == "[]":
		it.Problems = append(it.Problems, Problem{label, what, "its category or its box is missing", false})
	case crowd(a.Crowd):
		it.Problems = append(it.Problems, Problem{label, what, "a crowd, not one object", false})
	default:
		var b []number
		if err := json.Unmarshal(a.Box, &b); err != nil || len(b) != 4 {
			it.Problems = append(it.Problems, Problem{label, what, fmt.Sprintf("its bbox is %.80s, not [x, y, width, height]", a.Box), false})
			return
		}
		x, y, w, h := float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3])
		o := Object{Class: k.Name, Box: &[4]float64{x, y, x + w, y + h}}
		o.set("supercategory", k.Super)
		it.add(label, what, o)
	}
}

// odd is what json says of a value, without Go's names.
func odd(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Sprintf("its %s is a JSON %s", cmp.Or(t.Field, "value"), t.Value)
	}
	return err.Error()
}

func crowd(raw json.RawMessage) bool {
	switch strings.Trim(string(raw), `"`) {
	case "", "0", "0.0", "false", "null":
		return false
	}
	return true
}
