package labels

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestListsAsTheyAreWritten reads lists as spreadsheets and people write them, and lists each line that says nothing certain.
func TestListsAsTheyAreWritten(t *testing.T) {
	boxed := []string{"a.jpg  can 1,2,3,4"}
	two := []string{"a.jpg  can", "b.jpg  bag"}
	for name, c := range map[string]struct {
		text           string
		want, problems []string
	}{
		"a header with spaces":            {"path, class, x0, y0, x1, y1\na.jpg, can, 1, 2, 3, 4\n", boxed, nil},
		"a header with capitals":          {"Path,CLASS,X0,Y0,X1,Y1\na.jpg,can,1,2,3,4\n", boxed, nil},
		"TensorFlow's columns":            {"filename,class,xmin,ymin,xmax,ymax\na.jpg,can,1,2,3,4\n", boxed, nil},
		"boxes as VOC has them":           {"path,class,XMin,YMin,XMax,YMax\na.jpg,can,1,2,3,4\n", boxed, nil},
		"a filename beside a path":        {"filename,path,class\nx,a.jpg,can\ny,b.jpg,bag\n", two, nil},
		"a header in quotes":              {`"path","class"` + "\na.jpg,can\nb.jpg,bag\n", two, nil},
		"semicolons":                      {"path;class;x0;y0;x1;y1\na.jpg;can;1;2;3;4\n", boxed, nil},
		"semicolons, no header":           {"a.jpg;can\nb.jpg;bag\n", two, nil},
		"a comma in a semicolons' header": {"path;class;note, if any\na.jpg;can;x\nb.jpg;bag;y\n", two, nil},
		"commas at the end":               {"path,class\na.jpg,can,,\nb.jpg,bag, \n", two, nil},
		"more columns than names":         {"path,class\na.jpg,can,1,2,3,4\nb.jpg,bag\n", two[1:], []string{"x.csv line 2: 6 columns, and 2 are wanted: path, class (left out)"}},
		"boxes without a header":          {"a.jpg,can\nb.jpg,bag\nb.jpg,can,1,2,3,4\n", two, []string{"x.csv line 3: 6 columns, and 2 are wanted: path, class (left out)"}},
		"a quote that is not closed":      {"path,class\n\"a.jpg,can\nb.jpg,bag\na.jpg,can\n", two, []string{"x.csv line 2: a quote is not closed (left out)"}},
		"two of them": {"path,class\n\"b.jpg,can\n\n\"b.jpg,can\na.jpg,\"can\nb.jpg,bag\na.jpg,can", two, []string{"x.csv line 2: a quote is not closed (left out)",
			"x.csv line 4: a quote is not closed (left out)", "x.csv line 5: a quote is not closed (left out)"}},
		"one that a later quote closes": {"path,class\na.jpg,\"can\nb.jpg,\"bag\"\na.jpg,can", two, []string{"x.csv line 2: a quote is not closed (left out)"}},
		"inches":                        {"path,class,size\na.jpg,can,5\"\nb.jpg,bag,a 6\" one\n", two, nil},
		"one picture of two classes": {"path,class\na.jpg,can\nb.jpg,bag\na.jpg,bag\na.jpg,can\n", two, []string{`x.csv line 4: its class is "bag", and "can" in line 2 of x.csv (left out)`,
			"a.jpg line 5: labelled alike as line 2: taken once (mended)"}},
		"one box of two classes": {"path,class,x0,y0,x1,y1\na.jpg,can,1,2,3,4\na.jpg,bag,1,2,3,4\na.jpg,bag,1,2,3,5\n", []string{boxed[0], "a.jpg  bag 1,2,3,5"},
			[]string{`x.csv line 3: its class is "bag", and "can" in line 2 of x.csv (left out)`}},
		"a folder": {"path,class\nsub,can\na.jpg,can\nb.jpg,bag\n", two, []string{`x.csv line 2: "sub" is a folder (left out)`}},
	} {
		root := files(t, map[string]string{"x.csv": c.text, "a.jpg": "", "b.jpg": "", "sub/y.txt": ""})
		l := open(t, filepath.Join(root, "x.csv"), Options{})
		if !slices.Equal(said(l), c.want) || !slices.Equal(problems(l), c.problems) {
			t.Errorf("%s: %q, want %q; problems %q, want %q", name, said(l), c.want, problems(l), c.problems)
		}
	}
	l := open(t, files(t, map[string]string{"x.csv": "Path,Class,DIRTINESS\na.jpg,can,much\n", "a.jpg": ""}), Options{})
	if got := l.Items[0].Objects[0].Attributes["DIRTINESS"]; got != "much" {
		t.Errorf("an attribute's name is not as it stands: %v", l.Items[0].Objects[0].Attributes)
	}
	many := "path,class\n" + strings.Repeat("\"a.jpg,can\n", 102)
	if _, err := Open(filepath.Join(files(t, map[string]string{"x.csv": many, "a.jpg": ""}), "x.csv"), Options{}); err == nil || !strings.Contains(err.Error(), "more than 100") {
		t.Errorf("quotes without end: %v", err)
	}
}

