package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/prove/internal/cases"
)

// bring is the command line of an import to a new set.
func (b *bench) bring(pictures string, more ...string) []string {
	return append([]string{"data", "import", pictures, "-o", b.fresh(".set"), "--size=24"}, more...)
}

// folders are places that hold nothing to import.
func (b *bench) folders() []cases.Case {
	p := stripes(24, 24, 1, true)
	secret := b.folder(map[string][]byte{"can/1.png": p, "bag/1.png": p})
	if err := os.Chmod(filepath.Join(secret, "bag"), 0); err != nil {
		panic(err)
	}
	loop := b.folder(map[string][]byte{"can/1.png": p, "bag/1.png": p})
	for from, to := range map[string]string{"can/again": "..", "can/2.png": "2.png", "bag/2.png": "nowhere.png"} {
		if err := os.Symlink(to, filepath.Join(loop, from)); err != nil {
			panic(err)
		}
	}
	broken := b.folder(map[string][]byte{"can/1.png": p[:40], "bag/2.jpg": []byte("no picture"), "bag/3.png": nil})
	unwritten := b.fresh(".set")
	return []cases.Case{
		cases.Refused("no such folder", []string{"nowhere", "no such file"}, b.bring(b.Path("nowhere"))...),
		cases.Refused("an empty folder", []string{"no labelled pictures", "one sub-folder per class"}, b.bring(b.folder(nil))...),
		cases.Refused("no pictures", []string{"no labelled pictures", "one sub-folder per class"}, b.bring(b.folder(map[string][]byte{"can/notes.doc": p, "x.pdf": p}))...),
		cases.Refused("names that say no class", []string{"not one example", "1.png", "its name does not say the class"}, b.bring(b.folder(map[string][]byte{"1.png": p, "2.png": p}))...),
		cases.Refused("pictures that cannot be read", []string{"not one example", "3 ", "bag/2.jpg", "not a picture"}, "data", "import", broken, "-o", unwritten),
		{Name: "and no set is left behind", Try: func() error { return nothing(unwritten) }},
		{Name: "a folder that may not be read", Try: func() error {
			return b.without(secret, "1 examples of 1 pictures", "1 left out (such as bag, file: a folder that may not be read")
		}},
		{Name: "a folder that may not be written", Try: func() error {
			return b.nobody(cases.BadInput, []string{filepath.Base(b.Dir), "permission denied"}, b.bring(b.good)...)
		}},
		b.taken("links that lead nowhere, round in circles, or to folders", loop, 2, []string{"can/2.png: file: ", "bag/2.png: file: ", "can/again: file: a link to a folder"}),
		b.taken("pictures of kinds that are not read", b.folder(map[string][]byte{"can/1.png": p, "bag/1.png": p, "bag/2.heic": p, "bag/3.TIFF": p}), 2,
			[]string{"bag/2.heic: file: ", "bag/3.TIFF: file: "}),
		b.taken("one class", b.folder(map[string][]byte{"can/1.png": p, "can/2.png": stripes(24, 24, 2, true)}), 2, nil),
		b.taken("a class with one picture", b.folder(map[string][]byte{"can/1.png": p, "can/2.png": stripes(24, 24, 2, true), "bag/1.png": p}), 3, nil),
		{Name: "looking at one class", Try: func() error {
			return b.looked(b.folder(map[string][]byte{"can/1.png": p, "can/2.png": stripes(24, 24, 2, true)}), "at least two classes")
		}},
		{Name: "looking at a class with one picture", Try: func() error {
			return b.looked(b.folder(map[string][]byte{"can/1.png": p, "can/2.png": stripes(24, 24, 2, true), "bag/1.png": p}), `"bag" has 1 pictures: take at least 20`)
		}},
		{Name: "looking at a class spelt in two ways", Try: func() error {
			return b.looked(b.folder(map[string][]byte{"Can/1.png": p, "can/2.png": stripes(24, 24, 2, true), "bag/1.png": p}), `"can" looks like "Can" spelt otherwise`)
		}},
	}
}

