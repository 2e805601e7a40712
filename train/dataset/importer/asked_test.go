package importer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
)

// begin interrupts an import of a list after its first picture.
func begin(t *testing.T, path string, list *labels.List, o Options) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	o.Workers, o.Progress = 1, func(int, int) { stop() }
	if _, err := Import(ctx, path, list, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
}

// TestOtherImportsDoNotGoOn begins an import and runs others into its file: each is refused in one line that says what differs, and
// the first goes on all the same.
func TestOtherImportsDoNotGoOn(t *testing.T) {
	root := drawn(t)
	list := filepath.Join(root, "list.csv")
	rows := func(class string) *labels.List {
		if err := os.WriteFile(list, []byte("path,class\ncan/1.png,"+class+"\ncan/2.png,b\nbag/1.png,a\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return listed(t, list)
	}
	folders := func(root string) *labels.List { return must(labels.Open(root, labels.Options{Format: "folders"})) }
	named := func(pattern string) *labels.List {
		return must(labels.Open(root, labels.Options{Format: "names", Pattern: pattern}))
	}
	o := Options{NewDecoder: decoder, Size: 6}
	with := func(change func(o *Options)) Options {
		o := o
		change(&o)
		return o
	}
	mapOf := func(text string) *labels.Map {
		m, err := labels.ParseMap([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	small := with(func(o *Options) { o.MinSide = 2 })
	one := with(func(o *Options) { o.Map = mapOf("classes: {x: [can, bag]}") })
	two := with(func(o *Options) { o.Map = mapOf("classes: {y: [can, bag]}") })
	away := drawn(t)
	for name, c := range map[string]struct {
		first, then *labels.List
		a, b        Options
		want        string
	}{
		"another folder":  {folders(root), folders(away), o, o, "pictures " + root + ", not " + away},
		"another format":  {folders(root), named(`(?P<class>\w+)/`), o, o, "format folders, not names; pattern none, not (?P<class>"},
		"another pattern": {named(`(?P<class>\w+)/`), named(`(?P<class>b?)/`), o, o, "pattern (?P<class>"},
		"small boxes":     {folders(root), folders(root), o, small, "min-side 0, not 2"},
		"a map":           {folders(root), folders(root), o, one, "map none, not "},
		"no map":          {folders(root), folders(root), one, o, ", not none"},
		"another map":     {folders(root), folders(root), one, two, "map "},
		"a list":          {folders(root), rows("a"), o, o, "pictures " + root + ", not " + list},
		"a list's labels": {rows("a"), rows("b"), o, o, "labels "},
	} {
		path := filepath.Join(t.TempDir(), "a")
		begin(t, path, c.first, c.a)
		_, err := Import(t.Context(), path, c.then, c.b)
		var format *pack.FormatError
		if !errors.As(err, &format) || !strings.HasPrefix(err.Error(), path+" has an unfinished import of ") || !strings.Contains(err.Error(), c.want) ||
			!strings.HasSuffix(err.Error(), ": delete it, or give the same") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if r, err := Import(t.Context(), path, c.first, c.a); err != nil || r.Examples != 3 {
			t.Errorf("%s: the first goes on as %+v, %v", name, r, err)
		}
	}
}

// TestSetsDoNotTellTheirMachine imports the same pictures from two folders: the files are the same, and name neither.
func TestSetsDoNotTellTheirMachine(t *testing.T) {
	var files [2][]byte
	for i, below := range []string{"a", "a/folder/of/a/longer/name"} {
		root := filepath.Join(t.TempDir(), below)
		if err := os.CopyFS(root, os.DirFS(drawn(t))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "a")
		if _, err := Import(t.Context(), path, listed(t, root), Options{NewDecoder: decoder, Size: 6, Workers: 1}); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(files[i], []byte(root)) {
			t.Errorf("the set names %s", root)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the sets differ")
	}
}
