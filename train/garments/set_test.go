package garments

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/capture/pictures"
)

// TestWriteSet writes a small set twice: the same bytes, and what training reads.
func TestWriteSet(t *testing.T) {
	if _, err := pictures.Open("fashion-mnist:train"); err != nil {
		t.Skip(err)
	}
	o := SetOptions{Stills: 30, OnBelt: 20, TestBelt: 10, Workers: 2}
	var before []byte
	for range 2 {
		dir := filepath.Join(t.TempDir(), "옷")
		n, err := WriteSet(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "train-images-idx3-ubyte")
		bytes, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !slices.Equal(before, bytes) {
			t.Error("the second set differs")
		}
		before = bytes
		all, err := pictures.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		tried, err := pictures.Open(filepath.Join(dir, "t10k-images-idx3-ubyte"))
		if err != nil {
			t.Fatal(err)
		}
		if n.Train != 50 || n.Test != 10 || all.Len() != 50 || tried.Len() != 10 || all.Labels()[9] != "Ankle boot" {
			t.Errorf("%+v; %d and %d pictures of %q are read", n, all.Len(), tried.Len(), all.Labels())
		}
	}
	for _, o := range []SetOptions{{}, {Stills: 60001, TestBelt: 1}, {OnBelt: -1, Stills: 5, TestBelt: 1}, {Stills: 10}} {
		if _, err := WriteSet(t.Context(), t.TempDir(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := WriteSet(ctx, t.TempDir(), o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
