package bundle

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gleaner/internal/shared"
)

// three installs three versions of one bundle and returns their ids, oldest first.
func three(t *testing.T) (*Store, []string) {
	t.Helper()
	s, err := OpenStore(filepath.Join(t.TempDir(), "저장소"))
	if err != nil {
		t.Fatal(err)
	}
	m, files := quant(t)
	var ids []string
	for _, v := range []string{"1", "2", "3"} {
		m.Version = v
		src := filepath.Join(t.TempDir(), "src")
		if _, err := Write(src, m, files); err != nil {
			t.Fatal(err)
		}
		id, err := s.Install(src)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return s, ids
}

func TestStoreUse(t *testing.T) {
	s, ids := three(t)
	if _, err := s.Current(); !errors.Is(err, ErrNotFound) {
		t.Errorf("current of a store where nothing was chosen: %v", err)
	}
	for i, c := range []struct{ use, current, previous string }{
		{ids[0], ids[0], ""}, {ids[1], ids[1], ids[0]}, {ids[1], ids[1], ids[0]}, {"previous", ids[0], ids[1]}, {ids[2], ids[2], ids[0]},
	} {
		if _, err := s.Use(c.use); err != nil {
			t.Fatal(err)
		}
		cur, _ := s.Current()
		prev, _ := s.Previous()
		if cur != c.current || prev != c.previous {
			t.Errorf("step %d: current %s, previous %s", i, cur, prev)
		}
	}
	// A bundle that cannot be opened changes nothing.
	if err := os.WriteFile(filepath.Join(s.Dir(), ids[1], LabelsFile), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Use(ids[1]); !errors.Is(err, ErrMismatch) {
		t.Errorf("use of a damaged bundle: %v", err)
	}
	if cur, _ := s.Current(); cur != ids[2] {
		t.Errorf("current is %s after a refused switch", cur)
	}
	// Installing it again repairs it.
	m, files := quant(t)
	m.Version = "2"
	if id, err := s.Put(m, files); err != nil || id != ids[1] {
		t.Fatalf("put again: %s, %v", id, err)
	}
	if _, err := s.Use(ids[1]); err != nil {
		t.Errorf("use after the repair: %v", err)
	}
}

// TestStoreNamesOnce: what is installed in several versions is named once.
func TestStoreNamesOnce(t *testing.T) {
	s, _ := three(t)
	m, files := quant(t)
	first := m.Name
	m.Name = "zebra"
	if _, err := s.Put(m, files); err != nil {
		t.Fatal(err)
	}
	_, err := s.Resolve("nosuch")
	var e *Error
	if !errors.As(err, &e) || e.Hint != "installed are "+first+", zebra" {
		t.Errorf("%v, hint %q", err, e.Hint)
	}
}

func TestStoreResolve(t *testing.T) {
	s, ids := three(t)
	if _, err := s.Use(ids[1]); err != nil {
		t.Fatal(err)
	}
	dir := func(id string) string { return filepath.Join(s.Dir(), id) }
	for _, c := range []struct{ ref, want string }{
		{"current", dir(ids[1])}, {"mobilenet", dir(ids[1])}, {ids[0], dir(ids[0])}, {"./a/b", "./a/b"}, {"/x", "/x"},
	} {
		if got, err := s.Resolve(c.ref); err != nil || got != c.want {
			t.Errorf("%q is %q, %v; want %q", c.ref, got, err, c.want)
		}
	}
	for _, ref := range []string{"nothing", "previous", "", "..%2f"} {
		if got, err := s.Resolve(ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q is %q, %v", ref, got, err)
		}
	}
}

// TestStoreBOM: a manifest that an editor put a byte order mark before is installed, and found by its name.
func TestStoreBOM(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	m, files := quant(t)
	b, err := Write(dir, m, files)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ManifestFile)
	raw, err := os.ReadFile(path)
	if err = errors.Join(err, os.WriteFile(path, append([]byte("\xef\xbb\xbf"), raw...), 0o644)); err != nil {
		t.Fatal(err)
	}
	s, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Install(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Use(b.Manifest.Name); err != nil || got.Manifest.Name != b.Manifest.Name {
		t.Errorf("%v, %v", got, err)
	}
}

func TestStorePrune(t *testing.T) {
	s, ids := three(t)
	if _, err := s.Use(ids[0]); err != nil {
		t.Fatal(err)
	}
	// What a crash in the middle of an install leaves.
	if err := os.MkdirAll(filepath.Join(s.Dir(), tempPrefix+"123", "half"), 0o755); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 3 {
		t.Fatalf("%d bundles are listed, %v", len(list), err)
	}
	gone, err := s.Prune(1)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List()
	if err != nil || len(gone) != 1 || len(list) != 2 {
		t.Errorf("%v went, %d stay, %v", gone, len(list), err)
	}
	if !slices.ContainsFunc(list, func(in Installed) bool { return in.Current && in.ID == ids[0] }) {
		t.Error("the current bundle went")
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir(), tempPrefix+"*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestStoreSwitchUnderReaders switches from several goroutines while others read: every reader sees an installed
// bundle, and the file is never half written.
func TestStoreSwitchUnderReaders(t *testing.T) {
	s, ids := three(t)
	if _, err := s.Use(ids[0]); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 10 {
				if _, err := s.Use(ids[(i+w)%3]); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 200 {
				if id, err := s.Current(); err != nil || !slices.Contains(ids, id) {
					t.Errorf("current is %q, %v", id, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestStoreDamagedState(t *testing.T) {
	s, ids := three(t)
	for _, text := range []string{"", "{", `{"current":"../../etc"}`, "\x00\x00"} {
		if err := os.WriteFile(s.StatePath(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Current(); err == nil {
			t.Errorf("%q was taken for a choice", text)
		}
		if _, err := s.Use(ids[0]); err != nil {
			t.Errorf("%q cannot be repaired: %v", text, err)
		}
	}
}

func TestAdd(t *testing.T) {
	_, files := quant(t)
	dir := t.TempDir()
	model, labels := filepath.Join(dir, "My Model (v1).tflite"), filepath.Join(dir, "labels.txt")
	for p, b := range map[string][]byte{model: files[ModelFile], labels: files[LabelsFile]} {
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := OpenStore(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Add(s, model, labels, Answers{}) // this file says everything itself
	if err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || len(got.Open) != 0 {
		t.Fatalf("open are %+v", got.Open)
	}
	in := got.Manifest.Input
	if got.Manifest.Name != "my-model-v1" || !got.Manifest.Background || in.Width != 128 || in.Colour != "rgb" || got.Manifest.Head != "probs" ||
		in.Std[0] < 127 || in.Std[0] > 128 {
		t.Errorf("manifest is %+v", got.Manifest)
	}
	if b, err := s.Use("my-model-v1"); err != nil || len(b.Labels) != 1001 {
		t.Errorf("what was added cannot be used: %v", err)
	}
	if err := os.WriteFile(labels, files[LabelsFile][len("background\n"):], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Add(s, model, labels, Answers{})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Problem, "1000 labels, but the model has 1001 classes") || e.Hint == "" {
		t.Errorf("a label too few: %v", err)
	}
}

// TestAddAsks wraps models that say less and wants the questions that are left.
func TestAddAsks(t *testing.T) {
	for _, c := range []struct {
		name, file string
		answers    Answers
		open       string
	}{
		{"float ssd", "ssd_oidv4_fp16", Answers{}, "head=ssd colour=rgb scale=127.5 127.5"},
		{"float ssd, head said", "ssd_oidv4_fp16", Answers{Head: "ssd"}, "colour=rgb scale=127.5 127.5 labels="},
		{"uint8 with post-processing", "coco_ssd_mobilenet_v1_quant", Answers{}, "colour=rgb labels="},
		{"face", "face_detection_short_range", Answers{}, "head=blazeface-short colour=rgb scale=127.5 127.5"},
		{"face, all said", "face_detection_short_range",
			Answers{Head: "blazeface-short", Colour: "rgb", Mean: []float32{127.5}, Std: []float32{127.5}}, ""},
		{"edgetpu", "mobilenet_v1_0.25_128_quant_edgetpu", Answers{Colour: "rgb"}, "head=logits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := OpenStore(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			got, err := Add(s, shared.Path(t, "models/models/"+c.file+".tflite"), "", c.answers)
			if err != nil {
				t.Fatal(err)
			}
			var open []string
			for _, q := range got.Open {
				open = append(open, q.Field+"="+q.Likely)
			}
			if strings.Join(open, " ") != c.open || (got.ID == "") != (c.open != "") {
				t.Errorf("open is %q, want %q; id %q", open, c.open, got.ID)
			}
			if got.EdgeTPU != strings.Contains(c.file, "edgetpu") {
				t.Errorf("EdgeTPU is %v", got.EdgeTPU)
			}
		})
	}
}

// FuzzManifest feeds the manifest and the labels with anything: errors, never a panic, and never a path outside.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schema":"bundle/1","name":"a","task":"classify","head":"probs","input":{"prep":"linear/1","width":1,`+
		`"height":1,"colour":"rgb","mean":[0],"std":[1],"fit":"crop"},"files":{"model.tflite":"00"}}`), []byte("a\nb"))
	f.Add([]byte(`{"schema":"bundle/1","name":"a","task":"classify","head":"probs","heads":[{"name":"class","labels":["a","b"]},`+
		`{"name":"dirt","output":1,"labels":["c","d"]}],"rules":[{"head":"dirt","label":"d","then":"e"}]}`), []byte("a\nb\ne"))
	f.Add([]byte(`{"files":{"../x":""}}`), []byte("\xef\xbb\xbf고양이\r\n"))
	f.Fuzz(func(t *testing.T, manifest, labels []byte) {
		dir := t.TempDir()
		for n, b := range map[string][]byte{ManifestFile: manifest, LabelsFile: labels} {
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var e *Error
		if _, err := Open(dir); !errors.As(err, &e) {
			t.Errorf("a bundle without a model opened, or failed with %v", err)
		}
	})
}
