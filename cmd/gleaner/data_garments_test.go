//go:build cgo && !nonative

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture/pictures"
	"gleaner/model/bundle/catalogue"
)

// TestDataGarments goes the way that the demo's classifier was made: garments off the belt, trained on, and into the catalogue.
func TestDataGarments(t *testing.T) {
	if _, err := pictures.Open("fashion-mnist:train"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	set, run, own := filepath.Join(dir, "set"), filepath.Join(dir, "run"), filepath.Join(dir, "own")
	if out := works(t, "data", "garments", set, "--stills", "200", "--belt", "60", "--test", "30"); !strings.Contains(out, "260 pictures to learn from, 30 to be tried on") {
		t.Errorf("data garments says %s", out)
	}
	works(t, "train", "recipe=clothing", "net=cnn-small", "width=0.25", "epochs=1", "data="+set, "export=float16", "out="+run, "overfit=off", "report=false")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	works(t, "models", "imprint", "--run", run, "--name", "clothes", "--about", "Ten garments.", "--licence", "MIT", "--accuracy", "0.5", "--on", "30 crops", "--out", own)
	text, err := os.ReadFile(filepath.Join(own, "clothes.json"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(own, "clothes.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	var e catalogue.Entry
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	if e.Model.SHA256 != fmt.Sprintf("%x", sha256.Sum256(raw)) || e.Model.Own != "clothes.tflite" || e.Model.Size != int64(len(raw)) ||
		len(e.Words) != 10 || e.Manifest.Input.Width != 28 || e.Manifest.Accuracy != 0.5 || e.Graft != nil {
		t.Errorf("the entry is %s", text)
	}
	for _, c := range []struct{ want, run, about string }{
		{"no run of gleaner train", dir, "Ten garments."}, {"--run needs --name", run, ""},
	} {
		code, _, errs := gleaner(t, "models", "imprint", "--run", c.run, "--name", "clothes", "--about", c.about, "--licence", "MIT", "--accuracy", "0.5", "--on", "x", "--out", own)
		if code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%d: %s", code, errs)
		}
	}
	if code, _, errs := gleaner(t, "data", "garments", set, "--test", "0"); code != 2 || !strings.Contains(errs, "to be tried on") {
		t.Errorf("%d: %s", code, errs)
	}
}
