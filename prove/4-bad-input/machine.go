package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/prove/internal/cases"
)

// disks are those without room. What was kept before stays, and the import goes on when there is room.
func (b *bench) disks() []cases.Case {
	files := map[string][]byte{}
	for i := range 200 {
		files[fmt.Sprintf("%s/%d.png", []string{"can", "bag"}[i%2], i)] = stripes(40, 40, i, i%2 == 0)
	}
	many := b.folder(files)
	return []cases.Case{
		{Name: "a full disk", Try: func() error {
			disk := b.fresh("")
			if err := os.MkdirAll(disk, 0o755); err != nil {
				return err
			}
			script := fmt.Sprintf(`mount -t tmpfs -o size=48m none %q && { bin/gleaner data import %q -o %[1]q/a.set --size=400; echo "exit code $?" >&2; cp %[1]q/a.set* %[3]q; }`,
				disk, many, b.Dir)
			_, _, errs, err := cases.Execute("unshare", "--map-root-user", "--mount", "bash", "-c", script)
			if err != nil {
				return err
			}
			before, after, found := strings.Cut(errs, "exit code ")
			if !found || strings.TrimSpace(after) != "1" {
				return fmt.Errorf("exit code %s: %s", after, errs)
			}
			if err := cases.Told(cases.Failed, before, cases.Failed, 0, []string{filepath.Join(disk, "a.set"), "the disk is full", "run the import again, and it goes on"}); err != nil {
				return err
			}
			return b.goesOn(many, b.Path("a.set"))
		}},
		{Name: "a limit on the size of files", Try: func() error {
			set := b.fresh(".set")
			script := fmt.Sprintf(`ulimit -f 40000; exec bin/gleaner data import %q -o %q --size=400`, many, set)
			code, _, errs, err := cases.Execute("bash", "-c", script)
			if err != nil {
				return err
			}
			if err := cases.Told(code, errs, cases.Failed, 0, []string{set, "the limit on the size of files", "run the import again, and it goes on"}); err != nil {
				return err
			}
			return b.goesOn(many, set)
		}},
		{Name: "a full disk for the page", Try: func() error {
			script := fmt.Sprintf(`ulimit -f 4; exec bin/gleaner data look %q --plain -o %q`, b.set, b.Path("full.html"))
			code, _, errs, err := cases.Execute("bash", "-c", script)
			return errors.Join(err, cases.Told(code, errs, cases.Failed, 0, []string{"full.html", "file too large"}), nothing(b.Path("full.html")))
		}},
		{Name: "a full disk for a merge", Try: func() error {
			out := b.fresh(".set")
			script := fmt.Sprintf(`ulimit -f 40; exec bin/gleaner data merge %q %q -o %q`, b.set, b.set, out)
			code, _, errs, err := cases.Execute("bash", "-c", script)
			return errors.Join(err, cases.Told(code, errs, cases.Failed, 0, []string{out, "the limit on the size of files is reached: raise it"}), nothing(out))
		}},
		{Name: "a cache that cannot be written", Try: b.uncached},
	}
}

// uncached looks at a set where features cannot be kept: what was computed is shown, and a note says what will be done again.
func (b *bench) uncached() error {
	page := b.fresh(".html")
	script := fmt.Sprintf(`XDG_CACHE_HOME=%q exec bin/gleaner data look %q -o %q`, b.File("a file", nil), b.set, page)
	code, _, errs, err := cases.Execute("bash", "-c", script)
	if err != nil || code != 0 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "a file") || !strings.Contains(errs, "not a directory") {
		return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
	}
	_, err = os.Stat(page)
	return err
}

// goesOn runs an import again, which must end well, and as an undisturbed one.
func (b *bench) goesOn(pictures, set string) error {
	calm := b.fresh(".set")
	for _, path := range []string{set, calm} {
		if code, errs, err := cases.Gleaner("data", "import", pictures, "-o", path, "--size=400"); err != nil || code != 0 {
			return fmt.Errorf("gone on: exit code %d, %v: %s", code, err, errs)
		}
	}
	var sums [2]string
	for i, path := range []string{set, calm} {
		code, out, errs, err := cases.Execute("bin/gleaner", "data", "verify", path)
		if err != nil || code != 0 {
			return fmt.Errorf("verify: exit code %d, %v: %s", code, err, errs)
		}
		_, sums[i], _ = strings.Cut(out, ": ")
	}
	if sums[0] != sums[1] {
		return fmt.Errorf("gone on: %s, undisturbed: %s", sums[0], sums[1])
	}
	return nil
}

