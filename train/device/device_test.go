package device

import (
	"strings"
	"testing"

	"gleaner/train/engine/onednn"
	"gleaner/train/recipe"
)

// TestList: what the list says works does open, and what it says is missing tells what to install.
func TestList(t *testing.T) {
	for _, f := range List(t.Context()) {
		o := recipe.DefaultOptions()
		o.Device = f.Name
		notes := ""
		d, err := Open(&o, func(s string) { notes += s })
		switch {
		case f.OK && (err != nil || notes != ""):
			t.Errorf("%s is said to work, and: %v %s", f.Name, err, notes)
		case !f.OK && f.What == "":
			t.Errorf("%s is missing, and nothing is said of it", f.Name)
		}
		if err == nil {
			if d.Depth < 1 || d.Depth > 2 {
				t.Errorf("%s has a depth of %d", f.Name, d.Depth)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestAutoFallsBack: without oneDNN it is plain Go, and a warning says so.
func TestAutoFallsBack(t *testing.T) {
	b, err := onednn.New(onednn.Options{})
	there := err == nil
	if there {
		_ = b.Close()
	}
	o := recipe.DefaultOptions()
	o.Device = "cpu"
	notes := ""
	d, err := Open(&o, func(s string) { notes += s })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if want := map[bool]string{true: "cpu", false: "ref"}[there]; d.Name() != want || there != (notes == "") ||
		!there && (!strings.HasPrefix(notes, "WARNING: ") || !strings.Contains(notes, "plain Go")) {
		t.Errorf("oneDNN there: %v; opened %s, said %q", there, d.Name(), notes)
	}
}
