package crop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// supers are COCO's 80 categories under their 12 super-categories, as the "categories" of its annotation files have them
// (cocodataset.org, instances_val2017.json).
var supers = map[string][]string{
	"person":     {"person"},
	"vehicle":    {"bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"},
	"outdoor":    {"traffic light", "fire hydrant", "stop sign", "parking meter", "bench"},
	"animal":     {"bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"},
	"accessory":  {"backpack", "umbrella", "handbag", "tie", "suitcase"},
	"sports":     {"frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket"},
	"kitchen":    {"bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl"},
	"food":       {"banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"},
	"furniture":  {"chair", "couch", "potted plant", "bed", "dining table", "toilet"},
	"electronic": {"tv", "laptop", "mouse", "remote", "keyboard", "cell phone"},
	"appliance":  {"microwave", "oven", "toaster", "sink", "refrigerator"},
	"indoor":     {"book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"},
}

// others puts classes of Open Images (storage.googleapis.com/openimages, class-descriptions-boxable.csv) that are none of
// COCO's, or have another name there, under COCO's super-categories. Which one is this project's choice.
var others = map[string]string{
	"vehicle": "vehicle", "cattle": "animal", "boot": "accessory", "high heels": "accessory", "footwear": "accessory",
	"desk": "furniture", "table": "furniture", "computer mouse": "electronic", "computer monitor": "electronic",
	"camera": "electronic", "mug": "kitchen", "coffee cup": "kitchen",
}

// superOf is COCO's super-category of a class, by either set's name for it; empty where there is none.
func superOf(class string) string {
	class = strings.ToLower(class)
	for super, classes := range supers {
		if slices.Contains(classes, class) {
			return super
		}
	}
	return others[class]
}

// wanted are the labels of a detector that classes or super-categories name, letter case aside; nil, every label, where
// neither names any. A label's super-category is the pictures' own where their labels state it (said, by class in lower
// case), and else what the bundle says or COCO does. A name that fits no label is an error.
func wanted(labels []string, bundle, said map[string]string, classes, superNames []string) ([]string, error) {
	if len(classes)+len(superNames) == 0 {
		return nil, nil
	}
	of := func(label string) []string {
		if s := said[strings.ToLower(label)]; s != "" {
			return []string{s}
		}
		return slices.DeleteFunc([]string{bundle[label], superOf(label)}, func(s string) bool { return s == "" })
	}
	var all []string
	take := func(kind, name string, fits func(label string) bool) error {
		found := false
		for _, l := range labels {
			if l != "" && l != unnamed && fits(l) {
				found = true
				if !slices.Contains(all, l) {
					all = append(all, l)
				}
			}
		}
		if !found {
			return fmt.Errorf("%s=%s: the detector knows no such thing; it knows %s", kind, name, known(labels, of))
		}
		return nil
	}
	for _, c := range classes {
		if err := take("classes", c, func(l string) bool { return strings.EqualFold(l, c) }); err != nil {
			return nil, err
		}
	}
	for _, s := range superNames {
		err := take("supercategories", s, func(l string) bool {
			return slices.ContainsFunc(of(l), func(have string) bool { return strings.EqualFold(have, s) })
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// unnamed is what label maps write for numbers that no class has.
const unnamed = "???"

// known lists labels by super-category for people.
func known(labels []string, of func(string) []string) string {
	by := map[string][]string{}
	for _, l := range labels {
		if l == "" || l == unnamed {
			continue
		}
		s := of(l)
		if len(s) == 0 {
			s = []string{"others"}
		}
		by[s[0]] = append(by[s[0]], l)
	}
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, s+" ("+strings.Join(by[s], ", ")+")")
	}
	return strings.Join(parts, ", ")
}
