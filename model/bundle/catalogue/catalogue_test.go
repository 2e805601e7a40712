package catalogue

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/bundle"
)

func TestEntriesAreComplete(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	sum := regexp.MustCompile(`^[0-9a-f]{64}$`)
	for _, e := range all {
		if names[e.Name] {
			t.Errorf("%s stands there twice", e.Name)
		}
		names[e.Name] = true
		if e.About == "" || e.Manifest.Licence == "" || e.Manifest.Version == "" {
			t.Errorf("%s lacks a description, licence or version", e.Name)
		}
		for _, b := range []*Blob{&e.Model, e.Labels} {
			if b == nil {
				continue
			}
			places := 0
			for _, p := range []string{b.Own, b.Native, b.URL} {
				if p != "" {
					places++
				}
			}
			if !sum.MatchString(b.SHA256) || b.Size <= 0 || b.File == "" || b.Origin() == "" || places != 1 {
				t.Errorf("%s: incomplete file %+v", e.Name, b)
			}
		}
		m := e.Manifest
		m.Schema, m.Name = bundle.Schema, e.Name
		m.Files = map[string]string{bundle.ModelFile: e.Model.SHA256, bundle.LabelsFile: e.Model.SHA256}
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
	for _, want := range []string{"ssd-oidv4", "face-short", "face-full", "garments", "masks", "recycling"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestPullNative builds the bundles whose files setup fetched.
func TestPullNative(t *testing.T) {
	native := filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))
	s, err := bundle.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ssd-oidv4", "face-short", "face-full", "garments", "masks", "recycling"} {
		t.Run(name, func(t *testing.T) {
			e, err := Find(name)
			if err != nil {
				t.Fatal(err)
			}
			var last int64
			id, err := Pull(context.Background(), e, "", Options{NativeDir: native}, s, func(done, _ int64) { last = done })
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Pull(context.Background(), e, "", Options{NativeDir: native}, s, nil); err != nil || again != id {
				t.Errorf("a second pull gives %s, %v; the first gave %s", again, err, id)
			}
			if last == 0 {
				t.Error("no progress was told")
			}
			b, err := s.Use(name)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d labels, accuracy %.3f on %s", id, len(b.Labels), b.Manifest.Accuracy, b.Manifest.AccuracyOn)
		})
	}
}

// TestPullLocal builds the bundles of the entries with a URL from local copies of the files.
func TestPullLocal(t *testing.T) {
	models, labels := shared.Path(t, "models/models"), shared.Path(t, "models/labels")
	s, err := bundle.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Model.URL == "" {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			id, err := Pull(context.Background(), e, models, Options{Labels: filepath.Join(labels, e.Labels.File)}, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(id)
		})
	}
}

func TestPullRefuses(t *testing.T) {
	body := "not the model"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			http.NotFound(w, r)
		case "/large":
			w.Write(make([]byte, 300_000))
		default:
			w.Write([]byte(body))
		}
	}))
	defer srv.Close()
	e, err := Find("face-short")
	if err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(t.TempDir(), "x.tflite")
	if err := os.WriteFile(local, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from, want string
		is               error
	}{
		{"setup has not run", "", "no such file: run make setup", bundle.ErrNotFound},
		{"missing file", "/no/such", "no such file", bundle.ErrNotFound},
		{"other file", local, "expected " + e.Model.SHA256, bundle.ErrMismatch},
		{"other download", srv.URL + "/x", "expected " + e.Model.SHA256, bundle.ErrMismatch},
		{"404", srv.URL + "/gone", "404 Not Found", nil},
		{"too large", srv.URL + "/large", "larger than the 229032 bytes", bundle.ErrMismatch},
		{"no server", "http://127.0.0.1:1/x", "connection refused", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := bundle.OpenStore(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Pull(context.Background(), e, c.from, Options{NativeDir: t.TempDir(), Client: srv.Client()}, s, nil)
			var be *bundle.Error
			if !errors.As(err, &be) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want an *Error with %q", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if list, _ := s.List(); len(list) != 0 {
				t.Errorf("%d bundles are installed after a refused pull", len(list))
			}
		})
	}
	if _, err := Find("nothing"); !errors.Is(err, bundle.ErrNotFound) {
		t.Errorf("an unknown name: %v", err)
	}
}
