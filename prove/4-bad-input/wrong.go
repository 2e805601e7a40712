package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gleaner/prove/internal/cases"
)

// sets are data set files that are none, or no longer whole. None is changed by who looks at it.
// Long because each case is its own lines.
func (b *bench) sets() []cases.Case {
	whole := b.Read(b.set)
	turned := func(at int) []byte {
		d := slices.Clone(whole)
		d[at] ^= 4
		return d
	}
	// SQLite's header has user_version at byte 60 (file format, 1.3).
	other := slices.Clone(whole)
	binary.BigEndian.PutUint32(other[60:], 7)
	pixels := bytes.Index(whole, stored(0))
	class := bytes.LastIndex(whole, []byte("bag"))
	sums := bytes.Index(whole, []byte("identity"))
	if pixels < 0 || class < 0 || sums < 0 {
		panic("the set is not what it was thought to be")
	}
	var list []cases.Case
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"no bytes":               {nil, []string{"not a data set of gleaner"}},
		"nonsense":               {bytes.Repeat([]byte("nonsense"), 9999), []string{"not a data set of gleaner"}},
		"a picture":              {stripes(24, 24, 1, true), []string{"not a data set of gleaner"}},
		"a set that is cut off":  {whole[:len(whole)/2], []string{"damaged data set"}},
		"a set of one page":      {whole[:16384], []string{"damaged data set"}},
		"a bit of a class":       {turned(class), []string{"damaged data set"}},
		"a bit of the sum":       {turned(sums + 20), []string{"damaged data set"}},
		"a set of version 7":     {other, []string{"version 7", "import the pictures again"}},
		"half a set and nothing": {append(slices.Clone(whole[:len(whole)/2]), make([]byte, len(whole)/2)...), []string{"damaged data set"}},
	} {
		path := b.File(b.fresh(".set"), c.data)
		want := append([]string{path}, c.want...)
		for verb, args := range map[string][]string{
			"look":   {"data", "look", path},
			"split":  {"data", "split", path},
			"verify": {"data", "verify", path},
			"merge":  {"data", "merge", b.set, path, "-o", b.fresh(".set")},
			"import": {"data", "import", b.good, "-o", path, "--size=24"},
			"train":  {"train", "data=" + path, "out=" + b.fresh("")},
			"eval":   {"eval", "bundle=" + b.bundle, "data=" + path},
		} {
			if verb == "import" && len(c.data) == 0 {
				continue // an import that was killed at once leaves such a file, and goes on
			}
			if verb == "import" && !strings.Contains(strings.Join(c.want, ""), "not a") {
				want = []string{path} // it does not look at the examples of what is finished
			}
			t := cases.Refused(verb+": "+name, want, args...)
			if verb == "train" || verb == "eval" {
				t = cases.Refused(verb+": "+name, []string{filepath.Base(path)}, args...)
			}
			list = append(list, b.unchanged(t, path))
		}
	}
	list = append(list, b.pixels(turned(pixels+700))...)
	slices.SortFunc(list, func(a, c cases.Case) int { return strings.Compare(a.Name, c.Name) })
	return append(list,
		cases.Refused("no such set", []string{"none.set", "no such file"}, "data", "look", b.Path("none.set")),
		cases.Refused("a folder in place of a set to look at", []string{b.good, "gleaner data import"}, "data", "look", b.good),
		b.unchanged(cases.Refused("an import to a set that is finished", []string{b.set, "finished already"}, "data", "import", b.good, "-o", b.set, "--size=24"), b.set),
		cases.Case{Name: "a merge of sets of two sizes", Try: b.merged},
		cases.Case{Name: "an import with other options goes on", Try: b.unfinished},
	)
}

// pixels are verbs that read the pixels of a set in which one bit is wrong.
func (b *bench) pixels(set []byte) (list []cases.Case) {
	bad := b.File(b.fresh(".set"), set)
	for verb, args := range map[string][]string{
		"look":   {"data", "look", bad, "--plain"},
		"verify": {"data", "verify", bad},
		"merge":  {"data", "merge", bad, b.set, "-o", b.fresh(".set")},
		"train":  {"train", "data=" + bad, "out=" + b.fresh(""), "net=cnn-small", "device=ref"},
	} {
		list = append(list, b.unchanged(cases.Refused(verb+": a bit of the pixels", []string{bad, "example", "damaged data set"}, args...), bad))
	}
	return list
}

// stored is how the set keeps the pixels of a picture of its own size: B, G, R.
func stored(i int) (row []byte) {
	im := drawn(24, 24, 3+i, true)
	for p := range 24 * 24 {
		r, g, bl, _ := im.At(p%24, p/24).RGBA()
		row = append(row, byte(bl>>8), byte(g>>8), byte(r>>8))
	}
	return row
}

// unchanged is a case after which a file is as it was.
func (b *bench) unchanged(t cases.Case, path string) cases.Case {
	return cases.Case{Name: t.Name, Try: func() error {
		before := b.Read(path)
		err := t.Try()
		if after := b.Read(path); !bytes.Equal(before, after) {
			err = errors.Join(err, fmt.Errorf("%s was changed", path))
		}
		for _, end := range []string{"-wal", "-shm", "-journal"} {
			if _, e := os.Stat(path + end); e == nil {
				err = errors.Join(err, fmt.Errorf("%s%s was left", path, end))
			}
		}
		return err
	}}
}

