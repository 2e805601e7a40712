package bundle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/internal/shared"
)

// quant is a small real classifier with 1001 labels, and a manifest that fits it.
func quant(t *testing.T) (Manifest, map[string][]byte) {
	t.Helper()
	read := func(p string) []byte {
		b, err := os.ReadFile(shared.Path(t, p))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return Manifest{Name: "mobilenet", Version: "1", Task: "classify", Head: "probs", Background: true,
			Input: Input{Prep: "linear/1", Width: 128, Height: 128, Colour: "rgb", Mean: []float32{127.5}, Std: []float32{127.5}, Fit: "stretch"}},
		map[string][]byte{ModelFile: read("models/models/mobilenet_v1_0.25_128_quant.tflite"), LabelsFile: read("models/labels/imagenet_labels.txt")}
}

func TestWriteOpen(t *testing.T) {
	m, files := quant(t)
	dir := filepath.Join(t.TempDir(), "모델 하나")
	b, err := Write(dir, m, files)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Labels) != 1001 || b.Labels[1] != "tench, Tinca tinca" || len(b.SHA256) != 64 {
		t.Fatalf("%d labels, sha %s", len(b.Labels), b.SHA256)
	}
	again, err := Write(dir, m, files)
	if err != nil || again.SHA256 != b.SHA256 {
		t.Fatalf("writing the same bundle again: %v", err)
	}
	m.Version = "2"
	if _, err := Write(dir, m, files); !errors.Is(err, os.ErrExist) {
		t.Fatalf("writing another bundle over it: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), tempPrefix+"*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestOpenRefuses spoils a good bundle in one way each and wants the words that name the fault.
func TestOpenRefuses(t *testing.T) {
	m, files := quant(t)
	edit := func(f func(map[string]any)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			p := filepath.Join(dir, ManifestFile)
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			var x map[string]any
			if err := json.Unmarshal(b, &x); err != nil {
				t.Fatal(err)
			}
			f(x)
			b, _ = json.Marshal(x)
			if err := os.WriteFile(p, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(name string, b []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
			edit(func(x map[string]any) { x["files"].(map[string]any)[name] = hexSum(b) })(t, dir)
		}
	}
	link := func(target string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			p := filepath.Join(dir, LabelsFile)
			os.Remove(p)
			if err := os.Symlink(target, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	outside := filepath.Join(t.TempDir(), "labels.txt")
	os.WriteFile(outside, files[LabelsFile], 0o644)
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
		is    error
	}{
		{"no manifest", func(t *testing.T, d string) { os.Remove(filepath.Join(d, ManifestFile)) }, "bundle.json: no such file", ErrNotFound},
		{"not json", func(t *testing.T, d string) { os.WriteFile(filepath.Join(d, ManifestFile), []byte("{"), 0o644) }, "not a manifest", ErrInvalid},
		{"wrong type", edit(func(x map[string]any) { x["head"] = 3 }), "not a manifest", ErrInvalid},
		{"schema", edit(func(x map[string]any) { x["schema"] = "bundle/9" }), `schema: "bundle/9" is not known`, ErrInvalid},
		{"name", edit(func(x map[string]any) { x["name"] = "../x" }), "name:", ErrInvalid},
		{"head", edit(func(x map[string]any) { x["head"] = "magic" }), `head: "magic" is not known`, ErrInvalid},
		{"task", edit(func(x map[string]any) { x["task"] = "detect" }), `task: "detect" does not go with head "probs"`, ErrInvalid},
		{"std", edit(func(x map[string]any) { x["input"].(map[string]any)["std"] = []int{0} }), "input.std: 0 is not above 0", ErrInvalid},
		{"colour", edit(func(x map[string]any) { x["input"].(map[string]any)["colour"] = "yuv" }), "input.colour", ErrInvalid},
		{"leaves the folder", edit(func(x map[string]any) { x["files"].(map[string]any)["../../etc/passwd"] = strings.Repeat("0", 64) }), "not a path inside", ErrInvalid},
		{"absolute", edit(func(x map[string]any) { x["files"].(map[string]any)["/etc/passwd"] = strings.Repeat("0", 64) }), "not a path inside", ErrInvalid},
		{"link out", link(outside), "leads out of the bundle's folder", ErrInvalid},
		{"missing file", func(t *testing.T, d string) { os.Remove(filepath.Join(d, ModelFile)) }, "model.tflite: no such file", ErrNotFound},
		{"changed file", func(t *testing.T, d string) { os.WriteFile(filepath.Join(d, LabelsFile), []byte("a\nb\n"), 0o644) },
			"labels.txt: sha256 is " + hexSum([]byte("a\nb\n")) + ", expected " + hexSum(files[LabelsFile]), ErrMismatch},
		{"label count", put(LabelsFile, []byte("고양이\n개\n")), "2 labels, but the model has 1001 classes", ErrInvalid},
		{"labels not UTF-8", put(LabelsFile, []byte("a\n\xb0\xed\n")), "line 2 is not UTF-8", ErrInvalid},
		{"model truncated", put(ModelFile, files[ModelFile][:5000]), "model.tflite: damaged TensorFlow Lite file", nil},
		{"model is a page", put(ModelFile, []byte("<html>404")), "it is an HTML page", nil},
		{"input size", edit(func(x map[string]any) { x["input"].(map[string]any)["width"] = 224 }), "the model's input is [1 128 128 3], the manifest says [1 128 224 3]", ErrInvalid},
		{"channels", edit(func(x map[string]any) { x["input"].(map[string]any)["colour"] = "gray" }), "the manifest says [1 128 128 1]", ErrInvalid},
		{"head does not fit", edit(func(x map[string]any) { x["head"], x["task"] = "ssd", "detect" }), `head "ssd" needs boxes`, ErrInvalid},
		{"heads with a background", edit(func(x map[string]any) { x["heads"] = []any{map[string]any{"name": "class"}} }),
			"heads: only a classifier without a background class has several", ErrInvalid},
		{"a view that is none", edit(func(x map[string]any) { x["views"] = []string{"mirror", "upside-down"} }), `views: "upside-down" is not "mirror" or "close"`, ErrInvalid},
		{"rules without heads", edit(func(x map[string]any) {
			x["background"], x["rules"] = false, []any{map[string]any{"head": "dirt", "label": "dirty", "then": "general"}}
		}), "heads: there are 0, and 2 to 8 can be joined", ErrInvalid},
		{"more heads than outputs", edit(func(x map[string]any) {
			x["background"], x["rules"] = false, []any{map[string]any{"head": "dirt", "label": "dirty", "then": "general"}}
			x["heads"] = []any{map[string]any{"name": "class", "labels": []string{"a", "b"}}, map[string]any{"name": "dirt", "output": 1, "labels": []string{"clean", "dirty"}}}
		}), "the model has 1 outputs, the manifest states 2 heads", ErrInvalid},
		{"wrong rank", func(t *testing.T, d string) {
			b, err := os.ReadFile(shared.Path(t, "models/models/model_invoking_error.tflite"))
			if err != nil {
				t.Fatal(err)
			}
			put(ModelFile, b)(t, d)
		}, "the model", ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "b")
			if _, err := Write(dir, m, files); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			_, err := Open(dir)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v (%T), want an *Error", err, err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %q, want it to contain %q in one line", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
		})
	}
	t.Run("unknown fields", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "b")
		if _, err := Write(dir, m, files); err != nil {
			t.Fatal(err)
		}
		edit(func(x map[string]any) { x["later"] = map[string]int{"a": 1} })(t, dir)
		if _, err := Open(dir); err != nil {
			t.Errorf("an additive field was refused: %v", err)
		}
	})
}

func TestParseLabels(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string
		fails      bool
	}{
		{"plain", "a\nb\n", "a|b", false},
		{"korean, BOM and CRLF", "\xef\xbb\xbf고양이\r\n강아지\r\n", "고양이|강아지", false},
		{"blank lines at the end", "a\nb\n\n \n", "a|b", false},
		{"blank line between", "a\n\nb", "a||b", false},
		{"cp949", "\xb0\xed\xbe\xe7", "", true},
		{"empty", "\n\n", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseLabels([]byte(c.text))
			if (err != nil) != c.fails || strings.Join(got, "|") != c.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// TestReplace puts one bundle in the place of another; one that cannot be written leaves the old one.
func TestReplace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	m, files := quant(t)
	for _, version := range []string{"1", "2"} {
		m.Version = version
		if err := Replace(dir, m, files); err != nil {
			t.Fatal(err)
		}
	}
	bad := m
	bad.Name = ""
	if err := Replace(dir, bad, files); err == nil {
		t.Error("a bundle without a name is written")
	}
	check := func(version string) {
		t.Helper()
		left, _ := filepath.Glob(dir + "*")
		if b, err := Open(dir); err != nil || b.Manifest.Version != version || len(left) != 1 {
			t.Errorf("%+v, %v; left are %v", b, err, left)
		}
	}
	check("2")
	for _, killed := range []string{".old", ".next"} { // between the two renames; and before the first of a bundle that is new
		if err := os.Rename(dir, dir+killed); err != nil {
			t.Fatal(err)
		}
		if err := Replace(dir, bad, files); err == nil {
			t.Error("a bundle without a name is written")
		}
		check("2")
	}
	m.Version = "3"
	if err := Replace(dir, m, files); err != nil {
		t.Fatal(err)
	}
	check("3")
}
