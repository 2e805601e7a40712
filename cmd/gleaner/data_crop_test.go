package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/tflite"
)

// TestDataCrop cuts animals out of photos by the folder that they lie in, looks at the set, and trains on it.
func TestDataCrop(t *testing.T) {
	if tflite.Version() == "none" {
		t.Skip("this build has no TensorFlow Lite")
	}
	images, native := shared.Path(t, "models/images"), filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))
	t.Setenv("GLEANER_NATIVE", native)
	dir := t.TempDir()
	photos := filepath.Join(dir, "photos")
	for _, f := range []string{"cat_train_0.bmp", "cat_test_0.bmp", "dog_train_0.bmp", "dog_test_0.bmp"} {
		raw, err := os.ReadFile(filepath.Join(images, "imprinting", f))
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(photos, strings.ToUpper(f[:3]), f)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set := filepath.Join(dir, "pets.set")
	said := works(t, "data", "crop", photos, "-o", set, store(t), "detector=ssd-oidv4", "supercategories=animal", "label=picture", "most=1", "size=32", "--json")
	var r struct {
		Examples, Pictures, Misses int
		Detector, Review, Boxes    string
	}
	if err := json.Unmarshal([]byte(said), &r); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if r.Examples != 4 || r.Pictures != 4 || r.Misses != 0 || !strings.HasPrefix(r.Detector, "ssd-oidv4") {
		t.Errorf("%+v", r)
	}
	for _, f := range []string{r.Review, r.Boxes} {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
	if said := works(t, "data", "look", set, "--plain"); !strings.Contains(said, "CAT") || !strings.Contains(said, "DOG") {
		t.Errorf("look says %s", said)
	}
	for page, holds := range map[string]string{r.Review: "doubtful", set + ".html": "a look at the data"} {
		if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), holds) {
			t.Errorf("%s has no %q: %v", page, holds, err)
		}
	}
	works(t, trainArgs(set, filepath.Join(dir, "run"), "val=0.5", "batch=2", "test=none", "lr=0.01")...)
	cropped := trainArgs(photos, filepath.Join(dir, "cropped"), "val=0.5", "batch=2", "lr=0.01")
	for _, key := range []string{"detector=ssd-oidv4", "supercategories=animal", "label=picture", "most=1", "size=32"} {
		cropped = append(cropped, "--crop", key)
	}
	works(t, cropped...)
	works(t, append(cropped, "--resume")...)
	works(t, "train", "out="+filepath.Join(dir, "cropped"), "--resume")
}

func TestDataCropRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{dir}, "detector=NAME is missing"},
		{[]string{dir, "detector=none.tflite"}, "none.tflite: no such file"},
		{[]string{dir, "detector=nothing-known", store(t)}, "nothing-known"},
		{[]string{dir, "detector=x", "looks=3"}, "looks=3 is not 1, 2 or 4"},
		{[]string{dir, "detector=x", "min=high"}, "min=high: not a number"},
		{[]string{dir, "detector=x", "lable=picture"}, "lable: unknown key"},
		{[]string{dir, "detector=x", "clock"}, "clock: not of the form key=value"},
	} {
		code, out, errs := gleaner(t, append([]string{"data", "crop"}, c.args...)...)
		if code != exitBadInput || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %s", c.args, code, errs)
		}
	}
}
