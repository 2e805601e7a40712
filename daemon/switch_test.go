//go:build cgo && !nonative

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
)

// twoBundles puts the garments and a copy of them under another name into a store, and a third one that is sound but no
// classifier. It returns the store and their ids.
func twoBundles(t *testing.T) (s *bundle.Store, one, two, detector string) {
	t.Helper()
	native := filepath.Dir(filepath.Dir(shared.Native(t, "models/ssd-oidv4.tflite")))
	s, err := bundle.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := catalogue.Find("garments")
	if err != nil {
		t.Fatal(err)
	}
	m, files, err := catalogue.Build(t.Context(), e, "", catalogue.Options{NativeDir: native}, nil)
	if err != nil {
		t.Fatal(err)
	}
	put := func() string {
		id, err := s.Put(m, files)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	one = put()
	m.Name, m.Version = "garments-b", "2"
	two = put()
	e, err = catalogue.Find("ssd-oidv4")
	if err != nil {
		t.Fatal(err)
	}
	if m, files, err = catalogue.Build(t.Context(), e, "", catalogue.Options{NativeDir: native}, nil); err != nil {
		t.Fatal(err)
	}
	return s, one, two, put()
}

// TestSwitchBundles switches the current bundle under a running daemon, by the store and by a command; one that does not
// fit changes nothing.
func TestSwitchBundles(t *testing.T) {
	leaks(t)
	store, one, two, detector := twoBundles(t)
	if _, err := store.Use(one); err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Models.Dir, o.Models.Workers = store.Dir(), 1
	o.Cameras = []CameraSpec{small("belt", "belt:")}
	o.Cameras[0].Classify.Models = []string{"current"}
	r := startDaemon(t, o, device)
	eventually(t, "the daemon is online", func() bool { return len(r.said("availability")) > 0 })
	inUse := func() string {
		var names []string
		for _, m := range r.snapshot().Models {
			names = append(names, m.Name)
		}
		return strings.Join(names, " ")
	}
	command := func(bundle string) string {
		before := len(r.said("cmd/models-use/result"))
		r.wait("command", r.client.Publish(r.addr.Topics+"/cmd/models-use", 1, false, fmt.Sprintf(`{"id":"%s-%d","bundle":"%s"}`,
			bundle, before, bundle)))
		eventually(t, "an answer", func() bool { return len(r.said("cmd/models-use/result")) > before })
		return r.said("cmd/models-use/result")[before]
	}
	eventually(t, "an object", func() bool { return len(r.said("cam/belt/object")) > 0 })
	if got := inUse(); got != "garments" {
		t.Errorf("in use: %s", got)
	}

	if _, err := store.Use(two); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second bundle", func() bool { return inUse() == "garments-b" })
	said := len(r.said("cam/belt/object"))
	eventually(t, "two objects more", func() bool { return len(r.said("cam/belt/object")) > said+1 })

	if got := command(detector); !strings.Contains(got, `"ok":false`) || inUse() != "garments-b" {
		t.Errorf("the detector's bundle: %s; in use %s", got, inUse())
	}
	if cur, err := store.Current(); err != nil || cur != two {
		t.Errorf("a refused command changed the store: %s, %v", cur, err)
	}
	if got := command("garments"); !strings.Contains(got, `"ok":true`) || inUse() != "garments" {
		t.Errorf("back to the first: %s; in use %s", got, inUse())
	}

	if _, err := store.Use(detector); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the refusal", func() bool { return strings.Contains(r.log.String(), "bundle not switched, the old one stays") })
	if got := inUse(); got != "garments" {
		t.Errorf("after the refusal in use: %s", got)
	}
	for _, c := range r.snapshot().Cameras {
		if c.Processed == 0 || c.Frames < c.Processed+c.Dropped {
			t.Errorf("camera %+v", c)
		}
	}
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	checkSummary(t, r.log.String(), "belt")
}

// TestModelsShareNetworks: a bundle that several name is open once, and closed with the last.
func TestModelsShareNetworks(t *testing.T) {
	store, one, two, detector := twoBundles(t)
	m, err := openModels(ModelOptions{Dir: store.Dir(), Threads: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		m.each(func(*bundle.Bundle, *loaded) { n++ })
		return n
	}
	_, a, err := m.OpenClassifier([]string{one})
	if err != nil {
		t.Fatal(err)
	}
	both, b, err := m.OpenClassifier([]string{one, two})
	if err != nil || !strings.Contains(both.Model(), ",") && !strings.HasPrefix(both.Model(), "sha256:") {
		t.Fatalf("the ensemble: %v", err)
	}
	if count() != 2 {
		t.Errorf("%d networks open, want 2", count())
	}
	if _, _, err := m.OpenClassifier([]string{two, detector}); err == nil || count() != 2 {
		t.Errorf("an ensemble with a detector in it: %v; %d networks open", err, count())
	}
	if err := b(); err != nil || count() != 1 {
		t.Errorf("%v; %d networks open, want 1", err, count())
	}
	if err := a(); err != nil || count() != 0 {
		t.Errorf("%v; %d networks open, want 0", err, count())
	}
	if err := os.WriteFile(filepath.Join(store.Dir(), two, bundle.ModelFile), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.OpenClassifier([]string{two}); err == nil || !strings.Contains(err.Error(), bundle.ModelFile) {
		t.Errorf("a changed file: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestSwitchAllOrNone: when one camera's bundle cannot be opened, no camera is switched and nothing is left open.
func TestSwitchAllOrNone(t *testing.T) {
	store, one, two, _ := twoBundles(t)
	m, err := openModels(ModelOptions{Dir: store.Dir(), Threads: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Use(one); err != nil {
		t.Fatal(err)
	}
	d := &daemon{models: m}
	for _, refs := range [][]string{{"current"}, {"current", one}} {
		c, release, err := m.OpenClassifier(refs)
		if err != nil {
			t.Fatal(err)
		}
		s := &station{spec: CameraSpec{Name: "cam"}, live: NewLive(c), release: release}
		s.spec.Classify.Models = refs
		d.stations = append(d.stations, s)
	}
	count := func() (n int) {
		m.each(func(*bundle.Bundle, *loaded) { n++ })
		return n
	}
	first, before := d.stations[0].live.Current(), count()

	model := filepath.Join(store.Dir(), one, bundle.ModelFile)
	sound, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(model, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Use(two); err != nil {
		t.Fatal(err)
	}
	if next, err := d.openSuccessors(); err == nil || next != nil || !strings.Contains(err.Error(), bundle.ModelFile) {
		t.Errorf("one of two cannot be opened: %d successors, %v", len(next), err)
	}
	if count() != before || d.stations[0].live.Current() != first {
		t.Errorf("%d networks open, want %d; the first camera was switched: %v", count(), before, d.stations[0].live.Current() != first)
	}

	if err := os.WriteFile(model, sound, 0o644); err != nil {
		t.Fatal(err)
	}
	next, err := d.openSuccessors()
	if err != nil || len(next) != 2 {
		t.Fatalf("both can be opened: %d successors, %v", len(next), err)
	}
	for _, n := range next {
		if err := n.takeOver(); err != nil {
			t.Error(err)
		}
	}
	if d.stations[0].live.Current() == first || count() != 2 {
		t.Errorf("%d networks open; the first camera was switched: %v", count(), d.stations[0].live.Current() != first)
	}
	for _, s := range d.stations {
		if err := s.release(); err != nil {
			t.Error(err)
		}
	}
	if count() != 0 {
		t.Errorf("%d networks left open", count())
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
