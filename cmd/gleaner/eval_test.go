package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/model/tflite"
	"gleaner/train/judge"
)

// TestEval trains a bundle and judges it, as text, as JSON, as a page, and beside another one.
func TestEval(t *testing.T) {
	if tflite.Version() == "none" {
		t.Skip("this build has no TensorFlow Lite")
	}
	data, dir := patterns(t, 60), t.TempDir()
	works(t, trainArgs(data, filepath.Join(dir, "run"), "epochs=6")...)
	b, page := filepath.Join(dir, "run", "bundle"), filepath.Join(dir, "report.html")
	said := works(t, "eval", "bundle="+b, "data="+data, "old="+b, "out="+page, "purity=0.9", "worst=2")
	for _, want := range []string{"60 pictures, 3 classes", "chance    33.3 %", "accuracy  ", "threshold for  90 %", "cannot tell: 0 pictures", "the page: " + page} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "What is taken for what") {
		t.Errorf("the page: %v, %.200s", err, html)
	}
	var r judge.Report
	if err := json.Unmarshal([]byte(works(t, "eval", "bundle="+b, "data="+data, "--json")), &r); err != nil || r.Pictures != 60 || len(r.Confusion) != 3 || len(r.Purity) != 3 {
		t.Errorf("%v: %+v", err, r)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no bundle", []string{"data=" + data}, "bundle=DIR is missing"},
		{"no data", []string{"bundle=" + b}, "data=PATH is missing"},
		{"no key", []string{"bundle"}, "bundle: not of the form key=value"},
		{"unknown key", []string{"bundel=x"}, `bundel: unknown key; did you mean "bundle"? gleaner eval --help lists the keys`},
		{"unknown key, like none", []string{"colour=x"}, "colour: unknown key; gleaner eval --help lists the keys"},
		{"no number", []string{"bundle=" + b, "data=" + data, "worst=many"}, "worst=many: not a number"},
		{"workers below none", []string{"bundle=" + b, "data=" + data, "workers=-5"}, "workers=-5: not in 0 to 256"},
		{"mix without shares", []string{"bundle=" + b, "data=" + data, "mix=a,b"}, "mix=a,b: a is not of the form class:share"},
		{"mix with words", []string{"bundle=" + b, "data=" + data, "mix=a:much"}, "mix=a:much: much is not a number"},
		{"half a mix", []string{"bundle=" + b, "data=" + data, "mix=a:0.5"}, "the mix: its shares add up to 0.5, not to 1"},
		{"purity", []string{"bundle=" + b, "data=" + data, "purity=98"}, "a purity of 98: from 0.5 to below 1"},
		{"bundle that is none", []string{"bundle=" + dir, "data=" + data}, filepath.Join(dir, "bundle.json") + ": "},
		{"data that is not there", []string{"bundle=" + b, "data=" + filepath.Join(dir, "none")}, "none"},
		{"folder without pictures", []string{"bundle=" + b, "data=" + t.TempDir()}, "no labelled picture"},
		{"page in no folder", []string{"bundle=" + b, "data=" + data, "out=" + filepath.Join(dir, "no", "a.html")}, "no such file or directory"},
	} {
		code, out, errs := gleaner(t, append([]string{"eval"}, c.args...)...)
		if code != exitBadInput || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", c.name, code, errs)
		}
	}
}