// nothing checks that a path has no file, nor SQLite's files beside it.
func nothing(path string) error {
	found, err := filepath.Glob(path + "*")
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("left: %s", found)
	}
	return err
}

// nobody runs the program as a user who may do nothing.
func (b *bench) nobody(code int, want []string, args ...string) error {
	is, _, errs, err := b.asNobody(args...)
	if err != nil {
		return err
	}
	return cases.Told(is, errs, code, 0, want)
}

// asNobody runs the program for a user without rights; who is not root is such a one.
func (b *bench) asNobody(args ...string) (code int, out, errs string, err error) {
	program, err := filepath.Abs("bin/gleaner")
	if err != nil || os.Getuid() != 0 {
		return cases.Execute(program, args...)
	}
	return cases.Execute("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", program}, args...)...)
}

// without imports pictures for a user without rights, into a folder that all may write: that works, and says what is wanted.
func (b *bench) without(pictures string, want ...string) error {
	open := b.folder(nil)
	if err := os.Chmod(open, 0o777); err != nil {
		return err
	}
	code, out, errs, err := b.asNobody("data", "import", pictures, "-o", filepath.Join(open, "a.set"), "--size=24")
	if err != nil || code != 0 {
		return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			return fmt.Errorf("%q is not in %q", w, out)
		}
	}
	return nil
}

// looked imports a folder and looks at it, label errors included: that works, and says what is wanted.
func (b *bench) looked(pictures, want string) error {
	set := b.fresh(".set")
	if code, errs, err := cases.Gleaner("data", "import", pictures, "-o", set, "--size=24"); err != nil || code != 0 {
		return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
	}
	code, out, errs, err := cases.Execute("bin/gleaner", "data", "look", set)
	if err != nil || code != 0 || errs != "" || !strings.Contains(out, want) {
		return fmt.Errorf("exit code %d, %v: %s%s", code, err, errs, out)
	}
	if _, err := os.Stat(set + ".html"); err != nil {
		return err
	}
	return nil
}

