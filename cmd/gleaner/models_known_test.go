package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/classify/known"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

// TestKnownAnswers: a trained bundle gives on this device the answers that it carries; one whose answers are others is not sound and
// does not become the current one; one without is as it always was.
func TestKnownAnswers(t *testing.T) {
	if tflite.Version() == "none" {
		t.Skip("this build has no TensorFlow Lite")
	}
	out := filepath.Join(t.TempDir(), "run")
	works(t, trainArgs(patterns(t, 60), out)...)
	dir, models := filepath.Join(out, "bundle"), store(t)
	if said := works(t, "models", "verify", dir, models); !strings.Contains(said, "3 labels  8 known answers, off by 0.0000 at most") {
		t.Errorf("it says %s", said)
	}
	works(t, "models", "use", dir, models)
	m, files := contents(t, dir)
	var a known.Answers
	if err := json.Unmarshal(files[known.File], &a); err != nil || len(a.Pictures) != 8 || a.Temperature != m.Temperature || !(a.Temperature > 0) {
		t.Fatalf("%v: temperature %g, %+v", err, m.Temperature, a)
	}
	classes := map[string]bool{}
	for _, p := range a.Pictures {
		classes[p.Class] = true
	}
	if len(classes) != 3 {
		t.Errorf("the pictures show %v", classes)
	}

	a.Pictures[4].Scores[1] += 0.03
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	files[known.File] = text
	other := filepath.Join(t.TempDir(), "other")
	if _, err := bundle.Write(other, m, files); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"verify", "use"} {
		code, _, errs := gleaner(t, "models", verb, other, models)
		if code != exitBadInput || !strings.Contains(errs, "golden/5.png: the model answers ") || !strings.Contains(errs, "off by more than 0.02") {
			t.Errorf("%s: exit code %d, %s", verb, code, errs)
		}
	}
	if said := works(t, "models", "path", "current", models); strings.Contains(said, "other") {
		t.Errorf("the current one is %s", said)
	}

	for name := range files {
		if strings.HasPrefix(name, "golden/") {
			delete(files, name)
		}
	}
	bare := filepath.Join(t.TempDir(), "bare")
	if _, err := bundle.Write(bare, m, files); err != nil {
		t.Fatal(err)
	}
	if said := works(t, "models", "verify", bare, models); strings.Contains(said, "known") {
		t.Errorf("it says %s", said)
	}
}

// contents are a bundle's manifest and files.
func contents(t *testing.T, dir string) (bundle.Manifest, map[string][]byte) {
	t.Helper()
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name := range b.Manifest.Files {
		if files[name], err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	return b.Manifest, files
}
