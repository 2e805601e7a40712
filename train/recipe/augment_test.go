package recipe

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gleaner/capture/capturetest"
)

// TestSets: a named set is what its doc says, keys that are given beside it win wherever they stand, and none takes all back.
func TestSets(t *testing.T) {
	doc := ""
	for _, k := range new(Options).Keys() {
		if k.Name == "augment" {
			doc = k.Doc
		}
	}
	for name, set := range sets {
		if set != "" && !strings.Contains(doc, name+" ("+set+")") {
			t.Errorf("the doc does not say %s (%s)", name, set)
		}
		o, want := DefaultOptions(), DefaultOptions()
		if err := o.SetAll([]string{"augment=" + name}); err != nil {
			t.Fatal(err)
		}
		if err := want.SetAll(strings.Fields(set)); err != nil {
			t.Fatal(err)
		}
		want.Augment = name
		if !reflect.DeepEqual(o, want) {
			t.Errorf("%s gives %+v", name, o)
		}
		if err := o.Changes().Check(); err != nil {
			t.Error(err)
		}
	}
	for _, given := range []string{"augment=belt flip=false rotate=5", "flip=false augment=belt rotate=5", "rotate=5 flip=false augment=belt"} {
		o := DefaultOptions()
		if err := o.SetAll(strings.Fields(given)); err != nil || o.Flip || o.Rotate != 5 || o.Blur != 4 || o.Augment != "belt" {
			t.Errorf("%s: %v, %+v", given, err, o)
		}
	}
	o := DefaultOptions()
	if err := o.SetAll([]string{"augment=kiosk", "cutout=3"}); err != nil || o.Direction != "any" || o.Cutout != 3 {
		t.Errorf("%v, %+v", err, o)
	}
	if err := o.Set("augment=none"); err != nil || !reflect.DeepEqual(o, DefaultOptions()) {
		t.Errorf("taken back: %v, %+v", err, o)
	}
	if err := o.Set("augment=shop"); err == nil || err.Error() != "augment=shop: not one of belt, kiosk, none" {
		t.Errorf("got %v", err)
	}
}

// FuzzSetAll: whatever is given, what is kept is read again as it was.
func FuzzSetAll(f *testing.F) {
	f.Add("augment=belt rotate=3 direction=any")
	f.Add("noise=1e9 hue=-0 blur=0x1p-2 mean=1,,2 augment=")
	f.Fuzz(func(t *testing.T, line string) {
		o, again := DefaultOptions(), DefaultOptions()
		if o.SetAll(strings.Fields(line)) != nil {
			return
		}
		_ = o.Check()
		for _, k := range o.Keys() {
			if err := again.Set(k.Name + "=" + k.Value); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range again.Keys() {
			if was := o.Keys()[i]; k != was {
				t.Errorf("%s=%s is read as %s", k.Name, was.Value, k.Value)
			}
		}
	})
}

// TestBundleViews: a bundle says that it was taught mirrored and close pictures where the changes showed it such, and the
// probe that it began with does not.
func TestBundleViews(t *testing.T) {
	for keys, want := range map[string]string{"": "", "flip=true": "mirror", "flip=true zoom=0.1": "mirror close", "zoom=0.05": "",
		"flip=true withmirror=true zoom=0.2": "close", "augment=belt": "mirror close"} {
		o := DefaultOptions()
		if err := o.SetAll(strings.Fields(keys)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.BundleViews(1), " "); got != want {
			t.Errorf("%s: %q, want %q", keys, got, want)
		}
		if got := o.BundleViews(0); got != nil {
			t.Errorf("%s, before the first epoch: %q", keys, got)
		}
	}
}

// TestBackdropUpright: a photo of the belt that is stored on its side is laid upright.
func TestBackdropUpright(t *testing.T) {
	o := DefaultOptions()
	o.Ground = filepath.Join(t.TempDir(), "belt.jpg")
	capturetest.WriteLying(t, o.Ground)
	im, err := o.Backdrop()
	if err != nil {
		t.Fatal(err)
	}
	capturetest.Upright(t, im)
}