// labels are label files with holes.
func (b *bench) labels() []cases.Case {
	p := stripes(1280/8, 960/8, 1, true)
	household := func(bounding string) []byte {
		return []byte(`{"FILE NAME":"1.png","RESOLUTION":"160*120","Bounding":[` + bounding + `]}`)
	}
	object := func(class, x1 string) string {
		return fmt.Sprintf(`{"CLASS":%q,"DETAILS":"x","Drawing":"BOX","x1":%q,"y1":"10","x2":"60","y2":"70"}`, class, x1)
	}
	aihub := func(label string, more map[string][]byte) string {
		files := map[string][]byte{"images/1.png": p, "labels/1.Json": household(label), "images/9.png": p,
			"labels/9.json": []byte(strings.Replace(string(household(object("캔", "5"))), "1.png", "9.png", 1))}
		for name, data := range more {
			files[name] = data
		}
		return b.folder(files)
	}
	list := func(lines string) string {
		return b.folder(map[string][]byte{"1.png": p, "2.png": p, "list.csv": []byte("path,class,x0,y0,x1,y1\n" + lines)}) + "/list.csv"
	}
	coco := func(text string) string {
		return b.folder(map[string][]byte{"1.png": p, "a.json": []byte(text)})
	}
	return []cases.Case{
		b.taken("an empty label", aihub(object("", "5")+","+object("봉지", "5"), nil), 2, []string{"labels/1.Json: object 1: it has no class"}),
		b.taken("a label of spaces", aihub(object("  ", "5")+","+object("봉지", "5"), nil), 2, []string{"labels/1.Json: object 1: it has no class"}),
		b.taken("a label without objects", aihub("", nil), 1, []string{"nothing of it is used"}),
		b.taken("a label file of no bytes", aihub(object("봉지", "5"), map[string][]byte{"labels/2.json": nil}), 2, []string{"labels/2.json: file: "}),
		b.taken("a label file that is cut off", aihub(object("봉지", "5"), map[string][]byte{"labels/2.json": household(object("봉지", "5"))[:50]}), 2, []string{"labels/2.json: file: "}),
		b.taken("a label of a picture that is not there", aihub(object("봉지", "5"), map[string][]byte{"labels/2.json": []byte(`{"FILE NAME":"none.png","Bounding":[]}`)}), 2,
			[]string{`"none.png" is nowhere below the folder`}),
		b.taken("a corner that is no number", aihub(object("봉지", "NaN")+","+object("봉지", "many")+","+object("봉지", "1e999"), nil), 1,
			[]string{"object 1: a corner is no number", `object 2: x1 is "many", no number`, "object 3: "}),
		b.taken("a resolution that is not the picture's", aihub(strings.Repeat(object("봉지", "5"), 1), map[string][]byte{"images/1.png": stripes(100, 100, 1, true)}), 2,
			[]string{"the label speaks of 160×120 pixels, and the picture has 100×100"}),
		b.taken("a list with lines that are wrong", list("1.png,can,1,1,20,20\n2.png,,1,1,9,9\nnone.png,can,,,,\n1.png\n1.png,can,NaN,1,9,9\n1.png,can,1,1\n2.png,can,1,,9,9\n"), 1,
			[]string{"it has no class", `"none.png" is neither`, "1 columns, and 6 are wanted", "a corner is no number", "a box has four numbers"}),
		cases.Refused("a list of nothing", []string{"list.csv", "no labelled pictures"}, b.bring(list(""))...),
		cases.Refused("a list of pictures that are not there", []string{"not one example", "list.csv", `"none.png" is neither`}, b.bring(list("none.png,can,,,,\n"))...),
		cases.Refused("a COCO file without categories", []string{"a.json", "it names no categories"}, b.bring(coco(`{"images":[],"annotations":[],"categories":[]}`)+"/a.json")...),
		cases.Refused("a COCO file of nonsense", []string{"a.json", "no COCO file"}, b.bring(coco(`{"annotations":7,"categories":"x"}`)+"/a.json", "--format=coco")...),
		b.taken("COCO's boxes of wrong kinds", coco(`{"images":[{"id":1,"file_name":"1.png"},{"id":2,"file_name":"none.png"}],"categories":[{"id":1,"name":"can"}],
			"annotations":[{"id":7,"image_id":1,"category_id":1,"bbox":[1,2,30,40]},{"id":8,"image_id":1,"category_id":9,"bbox":[1,2,3,4]},{"id":9,"image_id":1,"category_id":1,"bbox":[1,2]},
			{"id":10,"image_id":1,"category_id":1,"bbox":[1,2,-9,4]},{"id":11,"image_id":2,"category_id":1,"bbox":[1,2,3,4]},{"id":12,"image_id":1,"category_id":1,"iscrowd":1,"bbox":[1,2,3,4]}]}`), 2,
			[]string{"annotation 8", "annotation 9", "corners swapped", "picture none.png", "a crowd"}),
	}
}

// maps are label maps that do not fit.
func (b *bench) maps() []cases.Case {
	with := func(name, text string, want ...string) cases.Case {
		file := b.File(b.fresh(".yaml"), []byte(text))
		return cases.Refused(name, want, b.bring(b.good, "--map="+file)...)
	}
	return []cases.Case{
		with("a label map that misses a class", "classes: {sack: [bag]}", `"캔"`, "add it to a list of classes", "others: drop"),
		with("a label map with another case", "classes: {sack: [Bag], can: [캔]}", `"bag"`, "add it to a list of classes"),
		with("a label map that goes in a circle", "classes: {bag: [캔], 캔: [bag]}", `"bag"`, `"캔"`, "in"),
		with("a label map that drops everything", "classes: {x: [y]}\nothers: drop", "not one example", "the label map drops it"),
		with("a label map of nonsense", "{[", "label map"),
		with("a label map with an unknown key", "class: {a: [b]}", "class"),
		with("a label map without classes", "by: [x]", "names no classes"),
		with("an empty label map", "", "names no classes"),
		with("a rule without a class", "rules: [{when: {x: [y]}}]", "rule 1 needs when and class"),
		cases.Refused("a label map that is not there", []string{"none.yaml", "no such file"}, b.bring(b.good, "--map="+b.Path("none.yaml"))...),
		cases.Refused("a label map that is a folder", []string{filepath.Base(b.good)}, b.bring(b.good, "--map="+b.good)...),
	}
}

