package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// step is one part of a key's path: a name or a list index.
type step struct {
	name  string
	index int // -1 for a name
}

type keyPath []step

func (p keyPath) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case i > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// maxIndex bounds a list that an override can make: more is a slip of the pen, not a configuration.
const maxIndex = 255

// parsePath reads "cameras[0].detect.kind".
func parsePath(s string) (keyPath, error) {
	var p keyPath
	for part := range strings.SplitSeq(s, ".") {
		name, rest, _ := strings.Cut(part, "[")
		if name == "" {
			return nil, fmt.Errorf("%q has an empty name", s)
		}
		p = append(p, step{strings.ToLower(name), -1})
		for rest != "" {
			num, more, ok := strings.Cut(rest, "]")
			n, err := strconv.Atoi(num)
			if !ok || err != nil || n < 0 || n > maxIndex || (more != "" && more[0] != '[') {
				return nil, fmt.Errorf("%q has a broken index", s)
			}
			p = append(p, step{"", n})
			rest = strings.TrimPrefix(more, "[")
		}
	}
	return p, nil
}

// envPath finds the key that a variable's name (without the prefix) stands for: CAMERAS_0_MIN_SCORE.
func envPath(t reflect.Type, name string) (keyPath, bool) {
	if name == "" {
		return keyPath{}, true
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, f := range keysOf(t) {
			up := strings.ToUpper(f.name)
			if name != up && !strings.HasPrefix(name, up+"_") {
				continue
			}
			if p, ok := envPath(f.typ, strings.TrimPrefix(strings.TrimPrefix(name, up), "_")); ok {
				return append(keyPath{{f.name, -1}}, p...), true
			}
		}
	case reflect.Slice:
		num, rest, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(num); err == nil && n >= 0 && n <= maxIndex {
			if p, ok := envPath(t.Elem(), rest); ok {
				return append(keyPath{{"", n}}, p...), true
			}
		}
	}
	return nil, false
}

// override sets the value at path in tree, making maps and lists on the way.
func override(tree map[string]any, path keyPath, text string) error {
	val, err := parseValue(text)
	if err != nil {
		return err
	}
	var set func(at any, p keyPath) (any, error)
	set = func(at any, p keyPath) (any, error) {
		if len(p) == 0 {
			return val, nil
		}
		if p[0].index < 0 {
			m, ok := at.(map[string]any)
			if at != nil && !ok {
				return nil, fmt.Errorf("%s is not a section", path)
			}
			if m == nil {
				m = map[string]any{}
			}
			m[p[0].name], err = set(m[p[0].name], p[1:])
			return m, err
		}
		l, ok := at.([]any)
		if at != nil && !ok {
			return nil, fmt.Errorf("%s is not a list", path)
		}
		for len(l) <= p[0].index {
			l = append(l, nil)
		}
		l[p[0].index], err = set(l[p[0].index], p[1:])
		return l, err
	}
	_, err = set(tree, path)
	return err
}

// key is one configuration key of a struct.
type key struct {
	name  string
	typ   reflect.Type
	index []int
}

// keysOf are a struct's keys by their yaml tags, those of inlined structs among them.
func keysOf(t reflect.Type) []key {
	var out []key
	for i := range t.NumField() {
		f := t.Field(i)
		tag, opt, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case tag == "-" || !f.IsExported():
		case opt == "inline":
			for _, k := range keysOf(f.Type) {
				out = append(out, key{k.name, k.typ, append([]int{i}, k.index...)})
			}
		case tag != "":
			out = append(out, key{tag, f.Type, []int{i}})
		}
	}
	return out
}

var durationType = reflect.TypeOf(time.Duration(0))

