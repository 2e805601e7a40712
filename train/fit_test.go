package train

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gleaner/capture/pictures"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// garments is an idx folder of the first n pictures of Debian's Fashion-MNIST test set, each pixel of two taken.
func garments(t testing.TB, n int) string {
	t.Helper()
	s, err := pictures.Open("fashion-mnist")
	if err != nil {
		t.Skip("Fashion-MNIST is absent (Debian: dataset-fashion-mnist)")
	}
	const side = 14
	images := []byte{0, 0, 8, 3}
	for _, d := range []int{n, side, side} {
		images = binary.BigEndian.AppendUint32(images, uint32(d))
	}
	labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
	for i := range n {
		im, err := s.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		for y := range side {
			for x := range side {
				images = append(images, im.Row(2 * y)[3*2*x])
			}
		}
		labels = append(labels, byte(s.Label(i)))
	}
	dir := filepath.Join(t.TempDir(), "fashion")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "train-images-idx3-ubyte"), images, 0o644),
		os.WriteFile(filepath.Join(dir, "train-labels-idx1-ubyte"), labels, 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// options are those of a small run on the garments in dir; more are set on top.
func options(t testing.TB, dir string, more ...string) recipe.Options {
	t.Helper()
	o := recipe.DefaultOptions()
	for _, s := range append([]string{"data=" + dir, "out=" + filepath.Join(t.TempDir(), "run"), "net=cnn-small", "width=0.25", "units=16",
		"device=ref", "epochs=3", "batch=16", "lr=0.005", "val=0.25", "flip=true", "shift=1", "average=0.9", "clip=5", "overfit=off", "scan=off"}, more...) {
		if err := o.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func fit(t testing.TB, o recipe.Options, resume bool) *Result {
	t.Helper()
	r, err := Fit(t.Context(), o, resume, Reporter{Note: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFit(t *testing.T) {
	dir := garments(t, 400)
	o := options(t, dir, "overfit=on", "scan=on")
	r := fit(t, o, false)
	t.Logf("%+v", r)
	t.Logf("%s", read(t, o.Out, runs.LogFile))
	o2 := options(t, dir)
	fit(t, o2, false)
	a, b := read(t, o.Out, runs.BestFile), read(t, o2.Out, runs.BestFile)
	if !bytes.Equal(a, b) {
		t.Error("the same seed gives other weights")
	}
}
