package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/capture/cv"
	"gleaner/internal/shared"
	"gleaner/model/tflite"
	"gleaner/train/engine/xla"
)

// TestMain is the program itself where the delegate's probe starts it anew.
func TestMain(m *testing.M) {
	if tflite.ProbeChild() {
		return
	}
	xla.ProbeChild()
	os.Exit(m.Run())
}

// gleaner runs one command line in this process.
func gleaner(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), func() {}, args, &out, &errs)
	return code, out.String(), errs.String()
}

// works runs a command line that must succeed.
func works(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := gleaner(t, args...)
	if code != exitOK {
		t.Fatalf("gleaner %s: exit code %d, %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// store is the flag for a store of the test's own.
func store(t *testing.T) string { return "--set=models.dir=" + t.TempDir() }

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// picture writes a PNG.
func picture(t *testing.T, name string) string {
	t.Helper()
	im := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range 64 * 48 {
		im.Set(i%64, i/64, color.RGBA{uint8(i), uint8(i / 7), 90, 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return write(t, name, b.String())
}

// TestBadInput: one line that names the culprit, nothing on standard output, exit code 2.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.yaml")
	models := store(t)
	cam := []string{"--set=cameras[0].name=a", "--set=cameras[0].source=belt:", "--set=web.listen=", models}
	with := func(verb string, more ...string) []string { return append(append([]string{verb}, cam...), more...) }
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"verb", []string{"dance"}, `unknown command "dance"`},
		{"verb of models", []string{"models", "dance"}, `unknown command "dance" for "gleaner models"`},
		{"verb, misspelt", []string{"trian"}, `unknown command "trian" for "gleaner"; did you mean "train"? see gleaner --help`},
		{"verb of data, misspelt", []string{"data", "imprt", "x"}, `for "gleaner data"; did you mean`},
		{"flag", []string{"run", "--dance"}, "unknown flag: --dance; see gleaner run --help"},
		{"flag, misspelt", []string{"train", "--resum"}, `unknown flag: --resum; did you mean "--resume"? see gleaner train --help`},
		{"key of data crop, misspelt", []string{"data", "crop", "x", "detectr=y"}, `detectr: unknown key; did you mean "detector"? gleaner data crop --help`},
		{"argument missing, with its name", []string{"data", "import"}, "received 0: gleaner data import PICTURES; see gleaner data import --help"},
		{"argument too many", []string{"check", "x"}, "see gleaner check --help"},
		{"argument missing", []string{"once"}, "requires at least 1 arg"},
		{"config missing", []string{"check", "-c", missing}, missing + ": cannot be read"},
		{"config is a folder", []string{"check", "-c", dir}, dir + ": "},
		{"config no YAML", []string{"check", "-c", write(t, "a.yaml", "cameras: [")}, "a.yaml: yaml: "},
		{"unknown key", []string{"run", "-c", write(t, "b.yaml", "camera: []\n")}, `b.yaml: camera: unknown key; did you mean "cameras"?`},
		{"no unit", []string{"run", "-c", write(t, "c.yaml", "cameras:\n- {name: a, source: 'belt:', stall: 3}\n")},
			"c.yaml: cameras[0].stall: 3 needs a unit, such as 3s"},
		{"set without value", []string{"check", "--set", "foo"}, "--set: foo: not of the form key=value"},
		{"set of a wrong index", []string{"check", "--set", "cameras[x].name=a"}, "--set: cameras[x].name=a: "},
		{"set of an unknown key", []string{"check", "--set", "web.lisen=x"}, `web.lisen: unknown key; did you mean "listen"?`},
		{"no camera", []string{"run"}, "no camera is configured"},
		{"two cameras of one name", with("run", "--set=cameras[1].name=a", "--set=cameras[1].source=belt:"),
			`cameras[1].name: "a" is also the name of cameras[0]`},
		{"no source", []string{"replay"}, "no source"},
		{"no source to bench", []string{"bench"}, "no source"},
		{"unknown scheme", with("run", "--set=cameras[0].source=foo:bar"), `unknown scheme "foo"`},
		{"no such camera", []string{"replay", "--camera", "x", "belt:"}, "--camera x: "},
		{"broker's URL", with("run", "--set=mqtt.broker=::::"), "mqtt.broker: not a URL"},
		{"broker's scheme", with("run", "--set=mqtt.broker=ftp://x"), `mqtt.broker: scheme "ftp"`},
		{"broker's port", with("run", "--set=mqtt.broker=mqtt://h:99999"), "mqtt.broker: port 99999"},
		{"own broker's port", with("run", "--set=mqtt.embedded.listen=127.0.0.1:abc"), `mqtt.embedded.listen: port "abc"`},
		{"page's port", with("run", "--set=web.listen=127.0.0.1:99999"), "web.listen: "},
		{"no such classifier", with("run", "--set=cameras[0].classify.models=[nope]"), `camera a: classify: `},
		{"no such detector", []string{"once", "--detect", "nope", picture(t, "x.png"), models}, `no bundle "nope" is installed`},
		{"no such model", []string{"models", "add", filepath.Join(dir, "x.tflite"), models}, "x.tflite: no such file"},
		{"empty model", []string{"models", "add", write(t, "e.tflite", ""), models}, "e.tflite: not a TensorFlow Lite file"},
		{"unknown to the catalogue", []string{"models", "pull", "nope", models}, "nope: the catalogue has no such model"},
		{"use of nothing", []string{"models", "use", "nope", models}, `no bundle "nope" is installed`},
		{"cameras of bench", []string{"bench", "belt:", "--cameras", "100"}, "--cameras 100: is not between 1 and 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := gleaner(t, c.args...)
			if code != exitBadInput || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "gleaner: ") || !strings.Contains(errs, c.want) {
				t.Errorf("exit code %d, %q; want 2 and one line with %q", code, errs, c.want)
			}
			if out != "" {
				t.Errorf("standard output %q", out)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	if out := works(t, "version"); !strings.HasPrefix(out, "gleaner devel (go") || !strings.Contains(out, "OpenCV: ") ||
		!strings.Contains(out, "TensorFlow Lite: ") {
		t.Errorf("version says %s", out)
	}
	var v struct{ Version, OpenCV, TFLite string }
	if err := json.Unmarshal([]byte(works(t, "version", "--json")), &v); err != nil || v.Version != "devel" || v.TFLite != tflite.Version() {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestCheckShowsWhatItWouldUse: what check --show prints is a configuration, and that one shows the same again.
func TestCheckShowsWhatItWouldUse(t *testing.T) {
	file := write(t, "벨트.yaml", "cameras:\n- name: 벨트/1 +#\n  source: 'belt:'\n  stall: 5s\n  decide: {reject: [유리]}\n")
	if out := works(t, "check", "-c", file); out != "ok: 1 camera(s)\n" {
		t.Errorf("check says %q", out)
	}
	show := works(t, "check", "-c", file, "--show", "--set", "cameras[0].fps=25", "--set=cameras[0].detect.roi=[[0,0],[1,0],[1,1]]")
	for _, want := range []string{"name: 벨트/1 +#", "stall: 5s", "fps: 25", "유리", "listen: 127.0.0.1:8080"} {
		if !strings.Contains(show, want) {
			t.Errorf("%q is not in\n%s", want, show)
		}
	}
	if again := works(t, "check", "--show", "-c", write(t, "again.yaml", show)); again != show {
		t.Errorf("shown\n%s\nshown again\n%s", show, again)
	}
}

func TestModels(t *testing.T) {
	dir := store(t)
	for _, name := range []string{"garments", "ssd-oidv4", "face-short"} {
		if !strings.Contains(works(t, "models", "list", dir), name) {
			t.Errorf("%s is not listed", name)
		}
	}
	native := filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))
	t.Setenv("GLEANER_NATIVE", native)
	id := strings.TrimSpace(works(t, "models", "pull", "garments", "--use", dir))
	if !strings.HasPrefix(id, "garments-") {
		t.Fatalf("pulled %q", id)
	}
	face := strings.TrimSpace(works(t, "models", "pull", "face-short", dir))
	var rows []listed
	if err := json.Unmarshal([]byte(works(t, "models", "list", "--json", dir)), &rows); err != nil {
		t.Fatal(err)
	}
	current := ""
	for _, r := range rows {
		if r.Current {
			current = r.ID
		}
	}
	if current != id {
		t.Errorf("current is %q, want %q", current, id)
	}
	if out := works(t, "models", "verify", dir); strings.Count(out, "ok    ") != 2 {
		t.Errorf("verify says %s", out)
	}
	if out := works(t, "models", "use", face, dir); !strings.HasPrefix(out, "current: face-short sha256:") {
		t.Errorf("use says %s", out)
	}
	if out := works(t, "models", "use", "previous", dir); !strings.HasPrefix(out, "current: garments sha256:") {
		t.Errorf("use previous says %s", out)
	}
	path := filepath.Join(strings.TrimPrefix(dir, "--set=models.dir="), id, "labels.txt")
	if err := os.WriteFile(path, []byte("other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := gleaner(t, "models", "verify", dir)
	if code != exitBadInput || !strings.Contains(out, "FAIL  "+id) || !strings.Contains(out, "ok    "+face) || !strings.Contains(errs, path) {
		t.Errorf("a changed file: exit code %d, %s%s", code, out, errs)
	}
}

// TestOnce looks at the whole picture, in every build that has OpenCV.
func TestOnce(t *testing.T) {
	if !cv.Real {
		t.Skip("this build has no OpenCV")
	}
	good, bad := picture(t, "병 1.png"), write(t, "bad.png", "no picture")
	code, out, errs := gleaner(t, "once", good, bad, store(t))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitBadInput || len(lines) != 2 || !strings.Contains(lines[0], `병 1.png","width":64,"height":48,"objects":[{"box":[0,0,64,48]`) ||
		!strings.Contains(lines[1], `"error":`) || !strings.Contains(errs, "1 of 2 pictures could not be read") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	code, _, errs = gleaner(t, "once", bad, store(t))
	if code != exitBadInput || !strings.Contains(errs, bad) || !strings.Contains(errs, "not a picture") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// TestOnceFolder answers each picture of a folder, and a JPEG that is cut off with an error, as an import does.
func TestOnceFolder(t *testing.T) {
	if !cv.Real {
		t.Skip("this build has no OpenCV")
	}
	dir := t.TempDir()
	var whole bytes.Buffer
	if err := jpeg.Encode(&whole, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"a10.jpg": whole.Bytes(), "a9.jpg": whole.Bytes(), "b.jpg": whole.Bytes()[:whole.Len()-20]} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := gleaner(t, "once", dir, store(t))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitBadInput || len(lines) != 3 || !strings.Contains(lines[0], `a9.jpg","width":64`) || !strings.Contains(lines[1], `a10.jpg","width":64`) ||
		!strings.Contains(lines[2], "the JPEG is cut off") || !strings.Contains(errs, "1 of 3 pictures could not be read") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// belt are the flags for a small belt with a few of Debian's garments.
func belt(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat("/usr/share/datasets/fashion-mnist"); err != nil {
		t.Skip("Fashion-MNIST is absent (Debian: dataset-fashion-mnist)")
	}
	return []string{"belt:", store(t), "--set=cameras[0].width=160", "--set=cameras[0].height=120", "--set=cameras[0].fps=15",
		"--set=cameras[0].detect.motion.width=160", "--set=cameras[0].belt.speed=100", "--set=cameras[0].belt.gap=40",
		"--set=cameras[0].belt.count=3", "--set=cameras[0].belt.touching=0", "--set=cameras[0].belt.light_drift=0"}
}

func TestReplay(t *testing.T) {
	args := append([]string{"replay", "--json"}, belt(t)...)
	code, out, errs := gleaner(t, args...)
	var s replaySummary
	if err := json.Unmarshal([]byte(errs), &s); code != exitOK || err != nil {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	if strings.Count(out, "\n") != int(s.Verdicts) || s.Verdicts != 3 || s.Frames == 0 {
		t.Errorf("%+v\n%s", s, out)
	}
	if again := works(t, args...); again != out {
		t.Errorf("first\n%ssecond\n%s", out, again)
	}
}

func TestBench(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	out := works(t, append([]string{"bench", "--json", "--warmup=10", "--cameras=2", "--trace", trace}, belt(t)...)...)
	var r struct {
		Cameras, Frames, Verdicts int
		CPU                       float64 `json:"cpu_ms_per_frame"`
		Stages                    []struct{ Stage string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Cameras != 2 || r.Frames == 0 || r.Verdicts != 6 || r.CPU <= 0 || len(r.Stages) < 3 {
		t.Errorf("%v: %s", err, out)
	}
	b, err := os.ReadFile(trace)
	if err != nil || strings.Count(string(b), "\n") < r.Frames/2 {
		t.Errorf("%d frames, but the trace has %d lines, %v", r.Frames, strings.Count(string(b), "\n"), err)
	}
}

// TestDoctor tries a belt that works and a clip that does not exist.
func TestDoctor(t *testing.T) {
	b := belt(t)
	args := append([]string{"doctor", "--json", "--set=cameras[0].name=belt", "--set=cameras[0].source=belt:",
		"--set=cameras[1].name=clip", "--set=cameras[1].source=/nonexistent/벨트.mp4", "--set=mqtt.embedded.listen=127.0.0.1:0"}, b[1:]...)
	code, out, errs := gleaner(t, args...)
	var all []finding
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != exitFailed || !strings.Contains(errs, "parts do not work") {
		t.Fatalf("exit code %d, %v, %s%s", code, err, out, errs)
	}
	ok := map[string]bool{}
	for _, f := range all {
		ok[f.Part] = f.OK
		if f.What == "" {
			t.Errorf("%s: nothing is said", f.Part)
		}
	}
	if found, said := ok["camera belt"]; !found || !said || ok["camera clip"] || !ok["broker"] {
		t.Errorf("found %v", ok)
	}
}

// TestRunStops: a run with a bound ends by itself, and one that is told to stop ends too.
func TestRunStops(t *testing.T) {
	b := belt(t)
	args := append([]string{"run", "--set=cameras[0].name=belt", "--set=cameras[0].source=belt:", "--set=web.listen=127.0.0.1:0",
		"--set=mqtt.embedded.listen=127.0.0.1:0"}, b[1:]...)
	code, _, errs := gleaner(t, append(args, "--for=1s")...)
	if code != exitOK || !strings.Contains(errs, "msg=ready") || !strings.Contains(errs, "msg=stopped") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, log bytes.Buffer
	restored := make(chan struct{})
	if code := run(ctx, func() { close(restored) }, args, &out, &log); code != exitOK {
		t.Errorf("exit code %d, %s", code, log.String())
	}
	<-restored // so that a second signal ends the process
}

// TestNullIsNoTerminal: a service whose standard input is /dev/null is asked nothing.
func TestNullIsNoTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) || isTerminal(&bytes.Buffer{}) {
		t.Error("the null device is taken for a terminal")
	}
}
