package features

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/train/dataset/pack"
)

func TestCacheKeepsFeatures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "a.features")
	want := [][]float32{{1, 2.5, -3}, {4, 5, 6}}
	if err := save(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := load(path, 2)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := load(path, 3); err == nil {
		t.Error("features of another number of examples are taken")
	}
}

// TestKeepWithoutCache: where the cache can neither be read nor written the features are those that were computed, and it is said once.
func TestKeepWithoutCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want := [][]float32{{1, 2}}
	compute := func() ([][]float32, error) { return want, nil }
	var notes []string
	got, err := Keep(filepath.Join(file, "a.features"), 1, func(s string) { notes = append(notes, s) }, compute)
	if err != nil || !reflect.DeepEqual(got, want) || len(notes) != 1 || !strings.Contains(notes[0], file) {
		t.Errorf("%v, %v; it said %q", got, err, notes)
	}
}

// TestKey names the cache's file by what decides the features, and by nothing else.
func TestKey(t *testing.T) {
	set := func(class string, crc uint32) *pack.Set {
		return &pack.Set{Format: pack.Format{Width: 9, Height: 9}, Examples: []pack.Example{{Class: class, CRC: crc}}}
	}
	in := bundle.Input{Width: 9}
	first := key([]byte("net"), in, set("can", 1))
	if key([]byte("net"), in, set("bag", 1)) != first {
		t.Error("a label that was put right makes other features")
	}
	for what, k := range map[string]string{
		"other pixels":      key([]byte("net"), in, set("can", 2)),
		"another backbone":  key([]byte("nut"), in, set("can", 1)),
		"another input":     key([]byte("net"), bundle.Input{Width: 8}, set("can", 1)),
		"one example more":  key([]byte("net"), in, &pack.Set{Format: set("", 1).Format, Examples: make([]pack.Example, 2)}),
		"of another format": key([]byte("net"), in, &pack.Set{Examples: set("can", 1).Examples}),
	} {
		if k == first {
			t.Errorf("%s make the same features", what)
		}
	}
}

func FuzzParse(f *testing.F) {
	path := filepath.Join(f.TempDir(), "a")
	if err := save(path, [][]float32{{1, 2}, {3, 4}}); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(magic+"\x02\x00\x00\x00\x02\x00\x00\x00"), 2)
	f.Add([]byte(magic), 0)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		v, err := parse(b, n)
		if err == nil && len(v) != n {
			t.Errorf("%d vectors, want %d", len(v), n)
		}
	})
}