func (b *bench) merged() error {
	small, out := b.fresh(".set"), b.fresh(".set")
	if code, errs, err := cases.Gleaner("data", "import", b.good, "-o", small, "--size=16"); err != nil || code != 0 {
		return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
	}
	code, errs, err := cases.Gleaner("data", "merge", b.set, small, "-o", out)
	return errors.Join(err, cases.Told(code, errs, cases.BadInput, 0, []string{b.set, small, "cannot be merged", "import one of them again"}), nothing(out))
}

// unfinished interrupts an import: each verb says what to do, other options are refused, and with the same it goes on.
func (b *bench) unfinished() error {
	files := map[string][]byte{}
	for i := range 60 {
		files[fmt.Sprintf("%s/%d.png", []string{"can", "bag"}[i%2], i)] = stripes(900, 900, i, i%2 == 0)
	}
	dir, set := b.folder(files), b.fresh(".set")
	args := []string{"data", "import", dir, "-o", set, "--size=1000"}
	c := exec.Command("bin/gleaner", args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		return err
	}
	for range 600 { // until a first part is kept
		if st, err := os.Stat(set); err == nil && st.Size() > 30<<20 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		return errors.Join(err, c.Wait())
	}
	_ = c.Wait() // the exit code is looked at
	err := cases.Told(c.ProcessState.ExitCode(), errs.String(), cases.Failed, 0, []string{"interrupted after", "of 60 pictures", "run it again, and it goes on"})
	for _, verb := range [][]string{{"data", "look", set}, {"data", "split", set}, {"train", "data=" + set, "out=" + b.fresh("")}} {
		code, said, e := cases.Gleaner(verb...)
		err = errors.Join(err, e, cases.Told(code, said, cases.BadInput, 0, []string{filepath.Base(set), "run the import again, and it goes on"}))
	}
	code, said, e := cases.Gleaner("data", "import", dir, "-o", set, "--size=500")
	err = errors.Join(err, e, cases.Told(code, said, cases.BadInput, 0, []string{set, "delete it, or use its options"}))
	code, out, said, e := cases.Execute("bin/gleaner", args...)
	if err = errors.Join(err, e); err == nil && (code != 0 || !strings.Contains(out, "60 examples of 60 pictures")) {
		err = fmt.Errorf("gone on: exit code %d: %s%s", code, out, said)
	}
	return err
}

// odd are pictures that are rare, and none of them wrong but for those that are.
func (b *bench) odd() []cases.Case {
	p := stripes(24, 24, 1, true)
	with := func(name string, picture []byte, more ...string) cases.Case {
		return b.taken("picture: "+name, b.folder(map[string][]byte{"can/1.png": p, "bag/odd" + ext(picture): picture}), 2, more)
	}
	without := func(name string, picture []byte, why string) cases.Case {
		return b.taken("picture: "+name, b.folder(map[string][]byte{"can/1.png": p, "bag/odd.png": picture}), 1, []string{"bag/odd.png: file: " + why})
	}
	wide := image.NewGray(image.Rect(0, 0, 20000, 1))
	for x := range 20000 {
		wide.SetGray(x, 0, color.Gray{uint8(x)})
	}
	photo := jpegOf(drawn(64, 64, 3, true))
	return []cases.Case{
		with("1×1", stripes(1, 1, 1, true)),
		with("20,000×1", encoded(wide)),
		with("1×20,000", stripes(1, 20000, 1, true)),
		with("16 bits and see-through", deep()),
		with("a palette", palette()),
		with("an animated GIF", animated()),
		with("a JPEG of four inks", goPicture("video-001.cmyk.jpeg")),
		with("a progressive JPEG", goPicture("video-001.progressive.jpeg")),
		with("a grey JPEG", jpegOf(wide.SubImage(image.Rect(0, 0, 300, 1)))),
		b.taken("picture: a GIF named .jpg", b.folder(map[string][]byte{"can/1.png": p, "bag/1.jpg": animated()}), 2, nil),
		b.taken("picture: a JPEG named .PNG", b.folder(map[string][]byte{"can/1.png": p, "bag/1.PNG": photo}), 2, nil),
		without("no bytes", nil, "not a picture"),
		without("a text", []byte("nothing to see"), "not a picture"),
		without("a PNG that is cut off", p[:60], "damaged picture"),
		without("a JPEG that is cut off", photo[:len(photo)/2], "damaged picture"),
		without("of 100,000×100,000 pixels, it says", bomb(), "picture of 100000×100000 pixels"),
		without("a web page", []byte("<!doctype html><title>404 Not Found</title>"), "not a picture"),
	}
}

func ext(picture []byte) string {
	switch {
	case bytes.HasPrefix(picture, []byte("GIF")):
		return ".gif"
	case bytes.HasPrefix(picture, []byte{0xff, 0xd8}):
		return ".jpg"
	}
	return ".png"
}
