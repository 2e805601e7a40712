package main

import (
	"fmt"
	"maps"
	"slices"

	"gleaner/capture"
	"gleaner/detect"
)

// tally counts one class, or all.
type tally struct {
	marked, found, wrong int
	iou                  float64 // sum over found
}

func (t tally) recall() float64    { return share(float64(t.found), t.marked) }
func (t tally) precision() float64 { return share(float64(t.found), t.found+t.wrong) }
func (t tally) meanIoU() float64   { return share(t.iou, t.found) }

func share(a float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return a / float64(n)
}

func (t *tally) add(o tally) {
	t.marked, t.found, t.wrong, t.iou = t.marked+o.marked, t.found+o.found, t.wrong+o.wrong, t.iou+o.iou
}

// naming gives the COCO class that a network's label means; empty where COCO has none.
type naming func(label string) string

func sameName(label string) string {
	if label == "???" {
		return ""
	}
	return label
}

// oidNames are the Open Images classes that mean the same as one of COCO's. Others (boots, cameras, boxes) are not
// marked in COCO, and "Table" there holds any table.
func oidNames(label string) string {
	return map[string]string{"Person": "person", "Bicycle": "bicycle", "Car": "car", "Chair": "chair", "Cattle": "cow",
		"Cat": "cat", "Dog": "dog", "Laptop": "laptop", "Computer mouse": "mouse", "Computer monitor": "tv",
		"Mug": "cup", "Coffee cup": "cup", "Bottle": "bottle", "Book": "book"}[label]
}

// score holds a network to the marks and prints a line per class.
func score(title string, n *net, photos []photo, name naming) (tally, error) {
	per := map[string]*tally{}
	knows := map[string]bool{}
	for _, l := range n.Labels() {
		knows[name(l)] = true
	}
	for _, p := range photos {
		var dets []detect.Detection
		err := frames("images:"+p.path, func(_ int, im capture.Image) (err error) {
			dets, err = n.see(im)
			return err
		})
		if err != nil {
			return tally{}, err
		}
		for _, class := range classes(p, n, dets, name) {
			if per[class] == nil {
				per[class] = &tally{}
			}
			if knows[class] {
				per[class].add(match(pick(dets, n, name, class), of(p.marks, class), 0.5, 0.02*p.w*p.h))
			}
		}
	}
	var all tally
	fmt.Println(title)
	for _, class := range slices.Sorted(maps.Keys(per)) {
		t := *per[class]
		if t == (tally{}) {
			continue
		}
		fmt.Printf("  %-15s %2d marked, recall %.2f, precision %.2f (%d right, %d wrong)\n", class, t.marked, t.recall(),
			t.precision(), t.found, t.wrong)
		all.add(t)
	}
	fmt.Printf("  %-15s %2d marked, recall %.2f, precision %.2f, mean IoU %.2f\n", "all", all.marked, all.recall(),
		all.precision(), all.meanIoU())
	return all, nil
}

// classes are those that a picture shows or that are seen in it.
func classes(p photo, n *net, dets []detect.Detection, name naming) []string {
	set := map[string]bool{}
	for _, m := range p.marks {
		set[m.class] = true
	}
	for _, d := range dets {
		set[name(n.Labels()[d.Class])] = true
	}
	delete(set, "")
	return slices.Sorted(maps.Keys(set))
}

func of(marks []mark, class string) []mark {
	return slices.DeleteFunc(slices.Clone(marks), func(m mark) bool { return m.class != class })
}

func pick(dets []detect.Detection, n *net, name naming, class string) []detect.Detection {
	return slices.DeleteFunc(slices.Clone(dets), func(d detect.Detection) bool { return name(n.Labels()[d.Class]) != class })
}

// match pairs detections, strongest first, with the marks they overlap most, as COCO's evaluation does at one IoU; a
// detection that matches none and is smaller than what is to be found is not counted.
func match(dets []detect.Detection, marks []mark, least, small float32) tally {
	var t tally
	taken := make([]bool, len(marks))
	for _, m := range marks {
		if !m.ignore {
			t.marked++
		}
	}
	for _, d := range dets {
		best, at := least, -1
		pardoned := false
		for i, m := range marks {
			v := d.Box.IoU(m.box)
			if m.ignore {
				// Of a crowd, a part is enough.
				pardoned = pardoned || v >= least || inside(d.Box, m.box) >= least
			} else if !taken[i] && v >= best {
				best, at = v, i
			}
		}
		switch {
		case at >= 0:
			taken[at] = true
			t.found++
			t.iou += float64(best)
		case !pardoned && d.Box.Area() >= small:
			t.wrong++
		}
	}
	return t
}

// inside is the share of a that lies in b.
func inside(a, b detect.Box) float32 {
	i := detect.Box{X0: max(a.X0, b.X0), Y0: max(a.Y0, b.Y0), X1: min(a.X1, b.X1), Y1: min(a.Y1, b.Y1)}
	return i.Area() / a.Area()
}
