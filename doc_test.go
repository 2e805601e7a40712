package gleaner_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The house's measures, tests aside: lines of a file, of a function and of a package. What is over one says why, in a
// sentence that begins "Long because": anywhere in the file, in the function's comment or in the package's.
const (
	maxFile, maxFunc, maxPackage = 400, 60, 1500
	excuse                       = "Long because"
)

// parsedPackage is what the measures look at: one folder's Go files that are no tests.
type parsedPackage struct {
	doc   string
	lines int
}

func TestPackageCommentsAndMeasures(t *testing.T) {
	packages := map[string]*parsedPackage{}
	for _, f := range goFiles(t) {
		if path.Dir(f) == "." || strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, f, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		p := packages[path.Dir(f)]
		if p == nil {
			p = &parsedPackage{}
			packages[path.Dir(f)] = p
		}
		if parsed.Doc != nil {
			p.doc += parsed.Doc.Text()
		}
		lines := bytes.Count(text, []byte("\n"))
		p.lines += lines
		if lines > maxFile && !bytes.Contains(text, []byte(excuse)) {
			t.Errorf("%s has %d lines, more than %d: cut it, or say in it %q …", f, lines, maxFile, "// "+excuse)
		}
		checkFunctions(t, fset, parsed)
	}
	for pkg, p := range packages {
		if len(strings.Fields(p.doc)) < 8 {
			t.Errorf("package %s has no package comment: say what it is and what is not in it", pkg)
		}
		if p.lines > maxPackage && !strings.Contains(p.doc, excuse) {
			t.Errorf("package %s has %d lines, more than %d: cut it, or say in its comment %q …", pkg, p.lines, maxPackage, excuse)
		}
	}
}

func checkFunctions(t *testing.T, fset *token.FileSet, file *ast.File) {
	t.Helper()
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		start := fset.Position(fn.Pos())
		lines := fset.Position(fn.End()).Line - start.Line + 1
		if lines > maxFunc && !strings.Contains(fn.Doc.Text(), excuse) {
			t.Errorf("%s:%d: %s has %d lines, more than %d: cut it, or say in its comment %q …",
				start.Filename, start.Line, fn.Name.Name, lines, maxFunc, excuse)
		}
	}
}

// TestNoHostsOrHomes looks through every tracked text file for what ties the project to one machine or one mirror: hosts
// of package registries (the user's own settings name those) and absolute paths into somebody's home.
func TestNoHostsOrHomes(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not a git checkout: the tracked files are not known")
	}
	// The patterns are put together from pieces so that this file does not have what it looks for.
	hosts := regexp.MustCompile(strings.Join([]string{
		`registry\.` + `(npmjs|yarnpkg)`, `proxy\.` + `golang`, `(sum|index)\.` + `golang`, `(deb|security|snapshot)\.` + `debian`,
		`pypi\.` + `org`, `pythonhosted\.` + `org`, `static\.` + `crates`, `crates\.` + `io`,
	}, "|"))
	homes := regexp.MustCompile(`(^|[^\w.$}])/(` + `root|work|home/\w+|Users/\w+)` + `/`)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			continue // deleted in the working tree, or no text
		}
		for n, line := range strings.Split(string(text), "\n") {
			if m := hosts.FindString(line); m != "" {
				t.Errorf("%s:%d names a registry's host, %s: the user's settings do that", name, n+1, m)
			}
			if m := homes.FindString(line); m != "" {
				t.Errorf("%s:%d has a path of one machine, %s", name, n+1, strings.TrimSpace(m))
			}
		}
	}
}
