package gleaner_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which of the project's packages each package may import, tests aside. Imports point downwards only:
//
//	cmd → daemon, train → detect, classify → capture, model
//
// and config, beside cmd, composes the Options of the parts. A name that ends in /... stands for a package and all below
// it. A package that is not in this table fails the test: who adds one decides here what it may know.
var allowed = map[string][]string{
	// The bottom: what a frame is, what a model is. They know nothing of each other.
	"capture":                {},
	"capture/cv":             {"capture", "capture/pictures"}, // pictures: what the drawn belt carries
	"capture/latency":        {"capture"},
	"capture/pictures":       {"capture"},
	"capture/capturetest":    {"capture", "internal/shared"},
	"model":                  {},
	"model/flat":             {},
	"model/joint":            {"model/flat"},
	"model/bundle":           {"model", "model/flat", "model/joint"},
	"model/bundle/catalogue": {"model/bundle", "model/flat"},
	"model/tflite":           {"model", "model/flat"},
	"model/modeltest":        {"model"},

	// The middle: pixels to boxes, boxes to classes.
	"detect":                {"capture", "model", "model/bundle", "classify/prep"}, // prep: one definition of pixels → tensor
	"detect/cv":             {"capture", "detect"},
	"detect/track":          {"detect"},
	"detect/detecttest":     {"capture", "detect"},
	"classify":              {"capture", "detect", "model", "model/bundle", "model/joint", "classify/prep"}, // detect: a crop is a Detection's
	"classify/prep":         {"capture", "model", "model/bundle"},
	"classify/known":        {"capture", "classify", "model/bundle"},
	"classify/classifytest": {"capture", "classify", "model"},

	// The top: what runs, and what makes the models that run.
	"daemon":          {"capture/...", "detect/...", "classify/...", "model/...", "daemon/..."},
	"daemon/decide":   {"classify"},
	"daemon/event":    {"model", "daemon/decide"},
	"daemon/mqtt":     {"daemon/event", "daemon/listen"},
	"daemon/store":    {"daemon/event"},
	"daemon/collect":  {"capture", "daemon/event"},
	"daemon/crop":     {"capture", "daemon/event"},
	"daemon/listen":   {},
	"daemon/web":      {"capture", "daemon/event", "daemon/listen"},
	"daemon/metrics":  {},
	"train":           {"capture/...", "detect/...", "classify/...", "model/...", "train/..."},
	"train/...":       {"capture/...", "detect/...", "classify/...", "model/...", "train/..."},
	"config":          {"capture/...", "detect/...", "classify/...", "model/...", "daemon/...", "train/..."},
	"cmd/gleaner":     {"..."},
	"internal/shared": {},

	// Outside the product: proofs and benchmarks may look at anything.
	"prove":     {},
	"prove/...": {"..."},
	"bench/...": {"..."},
}

// suites are the conformance suites, and the stand-ins that tests of other packages share: part of the tests, though they
// are packages of their own.
var suites = []string{"capture/capturetest", "detect/detecttest", "classify/classifytest", "model/modeltest", "internal/shared",
	"train/engine/enginetest", "train/engine/xla/hlotest"}

// bans are imports that only the named packages may have, tests aside, each with its reason. A name stands for what is
// below it as well.
var bans = []struct {
	what   string
	only   []string
	reason string
}{
	{"github.com/spf13/viper", []string{"config"},
		"its defaults, key case and bare durations are traps; config/load.go alone knows them"},
	{"github.com/go-viper/mapstructure", []string{"config"}, "it is viper's decoder"},
	{"github.com/spf13/cobra", []string{"cmd/gleaner"}, "verbs are the command line's; parts take Options"},
	{"github.com/schollz/progressbar", []string{"cmd/gleaner"}, "parts report; what that looks like is the command line's"},
	{"github.com/eclipse/paho.mqtt.golang", []string{"daemon/mqtt"},
		"its tokens prove nothing after a reconnect; one package knows what counts as delivered"},
	{"github.com/mochi-mqtt/server", []string{"daemon/mqtt"}, "the embedded broker is a detail of publishing"},
	{"github.com/mattn/go-tflite", []string{"model/tflite"},
		"nil for errors, a leak and native handles: no handle may leave the one package that guards them"},
	{"gocv.io/x/gocv", []string{"capture/cv", "detect/cv"},
		"a Mat is memory that no collector frees; images cross packages as capture.Image"},
	{"gorgonia.org", []string{"train/net", "train/engine"}, "the daemon must not carry a training library"},
	{"github.com/prometheus", []string{"daemon/metrics"}, "every metric's name stands in one table"},
	{"github.com/coreos/go-systemd", []string{"daemon"}, "only daemon/health.go tells the service manager how it is"},
	{"github.com/google/flatbuffers", []string{"model/flat"}, "the .tflite format is read and written in one place"},
	{"github.com/bluenviron", append([]string{"prove"}, suites...), "it is the tests' RTSP server"},
	{"pgregory.net/rapid", suites, "it belongs to tests"},
	{"go.uber.org/goleak", append([]string{"prove"}, suites...), "it belongs to tests"},
	{"C", []string{"model/tflite", "capture/cv", "detect/cv", "classify/prep", "train/engine", "bench"},
		"everything but the leaves is pure Go and builds with CGO_ENABLED=0"},
	{"gleaner/config", []string{"cmd"}, "parts take Options; who reads the configuration is the command"},
	{"gleaner/daemon/metrics", []string{"daemon", "cmd", "config"}, "parts count; the daemon exports"},
	{"gleaner/capture/capturetest", []string{"prove", "bench"}, "a suite is no part of the product"},
	{"gleaner/detect/detecttest", []string{"prove", "bench"}, "a suite is no part of the product"},
	{"gleaner/classify/classifytest", []string{"prove", "bench"}, "a suite is no part of the product"},
	{"gleaner/model/modeltest", []string{"prove", "bench"}, "a suite is no part of the product"},
	{"gleaner/train/engine/enginetest", []string{"prove", "bench"}, "a suite is no part of the product"},
	{"gleaner/train/engine/xla/hlotest", []string{"prove", "bench"}, "a suite is no part of the product"},
	{"github.com/gomlx/go-xla", []string{"train/engine/xla"}, "StableHLO and PJRT are one backend's affair"},
	{"k8s.io/klog", []string{"train/engine/xla"}, "go-xla logs through it; one package keeps it quiet"},
	{"gleaner/internal/shared", []string{"prove", "bench"}, "the test material is no part of the product"},
	{"testing", suites, "it registers flags in the program that imports it"},
}

