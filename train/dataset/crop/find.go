package crop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gleaner/capture"
	"gleaner/detect"
	"gleaner/train/dataset/exif"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/spot"
)

// finder is one worker's way from a picture to its objects.
type finder struct {
	ctx     context.Context
	o       *Options
	eye     *spot.Eye
	names   []string // by the detector's numbers
	sure    float64  // score from which the detector's maker takes an answer for right
	journal *journal
	wanted  []string          // labels that are looked for
	super   map[string]string // by label
}

var _ importer.Finder = (*finder)(nil)

// Find implements importer.Finder: the network sees the picture upright, and boxes are given as the picture is stored.
func (f *finder) Find(im capture.Image, turn int, it labels.Item) ([]labels.Object, error) {
	up := exif.Upright(im, turn)
	found, tiles, err := f.eye.Look(f.ctx, up)
	if err != nil {
		return nil, err
	}
	class, whose := "", ""
	if f.o.Label == LabelPicture {
		if class, whose = pictureClass(it); whose == "" {
			return nil, fmt.Errorf("%s: its label names no single class: use label=detector", it.Picture)
		}
	}
	rec := Record{Picture: it.Picture, Width: im.W, Height: im.H, Orientation: turn, Tiles: tiles}
	rec.Boxes = f.judge(found, up.W, up.H)
	var objects []labels.Object
	for i := range rec.Boxes {
		b := &rec.Boxes[i]
		b.Box = stored(b.Box, turn, im.W, im.H)
		if b.Kept {
			objects = append(objects, f.object(*b, class))
		}
	}
	rec.Marks = marks(it, f.wanted, rec.Boxes)
	return objects, f.journal.add(rec)
}

// object is a box as the set has it.
func (f *finder) object(b Box, class string) labels.Object {
	o := labels.Object{Box: &b.Box, Class: b.Class, Attributes: map[string]string{"score": strconv.FormatFloat(b.Score, 'f', 1, 64)}}
	if class != "" {
		o.Class, o.Attributes["detected"] = class, b.Class
	}
	if s := f.super[b.Class]; s != "" {
		o.Attributes["supercategory"] = s
	}
	return o
}

// pictureClass is the one class that a picture's label names.
func pictureClass(it labels.Item) (class, of string) {
	for _, o := range it.Objects {
		if class != "" && o.Class != class {
			return "", ""
		}
		class = o.Class
	}
	return class, class
}

// judge says which boxes are cut out, and which are doubtful and why. found is by falling score, in pixels of a w×h picture.
func (f *finder) judge(found []spot.Found, w, h int) []Box {
	all := make([]Box, 0, len(found))
	kept := 0
	for _, s := range found {
		b := Box{Box: [4]float64{float64(s.Box.X0), float64(s.Box.Y0), float64(s.Box.X1), float64(s.Box.Y1)}, Score: float64(s.Score),
			Class: "object", Kept: true}
		if s.Class >= 0 && s.Class < len(f.names) {
			b.Class = f.names[s.Class]
		}
		drop := func(why string) { b.Kept, b.Doubts = false, append(b.Doubts, why) }
		switch {
		case b.Score < f.o.Min:
			drop(fmt.Sprintf("weak: below %.2f", f.o.Min))
		case s.Cut:
			drop("cut off by a tile, and nowhere whole")
		case min(b.Box[2]-b.Box[0], b.Box[3]-b.Box[1]) < float64(f.o.MinSide):
			drop(fmt.Sprintf("small: its shorter side is below %d pixels", f.o.MinSide))
		case f.o.Most > 0 && kept >= f.o.Most:
			drop(fmt.Sprintf("beyond the %d likeliest", f.o.Most))
		default:
			kept++
			if b.Score < f.sure {
				b.Doubts = append(b.Doubts, fmt.Sprintf("not sure: below %.2f", f.sure))
			}
		}
		all = append(all, b)
	}
	for i := range all {
		if !all[i].Kept {
			continue
		}
		if atEdge(all[i].Box, w, h) {
			all[i].Doubts = append(all[i].Doubts, "at the picture's edge")
		}
		if with := overlapping(found, all, i); with != "" {
			all[i].Doubts = append(all[i].Doubts, "overlaps "+with)
		}
	}
	return all
}

// atEdge tells whether a box goes up to the picture's edge: there may be more of the object.
func atEdge(b [4]float64, w, h int) bool {
	near := max(2, 0.005*float64(max(w, h)))
	return b[0] < near || b[1] < near || float64(w)-b[2] < near || float64(h)-b[3] < near
}

// overlapping names another box that is cut out and has too much in common with box i: two classes for one thing, or two boxes.
func overlapping(found []spot.Found, all []Box, i int) string {
	for k := range all {
		if k == i || !all[k].Kept {
			continue
		}
		same := all[k].Class == all[i].Class
		if found[k].Box.IoU(found[i].Box) > 0.4 || same && found[k].Box.IoS(found[i].Box) > spot.PartIoS {
			return fmt.Sprintf("%s %.2f", all[k].Class, all[k].Score)
		}
	}
	return ""
}

// stored takes a box from the upright picture to the stored one, w×h, the inverse of exif.Upright.
func stored(b [4]float64, turn, w, h int) [4]float64 {
	if turn > 4 {
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	fw, fh := float64(w), float64(h)
	switch turn {
	case 2, 8:
		b[0], b[2] = fw-b[2], fw-b[0]
	case 4, 6:
		b[1], b[3] = fh-b[3], fh-b[1]
	case 3, 7:
		b = [4]float64{fw - b[2], fh - b[3], fw - b[0], fh - b[1]}
	}
	return b
}

// marks are the labelled boxes of an item whose class is wanted, each with the box that finds it: of its class, letter
// case aside, IoU at least 0.5, likelier boxes first, and each box for one mark, as COCO's evaluation does.
func marks(it labels.Item, wanted []string, boxes []Box) (all []Mark) {
	for _, ob := range it.Objects {
		if ob.Box == nil {
			continue
		}
		if k := slices.IndexFunc(wanted, func(l string) bool { return strings.EqualFold(l, ob.Class) }); k >= 0 {
			all = append(all, Mark{*ob.Box, wanted[k], -1})
		}
	}
	for i, b := range boxes {
		best, at := float32(0.5), -1
		for k, m := range all {
			if v := box(m.Box).IoU(box(b.Box)); m.By < 0 && m.Class == b.Class && v >= best {
				best, at = v, k
			}
		}
		if at >= 0 {
			all[at].By = i
		}
	}
	return all
}

func box(b [4]float64) detect.Box {
	return detect.Box{X0: float32(b[0]), Y0: float32(b[1]), X1: float32(b[2]), Y1: float32(b[3])}
}
