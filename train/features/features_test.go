package features

import (
	"path/filepath"
	"reflect"
	"testing"
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