func TestImports(t *testing.T) {
	used := map[string]bool{}
	for pkg, imports := range productImports(t) {
		key, may := ruleFor(pkg)
		if key == "" {
			t.Errorf("package %s is not in the table of arch_test.go: add it, with what it may import", pkg)
			continue
		}
		used[key] = true
		for imp, file := range imports {
			if dep, ours := strings.CutPrefix(imp, "gleaner/"); ours && !matches(dep, may) {
				t.Errorf("%s: %s may not import %s: imports point downwards, and its row in arch_test.go does not list it",
					file, pkg, dep)
			}
			for _, ban := range bans {
				if below(imp, ban.what) && !slices.ContainsFunc(ban.only, func(o string) bool { return below(pkg, o) }) {
					t.Errorf("%s: %s may not import %s: %s", file, pkg, imp, ban.reason)
				}
			}
		}
	}
	if len(used) < 5 {
		t.Errorf("only %d packages were found: is the test run in the repository root?", len(used))
	}
}

// TestViperIsInOneFile holds config to its word: load.go alone imports viper.
func TestViperIsInOneFile(t *testing.T) {
	for _, imp := range []string{"github.com/spf13/viper"} {
		for _, f := range goFiles(t) {
			if f != "config/load.go" && f != "deps_keep.go" && slices.Contains(importsOf(t, f), imp) {
				t.Errorf("%s imports %s; only config/load.go may", f, imp)
			}
		}
	}
}

// ruleFor finds a package's row: its own, or the nearest one above it that ends in /....
func ruleFor(pkg string) (key string, may []string) {
	if may, ok := allowed[pkg]; ok {
		return pkg, may
	}
	for up := path.Dir(pkg); up != "."; up = path.Dir(up) {
		if may, ok := allowed[up+"/..."]; ok {
			return up + "/...", may
		}
	}
	return "", nil
}

// matches tells whether a list of allowed packages has pkg.
func matches(pkg string, may []string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		tree, all := strings.CutSuffix(m, "...")
		return m == pkg || all && (tree == "" || below(pkg, strings.TrimSuffix(tree, "/")))
	})
}

// below tells whether a path is root or lies below it.
func below(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

// productImports lists, for each package, what its files import under any build tag, with a file that does; tests and the
// root, which holds none but tests and the list of dependencies, are left out.
func productImports(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, f := range goFiles(t) {
		pkg := path.Dir(f)
		if pkg == "." || strings.HasSuffix(f, "_test.go") {
			continue
		}
		if all[pkg] == nil {
			all[pkg] = map[string]string{}
		}
		for _, imp := range importsOf(t, f) {
			all[pkg][imp] = f
		}
	}
	return all
}

func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatalf("read imports: %v", err)
	}
	var imports []string
	for _, spec := range parsed.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("%s: import %s: %v", file, spec.Path.Value, err)
		}
		imports = append(imports, p)
	}
	return imports
}

// goFiles lists the project's Go files, slash-separated below the root, without hidden folders and testdata.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (d.Name()[0] == '.' || d.Name()[0] == '_' || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(p, ".go") {
			files = append(files, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("list Go files: %v", err)
	}
	return files
}