// checkTree walks a tree beside the type it is to fill: unknown keys and wrong kinds are errors with their path, and
// scalars come back in the field's own type.
func checkTree(where, path string, v any, t reflect.Type) (any, error) {
	fail := func(format string, args ...any) (any, error) {
		return nil, &Error{Where: where, Path: path, Problem: fmt.Sprintf(format, args...)}
	}
	if v == nil { // "detect:" with nothing below it: the defaults
		switch t.Kind() {
		case reflect.Struct, reflect.Map:
			return map[string]any{}, nil
		}
		return reflect.Zero(t).Interface(), nil
	}
	switch {
	case t == durationType:
		return checkDuration(where, path, v)
	case t.Kind() == reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return fail("is a section, not %s", describe(v))
		}
		return checkStruct(where, path, m, t)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		l, ok := v.([]any)
		if !ok {
			return fail("is a list, not %s", describe(v))
		}
		if t.Kind() == reflect.Array && len(l) != t.Len() {
			return fail("needs %d values, has %d", t.Len(), len(l))
		}
		out := make([]any, len(l))
		for i := range l {
			var err error
			if out[i], err = checkTree(where, fmt.Sprintf("%s[%d]", path, i), l[i], t.Elem()); err != nil {
				return nil, err
			}
		}
		return out, nil
	case t.Kind() == reflect.Map:
		m, ok := v.(map[string]any)
		if !ok {
			return fail("is a mapping, not %s", describe(v))
		}
		return m, nil
	}
	return checkScalar(where, path, v, t)
}

func checkStruct(where, path string, m map[string]any, t reflect.Type) (any, error) {
	keys := keysOf(t)
	out := map[string]any{}
	for name, val := range m {
		below := name
		if path != "" {
			below = path + "." + name
		}
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		if i < 0 {
			hint := ""
			var names []string
			for _, k := range keys {
				names = append(names, k.name)
			}
			if best := Nearest(name, names); best != "" {
				hint = fmt.Sprintf("; did you mean %q?", best)
			}
			return nil, &Error{Where: where, Path: below, Problem: "unknown key" + hint}
		}
		c, err := checkTree(where, below, val, keys[i].typ)
		if err != nil {
			return nil, err
		}
		out[name] = c
	}
	return out, nil
}

func checkDuration(where, path string, v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		if n, isInt := v.(int); isInt && n == 0 {
			return time.Duration(0), nil
		}
		return nil, &Error{Where: where, Path: path, Problem: fmt.Sprintf("%v needs a unit, such as %vs", v, v)}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, &Error{Where: where, Path: path, Problem: fmt.Sprintf("%q is not a duration, such as 300ms, 3s or 5m", s)}
	}
	return d, nil
}

func checkScalar(where, path string, v any, t reflect.Type) (any, error) {
	rv := reflect.ValueOf(v)
	ok := false
	switch t.Kind() {
	case reflect.String:
		switch v.(type) {
		case string, int, int64, uint64, float64, bool:
			return fmt.Sprint(v), nil
		}
	case reflect.Bool:
		_, ok = v.(bool)
	case reflect.Float32, reflect.Float64:
		ok = rv.CanInt() || rv.CanUint() || rv.CanFloat() && !math.IsNaN(rv.Float()) && !math.IsInf(rv.Float(), 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		if rv.CanFloat() && rv.Float() == math.Trunc(rv.Float()) && math.Abs(rv.Float()) < 1<<53 {
			return int64(rv.Float()), nil
		}
		ok = rv.CanInt()
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		ok = rv.CanUint() || rv.CanInt() && rv.Int() >= 0
	}
	if !ok {
		return nil, &Error{Where: where, Path: path, Problem: fmt.Sprintf("needs %s, not %s", kindName(t), describe(v))}
	}
	return v, nil
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		return "a whole number of at least 0"
	case reflect.String:
		return "text"
	}
	return "a whole number"
}

func describe(v any) string {
	switch v.(type) {
	case map[string]any:
		return "a section"
	case []any:
		return "a list"
	case string:
		return fmt.Sprintf("the text %q", v)
	}
	return fmt.Sprint(v)
}

// Nearest is the name that a misspelt one most likely meant, by edit distance (Levenshtein 1966): at most 3 away, and less
// than half of it wrong. Empty where none is.
func Nearest(name string, names []string) string {
	best, bestDist := "", min(4, (len(name)+1)/2)
	for _, n := range names {
		if d := distance(name, n); d < bestDist {
			best, bestDist = n, d
		}
	}
	return best
}

func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
