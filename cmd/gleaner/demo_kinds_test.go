package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/tflite"
)

// TestDemoSources: a demo's source may be a folder, a clip or an address, and what is none of them is named.
func TestDemoSources(t *testing.T) {
	dir := t.TempDir()
	clip := filepath.Join(dir, "clip.mp4")
	if err := os.WriteFile(clip, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kind, source, want string }{
		{"belt", "", "cameras[0].belt.pictures=fashion-mnist"},
		{"belt", "", "mqtt.site=demo"},
		{"masks", "rtsp://host/door", `cameras[0].source="rtsp://host/door"`},
		{"masks", clip, `cameras[0].source="file:` + clip + `"`},
		{"masks", dir, `cameras[0].source="images:` + dir + `"`},
		{"recycling", dir, `cameras[0].belt.pictures="` + dir + `"`},
		{"recycling", clip, "cameras[0].loop=true"},
	} {
		_, sets, err := findDemo(c.kind, c.source)
		if err != nil || !slices.Contains(sets, c.want) {
			t.Errorf("%s of %q: %v, %v; want %s", c.kind, c.source, sets, err, c.want)
		}
	}
	for _, c := range []struct{ want, flag, source string }{
		{"the demos are belt, masks, recycling", "--demo=tea", ""},
		{"no such file or folder", "--demo=masks", "--source=nowhere"},
		{"--source is of --demo", "", "--source=v4l2:0"},
	} {
		args := slices.DeleteFunc([]string{"run", c.flag, c.source}, func(a string) bool { return a == "" })
		if code, _, said := gleaner(t, args...); code != exitBadInput || !strings.Contains(said, c.want) {
			t.Errorf("%v: exit code %d, %s", args, code, said)
		}
	}
}

// TestHeadOfARun: the head that a run fitted on the frozen backbone becomes an entry of the catalogue, with the run's answers; a run
// in which more than the head has learnt does not.
func TestHeadOfARun(t *testing.T) {
	if tflite.Version() == "none" {
		t.Skip("this build has no TensorFlow Lite")
	}
	backbone := shared.Native(t, "models/ssd-oidv4.tflite")
	t.Setenv("GLEANER_NATIVE", filepath.Dir(filepath.Dir(backbone)))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	run, heads := filepath.Join(dir, "run"), filepath.Join(dir, "heads")
	if err := os.Mkdir(heads, 0o700); err != nil {
		t.Fatal(err)
	}
	works(t, "train", "data="+patterns(t, 12), "out="+run, "net="+backbone, "size=64", "colour=rgb", "probe=0.01",
		"views=2", "noise=0.05", "epochs=0", "val=0", "keep=last", "test=none", "report=false",
		"cut=FeatureExtractor/MobilenetV2/Conv_1/Relu6,FeatureExtractor/MobilenetV2/expanded_conv_8/expand/Relu6")
	args := []string{"models", "imprint", "--run", run, "--name=patterns", "--about=patterns", "--licence=none",
		"--accuracy=0.5", "--on=nothing", "--out=" + heads}
	works(t, args...)
	raw, err := os.ReadFile(filepath.Join(heads, "patterns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e catalogue.Entry
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Words) != 3 || len(e.Graft.Tensors) != 2 || e.Manifest.Input.Width != 64 {
		t.Errorf("%v: %+v", err, e)
	}
	if code, _, said := gleaner(t, args[:6]...); code != exitBadInput || !strings.Contains(said, "--run needs") {
		t.Errorf("without words: exit code %d, %s", code, said)
	}
	options := filepath.Join(run, "options.json")
	text, err := os.ReadFile(options)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{`"epochs": 3`, `"epochs": 0, "squares": 4`} {
		if err := os.WriteFile(options, []byte(strings.NewReplacer(`"epochs": 0`, other, `"squares": 0,`, "").Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, said := gleaner(t, args...); code != exitBadInput || !strings.Contains(said, "its backbone has learnt, or there is more than a head") {
			t.Errorf("with %s: exit code %d, %s", other, code, said)
		}
	}
}