// options are wrong flags.
func (b *bench) options() []cases.Case {
	split := func(more ...string) []string {
		return append([]string{"data", "split", b.set, "-o", b.fresh(".json")}, more...)
	}
	return []cases.Case{
		cases.Refused("no argument", []string{"data import --help"}, "data", "import"),
		cases.Refused("an unknown flag", []string{"--fast", "data import --help"}, b.bring(b.good, "--fast")...),
		cases.Refused("an unknown format", []string{`"voc"`, "folders", "aihub"}, b.bring(b.good, "--format=voc")...),
		cases.Refused("a format that the folder has not", []string{"no labelled pictures", "coco"}, b.bring(b.good, "--format=coco")...),
		cases.Refused("a pattern that is none", []string{"pattern"}, b.bring(b.good, "--format=names", "--pattern=(")...),
		cases.Refused("a pattern without a class", []string{"no group named class", "(?P<class>"}, b.bring(b.good, "--format=names", "--pattern=x")...),
		cases.Refused("a size of 0", []string{"0×0", "1 to 4096"}, b.bring(b.good, "--size=0")...),
		cases.Refused("a size beyond all", []string{"99999", "1 to 4096"}, b.bring(b.good, "--size=99999")...),
		cases.Refused("an unknown fit", []string{`"squash"`, "letterbox"}, b.bring(b.good, "--fit=squash")...),
		cases.Refused("a margin of NaN", []string{"margin NaN", "0 to 1"}, b.bring(b.good, "--margin=NaN")...),
		cases.Refused("a margin of 7", []string{"margin 7", "0 to 1"}, b.bring(b.good, "--margin=7")...),
		cases.Refused("a shortest side below 0", []string{"min-side", "-3"}, b.bring(b.good, "--min-side=-3")...),
		cases.Refused("boxes all too small", []string{"not one example", "its shorter side has 24 pixels, and 500 are wanted"}, b.bring(b.good, "--min-side=500")...),
		cases.Refused("a set in a folder that is not there", []string{"nowhere"}, "data", "import", b.good, "-o", b.Path("nowhere/a.set")),
		cases.Refused("a folder in place of a set", []string{b.good, "a folder"}, "data", "import", b.good, "-o", b.good),
		cases.Refused("shares of NaN", []string{"NaN"}, split("--shares=NaN,0.5")...),
		cases.Refused("shares that are more than all", []string{"at most 1"}, split("--shares=0.8,0.8")...),
		cases.Refused("a share below 0", []string{"-1"}, split("--shares=-1,0.8")...),
		cases.Refused("one share", []string{"at least two"}, split("--shares=1")...),
		cases.Refused("one fold", []string{"at least 2"}, split("--folds=1")...),
		cases.Refused("folds below 0", []string{"-3"}, split("--folds=-3")...),
		cases.Refused("more folds than pictures", []string{"99 folds", "fewer folds or more pictures"}, split("--folds=99")...),
		cases.Refused("a split in a folder that is not there", []string{"nowhere"}, "data", "split", b.set, "-o", b.Path("nowhere/a.json")),
		cases.Refused("a page in a folder that is not there", []string{"nowhere"}, "data", "look", b.set, "--plain", "-o", b.Path("nowhere/a.html")),
		cases.Refused("a merge to nowhere", []string{"-o"}, "data", "merge", b.set, b.set),
	}
}