// TestAbsolutePaths takes those of a list that lie where its others may lie, also through a link, and says of each other one why not.
func TestAbsolutePaths(t *testing.T) {
	root := files(t, map[string]string{"set/lists/x": "", "set/a.jpg": "", "set/lists/b.jpg": "", "set/c d/c.jpg": "", "far.jpg": ""})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	far, gone := filepath.Join(root, "far.jpg"), filepath.Join(root, "set", "gone.jpg")
	text := "path,class\n"
	for _, p := range []string{filepath.Join(root, "set/a.jpg"), filepath.Join(root, "set/lists/b.jpg"), filepath.Join(link, "set/c d/c.jpg"), far, gone} {
		text += p + ",can\n"
	}
	list := filepath.Join(root, "set", "lists", "x.csv")
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	why := []string{`line 5: "` + far + `" lies neither below `, `line 6: "` + gone + `" is not there (left out)`}
	for name, c := range map[string]struct {
		at   string
		want []string
	}{
		"the list":   {list, []string{"../a.jpg  can", "../c d/c.jpg  can", "b.jpg  can"}},
		"the folder": {filepath.Join(root, "set"), []string{"a.jpg  can", "c d/c.jpg  can", "lists/b.jpg  can"}},
		"a link":     {filepath.Join(link, "set"), []string{"a.jpg  can", "c d/c.jpg  can", "lists/b.jpg  can"}},
	} {
		l := open(t, c.at, Options{})
		if p := problems(l); !slices.Equal(said(l), c.want) || len(p) != 2 || !strings.Contains(p[0], why[0]) || !strings.Contains(p[1], why[1]) {
			t.Errorf("%s: %q, want %q; problems %q", name, said(l), c.want, p)
		}
	}
}

// TestLabelledAlike takes what several files of a folder say alike once, and what differs in anything as often as it is said.
func TestLabelledAlike(t *testing.T) {
	coco := `{"images":[{"id":1,"file_name":"a.jpg"}],"annotations":[{"id":7,"image_id":1,"category_id":1,"bbox":[0,0,4,4]},{"id":8,"image_id":1,"category_id":1,"bbox":[0,0,4,5]}],
		"categories":[{"id":1,"name":"can"}]}`
	for name, c := range map[string]struct {
		tree           map[string]string
		want, problems []string
	}{
		"lists": {map[string]string{"all.csv": "path,class\na.jpg,can\nb.jpg,bag\n", "train.csv": "path,class\nb.jpg,bag\n", "a.jpg": "", "b.jpg": ""},
			[]string{"a.jpg  can", "b.jpg  bag"}, []string{"b.jpg line 2: labelled alike as line 3: taken once (mended)"}},
		"groups": {map[string]string{"all.csv": "path,class,group\na.jpg,can,1\na.jpg,can,2\n", "a.jpg": ""}, []string{"a.jpg 1 can", "a.jpg 2 can"}, nil},
		"COCO": {map[string]string{"instances.json": coco, "keypoints.json": coco, "a.jpg": ""}, []string{"a.jpg  can 0,0,4,4", "a.jpg  can 0,0,4,5"},
			[]string{"a.jpg annotation 7: labelled alike as annotation 7: taken once (mended)", "a.jpg annotation 8: labelled alike as annotation 8: taken once (mended)"}},
	} {
		l := open(t, files(t, c.tree), Options{})
		if !slices.Equal(said(l), c.want) || !slices.Equal(problems(l), c.problems) {
			t.Errorf("%s: %q, want %q; problems %q, want %q", name, said(l), c.want, problems(l), c.problems)
		}
	}
}

// TestPathsSpeltOtherwise finds pictures whose paths a list writes as Windows, a Mac or a person does.
func TestPathsSpeltOtherwise(t *testing.T) {
	root := files(t, map[string]string{"can/1.JPG": "", norm.NFD.String("can/가나.jpg"): "", "can/a.png": "", "can/A.png": "",
		"x.csv": "path,class\ncan\\1.JPG,can\nCan/가나.jpg,can\ncan/A.PNG,can\ncan/a.png,can\n"})
	l := open(t, filepath.Join(root, "x.csv"), Options{})
	want := []string{"can/1.JPG  can", "can/a.png  can", norm.NFD.String("can/가나.jpg") + "  can"}
	bad := []string{`x.csv line 4: "can/A.PNG" is neither below the list's folder nor below the one above (left out)`}
	if !slices.Equal(said(l), want) || !slices.Equal(problems(l), bad) {
		t.Errorf("%q, want %q; problems %q", said(l), want, problems(l))
	}
}
