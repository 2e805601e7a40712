package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"gleaner/daemon"
)

// Key is one configuration key as the reference and the example show it.
type Key struct {
	Path    string // "cameras[].detect.kind"
	Type    string // "text", "number", "duration", …
	Default string // as YAML; empty for a section
	Doc     string // from the field's comment in the source
	Section bool
	depth   int
	name    string
}

// Keys lists every key with its default and its meaning, in the order of the source. root is the module's folder,
// whose source is read for the comments: this is for generating documents, not for the running program.
func Keys(root string) ([]Key, error) {
	d := &documenter{root: root, docs: map[string]map[string]string{}}
	cfg := Default()
	cam := daemon.DefaultCamera()
	cam.Name, cam.Source = "cam", "v4l2:0"
	cfg.Cameras = []daemon.CameraSpec{cam}
	if err := d.walk("", 0, reflect.ValueOf(cfg)); err != nil {
		return nil, err
	}
	return d.keys, nil
}

type documenter struct {
	root string
	docs map[string]map[string]string // "gleaner/detect.Options" → field → comment
	keys []Key
}

func (d *documenter) walk(path string, depth int, v reflect.Value) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag, opt, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if tag == "-" || !f.IsExported() || tag == "" && opt != "inline" {
			continue
		}
		if opt == "inline" {
			if err := d.walk(path, depth, v.Field(i)); err != nil {
				return err
			}
			continue
		}
		doc, err := d.comment(t, f.Name)
		if err != nil {
			return err
		}
		below := strings.TrimPrefix(path+"."+tag, ".")
		k := Key{Path: below, Type: typeName(f.Type), Doc: doc, depth: depth, name: tag}
		elem := f.Type
		if elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		if elem.Kind() != reflect.Struct {
			k.Default = yamlValue(v.Field(i))
			d.keys = append(d.keys, k)
			continue
		}
		k.Section = true
		inner := v.Field(i)
		if f.Type.Kind() == reflect.Slice {
			below += "[]"
			k.Path = below
			if inner.Len() > 0 {
				inner = inner.Index(0)
			} else {
				inner = reflect.Zero(elem)
				k.Default, k.Section = "[]", false // an empty list: its elements' keys follow in the reference alone
			}
		}
		d.keys = append(d.keys, k)
		if err := d.walk(below, depth+1, inner); err != nil {
			return err
		}
	}
	return nil
}

// comment is the comment of a field, above it or behind it.
func (d *documenter) comment(t reflect.Type, field string) (string, error) {
	id := t.PkgPath() + "." + t.Name()
	if d.docs[id] == nil {
		if err := d.read(t.PkgPath()); err != nil {
			return "", err
		}
	}
	return d.docs[id][field], nil
}

// read takes the field comments of every struct of a package.
func (d *documenter) read(pkg string) error {
	dir := filepath.Join(d.root, strings.TrimPrefix(strings.TrimPrefix(pkg, "gleaner"), "/"))
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, file, nil, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("read comments: %w", err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			fields := map[string]string{}
			group, before := "", 0
			for _, f := range st.Fields.List {
				if begin := files.Position(f.Pos()).Line; begin > before+1 {
					group = ""
				}
				before = files.Position(f.End()).Line
				text := strings.TrimSpace(f.Doc.Text())
				if text == "" {
					text = strings.TrimSpace(f.Comment.Text())
				}
				if text == "" {
					text = group // one comment above several fields speaks of them all
				} else if f.Doc.Text() != "" {
					group = text
				}
				for _, name := range f.Names {
					fields[name.Name] = text
				}
			}
			d.docs[pkg+"."+spec.Name.Name] = fields
			return true
		})
	}
	return nil
}

func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Array:
		return fmt.Sprintf("[%d] %s", t.Len(), typeName(t.Elem()))
	case t.Kind() == reflect.Struct:
		return "section"
	case t.Kind() == reflect.Map:
		return "mapping"
	}
	return strings.TrimPrefix(strings.TrimPrefix(kindName(t), "a "), "true or false, ")
}

// yamlValue is a default as it is written in the example.
func yamlValue(v reflect.Value) string {
	if v.Type() == durationType {
		return shortDuration(time.Duration(v.Int()))
	}
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s == "" || strings.ContainsAny(s, ":#{}[],&*'\"") || strings.HasSuffix(s, " ") {
			return fmt.Sprintf("%q", s)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			return "[]"
		}
		var parts []string
		for i := range v.Len() {
			parts = append(parts, yamlValue(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration writes 10m0s as 10m.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// exampleYAML is the example configuration: every key with its default, and its meaning above it.
func exampleYAML(keys []Key) string {
	var b strings.Builder
	b.WriteString("# Every key of gleaner's configuration with its default. What is left out has the value shown here.\n")
	b.WriteString("# Generated from the source by the tests of config (go test ./config -update); see REFERENCE.md.\n")
	skip := -1
	for _, k := range keys {
		if skip >= 0 && k.depth > skip {
			continue
		}
		skip = -1
		pad := strings.Repeat("  ", k.depth)
		list := k.depth > 0 && strings.HasPrefix(k.Path, "cameras[]")
		if list {
			pad += "  "
		}
		first := list && k.Path == "cameras[].name"
		if k.depth == 0 {
			b.WriteString("\n")
		}
		for line := range strings.Lines(k.Doc) {
			fmt.Fprintf(&b, "%s# %s\n", pad, strings.TrimSpace(line))
		}
		name := k.name
		if first {
			pad = pad[:len(pad)-2] + "- "
		}
		switch {
		case k.Section:
			fmt.Fprintf(&b, "%s%s:\n", pad, name)
		default:
			fmt.Fprintf(&b, "%s%s: %s\n", pad, name, k.Default)
			if k.Default == "[]" {
				skip = k.depth
			}
		}
	}
	return b.String()
}

// referenceMD is the reference of all keys in Markdown.
func referenceMD(keys []Key) string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, k := range keys {
		doc := strings.Join(strings.Fields(k.Doc), " ")
		doc = strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(doc)
		def := ""
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Path, k.Type, def, doc)
	}
	return b.String()
}

const referenceHead = "# Configuration reference\n\n" +
	"Generated from the source by the tests of `config` (`go test ./config -update`).\n\n" +
	"A key is set in the file (`-c gleaner.yaml`; YAML, TOML or JSON), in the environment\n" +
	"(`cameras[0].detect.min_score` is `GLEANER_CAMERAS_0_DETECT_MIN_SCORE`), or on the command line\n" +
	"(`--set cameras[0].detect.min_score=0.6`); later ones win. Values of the environment and of `--set` are read as YAML,\n" +
	"so a list is `[a, b]`. Durations have a unit: `300ms`, `3s`, `5m`. An unknown key is an error.\n\n" +
	"| key | type | default | meaning |\n|---|---|---|---|\n"
