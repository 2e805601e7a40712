package labels

import (
	"slices"
	"testing"
)

// TestGuess finds out the format of folders in which something strange lies about.
func TestGuess(t *testing.T) {
	tree := map[string]string{"can/1.jpg": "", "can/2.jpg": "", "bag/1.jpg": "", "bag/2.jpg": ""}
	four := []string{"bag/1.jpg  bag", "bag/2.jpg  bag", "can/1.jpg  can", "can/2.jpg  can"}
	coco := `{"images":[{"id":1,"file_name":"1.jpg"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,4,4]}],"categories":[{"id":1,"name":"cup"}]}`
	over := " file: not read: the lists name "
	for name, c := range map[string]struct {
		more           map[string]string
		format         string
		want, problems []string
	}{
		"a loose picture": {map[string]string{"loose.jpg": ""}, "folders", four,
			[]string{"loose.jpg file: it lies in no class's folder (--format names takes classes from names) (left out)"}},
		"browsers' names": {map[string]string{"can/3.JFIF": "", "can/4.jpe": ""}, "folders", append(slices.Clone(four), "can/3.JFIF  can", "can/4.jpe  can"), nil},
		"notes": {map[string]string{"notes.csv": "what,when\nwashed,May\n"}, "folders", four,
			[]string{"notes.csv" + over + "0 of 4 pictures, so the folders are taken for the classes (--format list reads it) (left out)"}},
		"a list of a few": {map[string]string{"some.csv": "path,class\ncan/1.jpg,dirty\n"}, "folders", four,
			[]string{"some.csv" + over + "1 of 4 pictures, so the folders are taken for the classes (--format list reads it) (left out)"}},
		"a list of half":         {map[string]string{"all.csv": "path,class\ncan/1.jpg,dirty\nbag/2.jpg,clean\n"}, "list", []string{"bag/2.jpg  clean", "can/1.jpg  dirty"}, nil},
		"a list of a few boxes":  {map[string]string{"some.csv": "path,class,x0,y0,x1,y1\ncan/1.jpg,cup,1,2,3,4\n"}, "list", []string{"can/1.jpg  cup 1,2,3,4"}, nil},
		"meta.json":              {map[string]string{"meta.json": `{"name":"waste"}`}, "folders", four, nil},
		"meta.json, like COCO":   {map[string]string{"meta.json": `{"categories":["can","bag"],"annotations":"by hand"}`}, "folders", four, nil},
		"meta.json, like AI-Hub": {map[string]string{"meta.json": `{"Bounding":"none"}`}, "folders", four, nil},
		"COCO of a few":          {map[string]string{"can/instances.json": coco}, "coco", []string{"can/1.jpg  cup 0,0,4,4"}, nil},
		"AI-Hub of a few":        {map[string]string{"can/1.json": `{"FILE NAME":"1.jpg","Bounding":[{"CLASS":"cup","x1":"0","y1":"0","x2":"4","y2":"4"}]}`}, "aihub", []string{"can/1.jpg can cup 0,0,4,4"}, nil},
	} {
		all := map[string]string{}
		for _, m := range []map[string]string{tree, c.more} {
			for f, text := range m {
				all[f] = text
			}
		}
		l := open(t, files(t, all), Options{})
		if l.Format != c.format || !slices.Equal(said(l), c.want) || !slices.Equal(problems(l), c.problems) {
			t.Errorf("%s: %s %q, want %s %q; problems %q, want %q", name, l.Format, said(l), c.format, c.want, problems(l), c.problems)
		}
	}
	// One folder of pictures is no class folder: the list is all that says what they are, however few it names.
	l := open(t, files(t, map[string]string{"images/1.jpg": "", "images/2.jpg": "", "images/3.jpg": "", "x.csv": "path,class\nimages/1.jpg,can\n"}), Options{})
	if l.Format != "list" || !slices.Equal(said(l), []string{"images/1.jpg  can"}) {
		t.Errorf("%s %q", l.Format, said(l))
	}
}

// TestPartsAreNoClasses takes classes from below train, val and test, where those hold class folders and there are no others.
func TestPartsAreNoClasses(t *testing.T) {
	for name, c := range map[string]struct {
		tree           []string
		want, problems []string
	}{
		"parts":             {[]string{"train/can/1.jpg", "Valid/can/1.jpg", "test/bag/s/1.jpg"}, []string{"Valid/can/1.jpg  can", "test/bag/s/1.jpg bag/s bag", "train/can/1.jpg  can"}, nil},
		"no class in one":   {[]string{"train/can/1.jpg", "test/1.jpg"}, []string{"train/can/1.jpg  can"}, []string{"test/1.jpg file: it lies in no class's folder (--format names takes classes from names) (left out)"}},
		"vehicles":          {[]string{"train/a/1.jpg", "tram/a/1.jpg"}, []string{"train/a/1.jpg train/a train", "tram/a/1.jpg tram/a tram"}, nil},
		"no class anywhere": {[]string{"train/1.jpg", "test/1.jpg"}, []string{"test/1.jpg  test", "train/1.jpg  train"}, nil},
	} {
		all := map[string]string{}
		for _, f := range c.tree {
			all[f] = ""
		}
		l := open(t, files(t, all), Options{})
		if !slices.Equal(said(l), c.want) || !slices.Equal(problems(l), c.problems) {
			t.Errorf("%s: %q, want %q; problems %q, want %q", name, said(l), c.want, problems(l), c.problems)
		}
	}
}
