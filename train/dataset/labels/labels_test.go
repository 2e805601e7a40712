package labels

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/korean"

	"gleaner/internal/shared"
)

// files writes files below a new folder and returns it.
func files(t testing.TB, content map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, c := range content {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(c), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func open(t testing.TB, root string, o Options) *List {
	t.Helper()
	l, err := Open(root, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// said is the list in short: picture, group, class and box of each object.
func said(l *List) (s []string) {
	for _, it := range l.Items {
		for _, o := range it.Objects {
			text := it.Picture + " " + cmp.Or(o.Group, it.Group) + " " + o.Class
			if o.Box != nil {
				text += fmt.Sprintf(" %g,%g,%g,%g", o.Box[0], o.Box[1], o.Box[2], o.Box[3])
			}
			s = append(s, text)
		}
	}
	return s
}

func problems(l *List) (all []string) {
	add := func(ps []Problem) {
		for _, p := range ps {
			mark := "left out"
			if p.Mended {
				mark = "mended"
			}
			all = append(all, p.Path+" "+p.What+": "+p.Reason+" ("+mark+")")
		}
	}
	add(l.Problems)
	for _, it := range l.Items {
		add(it.Problems)
	}
	return all
}

func TestFormats(t *testing.T) {
	cp949, err := korean.EUCKR.NewEncoder().String(`{"FILE NAME":"a.jpg","RESOLUTION":"100*50","Bounding":[{"CLASS":"유리병","DETAILS":"음료수병","Drawing":"BOX","x1":"10","y1":"5","x2":"40","y2":"45"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		files          map[string]string
		o              Options
		format         string
		want, problems []string
	}{
		{"a folder per class, with sessions", map[string]string{"can/1.jpg": "", "can/s1/2.JPG": "", "유리/x.png": "", "readme.txt": "", ".git/x.jpg": ""}, Options{},
			"folders", []string{"can/1.jpg  can", "can/s1/2.JPG can/s1 can", "유리/x.png  유리"}, nil},
		{"class in the name", map[string]string{"rain1.jpg": "", "sunrise_2.jpg": "", "12.jpg": ""}, Options{},
			"names", []string{"rain1.jpg  rain", "sunrise_2.jpg  sunrise"}, []string{"12.jpg file: its name does not say the class (left out)"}},
		{"a pattern with group and attribute", map[string]string{"p3-mask-dark.jpg": ""}, Options{Format: "names", Pattern: `^(?P<group>p\d+)-(?P<class>\w+)-(?P<light>\w+)`},
			"names", []string{"p3-mask-dark.jpg p3 mask"}, nil},
		{"COCO", map[string]string{"ann/instances.json": `{"images":[{"id":7,"file_name":"a.jpg","width":100,"height":50},{"id":8,"file_name":"gone.jpg"}],
			"annotations":[{"id":1,"image_id":7,"category_id":3,"bbox":[10,5,200,10]},{"id":2,"image_id":7,"category_id":3,"bbox":[0,0,9,9],"iscrowd":1},
			{"id":3,"image_id":7,"category_id":99,"bbox":[1,1,2,2]}],"categories":[{"id":3,"name":"clock","supercategory":"indoor"}]}`, "images/a.jpg": ""}, Options{},
			"coco", []string{"images/a.jpg  clock 10,5,100,15"}, []string{
				"ann/instances.json picture gone.jpg: it is nowhere below the folder (left out)",
				"ann/instances.json annotation 1: the box went past the edge and was cut there (mended)",
				"ann/instances.json annotation 2: a crowd, not one object (left out)",
				"ann/instances.json annotation 3: its category or its box is missing (left out)"}},
		{"AI-Hub, CP949, swapped corners, polygon, empty", map[string]string{"labels/x/a.Json": cp949, "images/x/a.jpg": "", "images/y/a.jpg": "", "labels/y/b.json": `{"FILE NAME":"b.jpg",
			"RESOLUTION":"100*50","Bounding":[{"CLASS":"캔류","x1":"40","y1":"45","x2":"10","y2":"5"},{"CLASS":"캔류","Drawing":"POLYGON","PolygonPoint":[{"Point1":"1,2"},{"Point2":"30,4"},{"Point3":"5,20"}]},
			{"CLASS":"캔류","x1":"4","y1":"4","x2":"4","y2":"9"},{"CLASS":"","x1":"1","y1":"1","x2":"4","y2":"9"},{"CLASS":"캔류","x1":"?","y1":"1","x2":"4","y2":"9"}]}`, "images/y/b.jpg": "",
			"labels/z/c.json": `{"FILE NAME":"c.jpg","Bounding":[]}`, "labels/z/d.json": `{`}, Options{},
			"aihub", []string{"images/x/a.jpg labels/x 유리병 10,5,40,45", "images/y/b.jpg labels/y 캔류 10,5,40,45", "images/y/b.jpg labels/y 캔류 1,2,30,20"}, []string{
				`labels/z/c.json file: its picture "c.jpg" is nowhere below the folder (left out)`, "labels/z/d.json file: no label of AI-Hub's waste sets: unexpected end of JSON input (left out)",
				"labels/x/a.Json file: read as CP949 (mended)", "labels/y/b.json object 1: corners swapped (mended)", "labels/y/b.json object 3: the box is empty (left out)",
				"labels/y/b.json object 4: it has no class (left out)", `labels/y/b.json object 5: x1 is "?", no number (left out)`}},
		{"the sister set", map[string]string{"l/a.json": `{"IMAGE_INFO":{"FILE_NAME":"a.jpg","IMAGE_WIDTH":100,"IMAGE_HEIGHT":"50"},"ANNOTATION_INFO":[{"CLASS":"금속캔","DETAILS":"철캔","DIRTINESS":"오염","POINTS":[[10,20,30,20]]}]}`, "i/a.jpg": ""}, Options{},
			"aihub", []string{"i/a.jpg l 금속캔 10,20,40,40"}, nil},
		{"a list with columns", map[string]string{"all.csv": "path,class,x0,y0,x1,y1,group,light\na.jpg,can,1,2,3,4,g1,dark\na.jpg,bag,,,,,,\nb.jpg,can,1,2,,,,\nno.jpg,can,,,,,,\n", "a.jpg": "", "b.jpg": ""}, Options{},
			"list", []string{"a.jpg g1 can 1,2,3,4", "a.jpg g1 bag"}, []string{
				"all.csv line 4: a box has four numbers: x0, y0, x1, y1 (left out)", `all.csv line 5: "no.jpg" is neither below the list's folder nor below the one above (left out)`}},
		{"groups of one picture", map[string]string{"all.csv": "path,class,x0,y0,x1,y1,group\na.jpg,can,1,2,3,4,g1\na.jpg,can,5,2,9,4,g2\na.jpg,bag,,,,,\nb.jpg,can,,,,,g2\n", "a.jpg": "", "b.jpg": ""},
			Options{}, "list", []string{"a.jpg g1 can 1,2,3,4", "a.jpg g2 can 5,2,9,4", "a.jpg g1 bag", "b.jpg g2 can"}, nil},
		{"lines that are blank, or in quotes", map[string]string{"all.csv": "\npath,class,note,x0,y0,x1,y1\n\na.jpg,can,\"two\n\nlines\",,,,\na.jpg,,,,,,\n\nno.jpg,can,,,,,\na.jpg\na.jpg,can,,5,1,2,3\n", "a.jpg": ""},
			Options{}, "list", []string{"a.jpg  can", "a.jpg  can 2,1,5,3"}, []string{`all.csv line 9: "no.jpg" is neither below the list's folder nor below the one above (left out)`,
				"all.csv line 10: 1 columns, and 7 are wanted: path, class, note, x0, y0, x1, y1 (left out)", "all.csv line 7: it has no class (left out)", "all.csv line 11: corners swapped (mended)"}},
		{"a class of spaces in a list", map[string]string{"all.csv": "path,class\na.jpg,\" \"\nb.jpg,can\n", "a.jpg": "", "b.jpg": ""}, Options{},
			"list", []string{"b.jpg  can"}, []string{"all.csv line 2: it has no class (left out)"}},
		{"a class of spaces in COCO", map[string]string{"a.json": `{"images":[{"id":7,"file_name":"a.jpg"}],"annotations":[{"id":1,"image_id":7,"category_id":3,"bbox":[1,1,2,2]}],
			"categories":[{"id":3,"name":" "}]}`, "a.jpg": ""}, Options{}, "coco", nil, []string{"a.json annotation 1: it has no class (left out)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, files(t, c.files), c.o)
			if l.Format != c.format || !slices.Equal(said(l), c.want) {
				t.Errorf("%s:\n%s\nwant %s:\n%s", l.Format, strings.Join(said(l), "\n"), c.format, strings.Join(c.want, "\n"))
			}
			if !slices.Equal(problems(l), c.problems) {
				t.Errorf("problems\n%s\nwant\n%s", strings.Join(problems(l), "\n"), strings.Join(c.problems, "\n"))
			}
		})
	}
}

func TestNothingToRead(t *testing.T) {
	var none *ErrNone
	if _, err := Open(files(t, map[string]string{"x.txt": "hello"}), Options{}); !errors.As(err, &none) {
		t.Errorf("a folder without pictures: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{Format: "yolo"}); err == nil || !strings.Contains(err.Error(), "coco") {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{Format: "names", Pattern: `(\w+)`}); err == nil {
		t.Error("a pattern without a class is taken")
	}
}

// TestAIHub reads the samples in the shape of the public set.
func TestAIHub(t *testing.T) {
	l := open(t, shared.Path(t, "data/aihub/composite"), Options{})
	n := 0
	for _, it := range l.Items {
		n += len(it.Objects)
	}
	// The one file that is no label is listed, and nothing else.
	if p := problems(l); n != 81 || len(l.Items) != 24 || len(p) != 1 || !strings.HasPrefix(p[0], "SOURCES_OF_TILES.json") {
		t.Errorf("%d objects in %d pictures, problems %v", n, len(l.Items), problems(l))
	}
	q := strings.Join(problems(open(t, shared.Path(t, "data/aihub/quirks"), Options{})), "\n")
	for _, want := range []string{"cp949.Json file: read as CP949 (mended)", "swapped.Json object 1: corners swapped (mended)",
		"out_of_range.Json object 1: the box went past the edge and was cut there (mended)", "zero_area.Json object 1: the box is empty (left out)"} {
		if !strings.Contains(q, want) {
			t.Errorf("nothing says %q:\n%s", want, q)
		}
	}
}

func TestCOCOSample(t *testing.T) {
	l := open(t, shared.Path(t, "data/coco"), Options{})
	n := 0
	for _, it := range l.Items {
		n += len(it.Objects) + len(it.Problems)
	}
	if len(l.Items) != 28 || n < 282 {
		t.Errorf("%d pictures, %d objects and problems", len(l.Items), n)
	}
}

func TestLists(t *testing.T) {
	if l := open(t, shared.Path(t, "data/lists/trashnet_val.txt"), Options{}); len(l.Items) < 400 || len(l.Problems) > 0 {
		t.Errorf("%d pictures, problems %v", len(l.Items), l.Problems)
	}
}

func TestMap(t *testing.T) {
	m, err := ParseMap([]byte("rules:\n  - when: {DIRTINESS: [오염]}\n    class: general\n  - when: {CLASS: [의류]}\n    class: drop\n" +
		"classes:\n  glass: [유리병, 유리병류]\n  can: [철캔]\nby: [DETAILS]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Object
		want string
		err  bool
	}{
		{Object{Class: "유리병류"}, "glass", false},
		{Object{Class: "glass"}, "glass", false},
		{Object{Class: "유리병", Attributes: map[string]string{"DIRTINESS": "오염"}}, "general", false},
		{Object{Class: "금속캔", Attributes: map[string]string{"DETAILS": "철캔"}}, "can", false},
		{Object{Class: "의류"}, "", false},
		{Object{Class: "종이"}, "", true},
	} {
		got, err := m.Class(c.o)
		var un *Unmapped
		if got != c.want || errors.As(err, &un) != c.err {
			t.Errorf("%+v: %q, %v", c.o, got, err)
		}
	}
	for name, text := range map[string]string{"empty": "", "twice": "classes: {a: [x], b: [x]}", "unknown key": "klasses: {a: [x]}", "half a rule": "rules: [{class: a}]"} {
		if _, err := ParseMap([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestOddMapsAreToldInWords: who writes a label map knows its keys, and nothing of the program's types.
func TestOddMapsAreToldInWords(t *testing.T) {
	for text, want := range map[string]string{
		"container: [glass]":            "line 1: container: not one of rules, classes, by, others; such as classes: {container: [glass, metal]}",
		"rules: [{if: {a: [b]}}]":       "line 1: if: not one of when, class; such as",
		"classes: {container: glass}":   "into a list; such as",
		"classes: [glass]":              "into lists with names; such as",
		"rules: {when: {a: [b]}}":       "into a list of rules; such as",
		"klasses: {}\nothers: [a, b]\n": "line 1: klasses: not one of rules, classes, by, others; line 2: ",
	} {
		if _, err := ParseMap([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "labels.") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestBytesThatAreNoText lists files whose bytes are neither UTF-8 nor CP949, and reads the others.
func TestBytesThatAreNoText(t *testing.T) {
	root := files(t, map[string]string{"a.csv": "path,class\np.jpg,can\np.jpg,\xff\xff\xfe\x80\n", "b.csv": "path,class\np.jpg,\xc0\xaf\n", "c.csv": "path,class\np.jpg,\xc4", "p.jpg": ""})
	l := open(t, root, Options{})
	if want := []string{"p.jpg  유"}; !slices.Equal(said(l), want) {
		t.Errorf("%q, want %q", said(l), want)
	}
	want := []string{"a.csv file: neither UTF-8 nor CP949: line 3 has bytes that are no letter in either (left out)",
		"c.csv file: neither UTF-8 nor CP949: line 2 has bytes that are no letter in either (left out)"}
	if got := problems(l); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := Open(filepath.Join(root, "a.csv"), Options{}); err == nil || !strings.Contains(err.Error(), "neither UTF-8 nor CP949") {
		t.Errorf("the list by itself: %v", err)
	}
	coco := "{\"images\":[{\"id\":1,\"file_name\":\"p.jpg\"}],\n\"annotations\":[{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,1,1]}],\"categories\":[{\"id\":1,\"name\":\""
	l = open(t, files(t, map[string]string{"a.json": coco + "\xff\xfe\"}]}", "b.json": coco + "\xc0\xaf\"}]}", "p.jpg": ""}), Options{Format: "coco"})
	want = []string{"a.json file: neither UTF-8 nor CP949: line 2 has bytes that are no letter in either (left out)", "b.json file: read as CP949 (mended)"}
	if got := problems(l); !slices.Equal(got, want) || !slices.Equal(said(l), []string{"p.jpg  유 0,0,1,1"}) {
		t.Errorf("%q of %q, want %q", got, said(l), want)
	}
	l = open(t, files(t, map[string]string{"p.json": "{\"FILE NAME\":\"p.jpg\",\"Bounding\":[{\"CLASS\":\"\xff\xfe\"}]}", "p.jpg": ""}), Options{Format: "aihub"})
	want = []string{"p.json file: neither UTF-8 nor CP949: line 1 has bytes that are no letter in either (left out)"}
	if got := problems(l); !slices.Equal(got, want) || len(said(l)) > 0 {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzLabels feeds label files of every format: whatever they hold, reading ends with a list or an error.
func FuzzLabels(f *testing.F) {
	f.Add("a.json", `{"FILE NAME":"p.jpg","RESOLUTION":"9*9","Bounding":[{"CLASS":"x","x1":"1","y1":"1","x2":"5","y2":"5"}]}`)
	f.Add("a.json", `{"IMAGE_INFO":{"FILE_NAME":"p.jpg"},"ANNOTATION_INFO":[{"CLASS":"x","POINTS":[[1,1,2,2]]}]}`)
	f.Add("a.json", `{"images":[{"id":1,"file_name":"p.jpg"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,0,1,1]}],"categories":[{"id":1,"name":"x"}]}`)
	f.Add("a.csv", "path,class,x0,y0,x1,y1\np.jpg,x,0,0,1,1\n")
	f.Add("a.csv", "p.jpg\tx\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		if name != "a.json" && name != "a.csv" {
			return
		}
		l, err := Open(files(t, map[string]string{name: text, "p.jpg": ""}), Options{})
		if err != nil {
			return
		}
		for _, it := range l.Items {
			for _, o := range it.Objects {
				if o.Class == "" || o.Box != nil && !(o.Box[0] < o.Box[2] && o.Box[1] < o.Box[3]) {
					t.Errorf("object %+v", o)
				}
			}
		}
	})
}

func FuzzMap(f *testing.F) {
	f.Add("rules:\n  - when: {A: [b]}\n    class: c\nclasses: {d: [e]}\nby: [F]\nothers: drop\n")
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := ParseMap([]byte(text)); err == nil {
			m.Class(Object{Class: "x", Attributes: map[string]string{"A": "b"}})
		}
	})
}
