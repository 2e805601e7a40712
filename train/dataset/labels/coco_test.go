package labels

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOddCOCOValues understands ids and numbers that are written as text, and lists every other odd value by itself.
func TestOddCOCOValues(t *testing.T) {
	text := `{"images":[{"id":790.0,"file_name":"a.jpg","width":"100","height":null},{"id":"b","file_name":"b.jpg"},{"id":[1],"file_name":"a.jpg"},{"id":9,"file_name":7}],
	"categories":[{"id":"1","name":"can"},{"id":2,"name":{}}],"annotations":[
	{"id":1,"image_id":"790","category_id":1,"bbox":["10","5","20","10"],"iscrowd":false},
	{"id":2,"image_id":790,"category_id":1.0,"bbox":[1,1,2,2],"segmentation":"odd"},
	{"id":3,"image_id":"b","category_id":"1","bbox":[0,0,3,3],"iscrowd":"0"},
	{"id":4,"image_id":790,"category_id":1,"bbox":["x","5","20","10"]},
	{"id":5,"image_id":790,"category_id":1,"bbox":"1,2,3,4"},
	{"id":6,"image_id":4711,"category_id":1,"bbox":[1,1,2,2]},
	{"id":7,"image_id":790,"category_id":2,"bbox":[1,1,2,2]},
	{"id":8,"image_id":{},"category_id":1,"bbox":[1,1,2,2]},
	{"image_id":null,"category_id":1,"bbox":[1,1,2,2]}, 7,
	{"id":11,"image_id":790,"category_id":1,"bbox":[3,3,2,2],"iscrowd":true}]}`
	l := open(t, files(t, map[string]string{"x.json": text, "a.jpg": "", "b.jpg": ""}), Options{})
	if want := []string{"a.jpg  can 10,5,30,15", "a.jpg  can 1,1,3,3", "b.jpg  can 0,0,3,3"}; l.Format != "coco" || !slices.Equal(said(l), want) {
		t.Errorf("%s: %q, want %q", l.Format, said(l), want)
	}
	want := []string{
		"x.json category number 2: its name is a JSON object (left out)",
		"x.json picture number 3: [1] is no id (left out)",
		"x.json picture number 4: its file_name is a JSON number (left out)",
		`x.json annotation 6: its image_id "4711" is none of the file's images (left out)`,
		"x.json annotation 8: {} is no id (left out)",
		`x.json annotation number 9: its image_id "" is none of the file's images (left out)`,
		"x.json annotation number 10: its value is a JSON number (left out)",
		`x.json annotation 4: its bbox is ["x","5","20","10"], not [x, y, width, height] (left out)`,
		`x.json annotation 5: its bbox is "1,2,3,4", not [x, y, width, height] (left out)`,
		"x.json annotation 7: its category or its box is missing (left out)",
		"x.json annotation 11: a crowd, not one object (left out)",
	}
	if got := problems(l); !slices.Equal(got, want) {
		t.Errorf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestJSONIsNoList says of a .json file that is cut short, or something else, what is wrong with it.
func TestJSONIsNoList(t *testing.T) {
	for text, want := range map[string]string{
		`{"images":[{"id":1,"file_name":"a.jpg"}],"annotations":[{"id":1,"ima`: "x.json: not valid JSON: unexpected end of JSON input",
		`{"annotations":[],"images":[]}`:                                       "x.json: no COCO file: it names no categories",
		`path,class`:                                                           "x.json: not valid JSON: invalid character 'p' looking for beginning of value",
		`[1,2]`:                                                                "x.json: no COCO file: ",
		`{"Bounding":[`:                                                        "x.json: no label of AI-Hub's waste sets: unexpected end of JSON input",
		`{"name":"a data set","version":1}`:                                    "x.json: no COCO file: it names no categories",
	} {
		_, err := Open(filepath.Join(files(t, map[string]string{"x.json": text, "a.jpg": ""}), "x.json"), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestPicturesOfOneName takes boxes from the picture that the label means where many folders have one of its name, and from none where
// that cannot be told.
func TestPicturesOfOneName(t *testing.T) {
	file := func(names ...string) string {
		var images, boxes []string
		for i, n := range names {
			images = append(images, fmt.Sprintf(`{"id":%d,"file_name":%q}`, i, n))
			boxes = append(boxes, fmt.Sprintf(`{"id":%d,"image_id":%d,"category_id":1,"bbox":[%d,0,4,4]}`, i, i, i))
		}
		return fmt.Sprintf(`{"images":[%s],"annotations":[%s],"categories":[{"id":1,"name":"can"}]}`, strings.Join(images, ","), strings.Join(boxes, ","))
	}
	nowhere := ": it is nowhere below the folder (left out)"
	for name, c := range map[string]struct {
		tree           map[string]string
		want, problems []string
	}{
		"batches": {map[string]string{"x.json": file("b1/1.jpg", "b2/1.jpg"), "b1/1.jpg": "", "b2/1.jpg": ""}, []string{"b1/1.jpg  can 0,0,4,4", "b2/1.jpg  can 1,0,5,4"}, nil},
		"a batch that is not there": {map[string]string{"x.json": file("b1/1.jpg", "b2/1.jpg"), "b1/1.jpg": ""}, []string{"b1/1.jpg  can 0,0,4,4"},
			[]string{"x.json picture b2/1.jpg" + nowhere}},
		"a subset's file": {map[string]string{"annotations/instances_val.json": file("1.jpg"), "annotations/instances_train.json": file("2.jpg", "1.jpg"),
			"images/train/1.jpg": "", "images/train/2.jpg": "", "images/val/1.jpg": ""},
			[]string{"images/train/1.jpg  can 1,0,5,4", "images/train/2.jpg  can 0,0,4,4", "images/val/1.jpg  can 0,0,4,4"}, nil},
		"beside the label": {map[string]string{"x.json": file("1.jpg"), "1.jpg": "", "old/1.jpg": ""}, []string{"1.jpg  can 0,0,4,4"}, nil},
		"case":             {map[string]string{"x.json": file("a.JPG", "B.jpg"), "a.JPG": "", "A.jpg": "", "b.JPG": ""}, []string{"a.JPG  can 0,0,4,4", "b.JPG  can 1,0,5,4"}, nil},
		"nobody knows": {map[string]string{"x.json": file("1.jpg"), "a/1.jpg": "", "b/1.jpg": ""}, nil,
			[]string{"x.json picture 1.jpg: it is one of 2 pictures of its name, and nothing says which: a/1.jpg, b/1.jpg (left out)"}},
		"Windows": {map[string]string{"x.json": file(`images\1\가.jpg`, `C:\d\2.jpg`), "images/1/가.jpg": "", "2.jpg": ""},
			[]string{"2.jpg  can 1,0,5,4", "images/1/가.jpg  can 0,0,4,4"}, nil},
		"one id": {map[string]string{"x.json": strings.Replace(file("1.jpg", "2.jpg"), `"id":1,"file`, `"id":0,"file`, 1), "1.jpg": "", "2.jpg": ""}, nil,
			[]string{`x.json picture 2.jpg: its id "0" is that of 1.jpg as well: nobody knows of which the annotations are (left out)`,
				`x.json annotation 1: its image_id "1" is none of the file's images (left out)`}},
		"one picture of two ids": {map[string]string{"x.json": file("1.jpg", "1.jpg"), "1.jpg": ""}, []string{"1.jpg  can 0,0,4,4", "1.jpg  can 1,0,5,4"}, nil},
	} {
		l := open(t, files(t, c.tree), Options{Format: "coco"})
		if !slices.Equal(said(l), c.want) || !slices.Equal(problems(l), c.problems) {
			t.Errorf("%s: %q, want %q; problems %q, want %q", name, said(l), c.want, problems(l), c.problems)
		}
	}
}
