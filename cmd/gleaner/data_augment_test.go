package main

import (
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataAugment draws a sheet, the same for the same seed, and refuses what no training run would take.
func TestDataAugment(t *testing.T) {
	data, dir := patterns(t, 60), t.TempDir()
	sheet := func(name string, more ...string) []byte {
		t.Helper()
		out := filepath.Join(dir, name)
		said := works(t, append([]string{"data", "augment", data, "augment=kiosk", "mixup=0.2", "cutout=3", "-o", out, "--rows=4", "--epochs=3"}, more...)...)
		if !strings.Contains(said, name+": 4 pictures, as 3 epochs show them") {
			t.Errorf("it said %s", said)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, again, other := sheet("a.jpg"), sheet("b.jpg"), sheet("c.jpg", "seed=2")
	if string(first) != string(again) || string(first) == string(other) {
		t.Error("the seed does not decide the sheet")
	}
	im, err := jpeg.Decode(strings.NewReader(string(first)))
	if err != nil || im.Bounds().Dx() != 4*(96+4)+4 {
		t.Errorf("%v: %v", err, im)
	}
	if page := string(sheet("d.html", "balance=over")); strings.Count(page, "<img") != 16 || !strings.Contains(page, "as it is") {
		t.Errorf("the page: %.200s", page)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{data, "-o", "sheet.png"}, "sheet.png: a sheet is a .jpg or an .html file"},
		{[]string{data, "rotate=200"}, "rotate 200 is not in 0 to 180"},
		{[]string{data, "augment=shop"}, "augment=shop: not one of belt, kiosk, none"},
		{[]string{data, "--rows=0"}, "--rows=0 --epochs=8: each is in 1 to 100"},
		{[]string{filepath.Join(dir, "none")}, "none: no such file"},
	} {
		code, out, errs := gleaner(t, append([]string{"data", "augment"}, c.args...)...)
		if code != exitBadInput || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, errs)
		}
	}
}
