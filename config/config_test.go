package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gleaner/daemon"
)

var update = flag.Bool("update", false, "write example.yaml and REFERENCE.md anew")

// The shipped example says the defaults, and the reference says every key; both come from the source.
func TestDocuments(t *testing.T) {
	keys, err := Keys("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Doc == "" {
			t.Errorf("%s has no comment in the source", k.Path)
		}
	}
	for name, want := range map[string]string{"example.yaml": exampleYAML(keys), "REFERENCE.md": referenceMD(keys)} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the source says (%v): run go test ./config -update", name, err)
		}
	}
}

func TestExampleIsTheDefault(t *testing.T) {
	got, err := Load(Origin{File: "example.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	cam := daemon.DefaultCamera()
	cam.Name, cam.Source = "cam", "v4l2:0"
	want.Cameras = []daemon.CameraSpec{cam}
	if g, w := normal(*got), normal(want); !reflect.DeepEqual(g, w) {
		t.Errorf("the example gives\n%+v\nthe defaults are\n%+v", g, w)
	}
}

// normal makes empty lists nil, which the example cannot tell apart.
func normal(c Config) Config {
	v := reflect.ValueOf(&c).Elem()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			if v.Len() == 0 && v.CanSet() {
				v.SetZero()
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(v)
	return c
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "cameras:\n- name: 벨트 1\n  source: \"v4l2:0\"\n  stall: 4s\n  decide: {votes: 7}\nlog: {level: debug}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Origin{File: file, Env: []string{"GLEANER_CAMERAS_0_STALL=5s", "GLEANER_LOG_LEVEL=warn", "HOME=/x",
		"GLEANER_CAMERAS_0_BACKOFF_MAX=9s"},
		Sets: []string{"cameras[0].stall=6s", "cameras[0].detect.classes=[a, b]", "cameras[0].name=7"}})
	if err != nil {
		t.Fatal(err)
	}
	cam := c.Cameras[0]
	if cam.Stall != 6*time.Second || c.Log.Level != "warn" || cam.Decide.Votes != 7 || cam.Decide.MinVotes != 3 ||
		cam.BackoffMax != 9*time.Second || cam.Name != "7" || !reflect.DeepEqual(cam.Detect.Classes, []string{"a", "b"}) {
		t.Errorf("got %+v", cam)
	}
}

// Every *.bad.yaml of testdata gives the message in its first line.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(b), "\n")
			want := strings.TrimPrefix(first, "# ")
			_, err = Load(Origin{File: file})
			if err == nil || err.Error() != file+": "+want {
				t.Errorf("got  %v\nwant %s: %s", err, file, want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Error("the message has more than one line")
			}
		})
	}
}

func TestBadOverrides(t *testing.T) {
	for name, tc := range map[string]struct {
		origin Origin
		want   string
	}{
		"unknown variable": {Origin{Env: []string{"GLEANER_CAMRAS_0_NAME=x"}}, "environment: GLEANER_CAMRAS_0_NAME: no such configuration key"},
		"no equals sign":   {Origin{Sets: []string{"log.level"}}, "not of the form key=value"},
		"broken index":     {Origin{Sets: []string{"cameras[x].name=a"}}, "not of the form key=value"},
		"huge index":       {Origin{Sets: []string{"cameras[99999].name=a"}}, "not of the form key=value"},
		"unknown key":      {Origin{Sets: []string{"log.levl=info"}}, `log.levl: unknown key; did you mean "level"?`},
		"missing file":     {Origin{File: "testdata/none.yaml"}, "testdata/none.yaml: cannot be read"},
		"not a list":       {Origin{Sets: []string{"log[0]=1"}}, "log: is a section, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tc.origin)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

// No file and no override, however strange, ends in anything but a configuration or an error of one line.
func FuzzLoad(f *testing.F) {
	ex, err := os.ReadFile("example.yaml")
	if err == nil {
		f.Add(ex, "cameras[0].stall=5s", "GLEANER_LOG_LEVEL=warn")
	}
	f.Add([]byte("cameras: [{name: a, source: 'belt:', stall: 3}]"), "a[0][1].b=[1,2]", "GLEANER_X=1")
	f.Add([]byte("{\"cameras\": 3}"), "=", "GLEANER_=")
	f.Add([]byte("a: &a [*a]"), "log={level: info}", "GLEANER_CAMERAS_0=x")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, set, env string) {
		file := filepath.Join(dir, "fuzz.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, o := range []Origin{{File: file}, {Sets: []string{set}}, {Env: []string{env}}} {
			if _, err := Load(o); err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		}
	})
}