// models are backbones and bundles that are missing or wrong, and pictures that do not suit a bundle.
func (b *bench) models() []cases.Case {
	p := stripes(24, 24, 1, true)
	native := b.folder(map[string][]byte{"models/other.tflite": nil})
	look := func(more ...string) []string {
		return append([]string{"data", "look", b.set, "-o", b.fresh(".html")}, more...)
	}
	eval := func(name string, want []string, data string, more ...string) cases.Case {
		return cases.Refused("eval: "+name, want, append([]string{"eval", "bundle=" + b.bundle, "data=" + data}, more...)...)
	}
	train := func(name string, want []string, data string, more ...string) cases.Case {
		return cases.Refused("train: "+name, want, append([]string{"train", "data=" + data, "out=" + b.fresh(""), "net=cnn-small", "size=24", "device=ref", "epochs=1"}, more...)...)
	}
	set := func(files map[string][]byte) string {
		path := b.fresh(".set")
		if code, errs, err := cases.Gleaner("data", "import", b.folder(files), "-o", path, "--size=24"); err != nil || code != 0 {
			panic(fmt.Sprint(code, err, errs))
		}
		return path
	}
	one := map[string][]byte{"can/1.png": p, "can/2.png": stripes(24, 24, 2, true), "can/3.png": stripes(24, 24, 3, true)}
	single := map[string][]byte{"can/1.png": p, "bag/1.png": stripes(24, 24, 2, true)}
	return []cases.Case{
		{Name: "a missing backbone", Try: func() error {
			script := fmt.Sprintf(`GLEANER_NATIVE=%q exec bin/gleaner "$@"`, native)
			code, _, errs, err := cases.Execute("bash", append([]string{"-c", script, "bash"}, look()...)...)
			return errors.Join(err, cases.Told(code, errs, cases.BadInput, 0, []string{"ssd-oidv4", "make setup", "--plain"}))
		}},
		cases.Refused("a backbone that is not there", []string{"none.tflite", "no such file", "--plain"}, look("--backbone="+b.Path("none.tflite"))...),
		cases.Refused("a backbone of nonsense", []string{"odd.tflite", "--plain"}, look("--backbone="+b.File("odd.tflite", []byte("nonsense, nonsense, nonsense")))...),
		cases.Refused("a detector in place of a backbone", []string{"face-short.tflite", "no backbone"}, look("--backbone=.native/models/face-short.tflite")...),
		train("a set of one class", []string{"of one class, can", "a second class"}, set(one)),
		train("a folder of one class", []string{"of one class, can", "a second class"}, b.folder(one)),
		train("classes of one picture each", []string{"no class has a picture to spare", "val=0"}, set(single)),
		train("a folder without pictures", []string{"no labelled picture"}, b.folder(map[string][]byte{"can/x.txt": p})),
		train("squares on a network from scratch", []string{"squares=32", ".tflite"}, b.good, "squares=32", "probe=0.03"),
		train("no probe to join", []string{"withprobe=true", "probe=0.03"}, b.good, "withprobe=true"),
		train("a ground that is not there", []string{"none.jpg", "neither black nor random", "no such file"}, b.good, "ground="+b.Path("none.jpg")),
		train("a ground of nonsense", []string{"odd.jpg", "neither black nor random", "decode"}, b.good, "ground="+b.File("odd.jpg", []byte("nonsense, nonsense"))),
		eval("no bundle", []string{"none", "no such file"}, b.set, "bundle="+b.Path("none")),
		eval("a folder in place of a bundle", []string{filepath.Base(b.good), "bundle.json"}, b.set, "bundle="+b.good),
		eval("a bundle that is damaged", []string{"model.tflite"}, b.set, "bundle="+b.damaged()),
		eval("no pictures", []string{"no labelled picture"}, b.folder(nil)),
		eval("no such pictures", []string{"nowhere", "no such file"}, b.Path("nowhere")),
		eval("a class that the bundle has not", []string{"does not know bottle", "--map"}, b.folder(map[string][]byte{"bottle/1.png": p, "bag/1.png": p})),
		eval("pictures that cannot be read", []string{"can be read"}, b.folder(map[string][]byte{"bag/1.png": p[:40], "캔/1.jpg": []byte("none")})),
		eval("an option of NaN", []string{"purity of NaN"}, b.set, "purity=NaN"),
		eval("an option out of range", []string{"purity", "0.3"}, b.set, "purity=0.3"),
		eval("an unknown option", []string{"puritan"}, b.set, "puritan=0.9"),
		eval("a page in a folder that is not there", []string{"nowhere"}, b.set, "out="+b.Path("nowhere/a.html")),
		eval("a page that is no page", []string{"a.pdf", ".html"}, b.set, "out="+b.Path("a.pdf")),
	}
}

// damaged is the bundle with a bit turned in its network.
func (b *bench) damaged() string {
	dir := b.fresh("")
	if err := os.CopyFS(dir, os.DirFS(b.bundle)); err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "model.tflite")
	d := b.Read(path)
	d[len(d)/2] ^= 4
	if err := os.Remove(path); err != nil {
		panic(err)
	}
	b.File(path, d)
	return dir
}
