package labels

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"
)

// Map joins fine classes into coarse ones. Rules are asked first, in their order; then the class is looked up, and then each
// attribute named in By. A class that nothing names is an error when it is met, unless Others says what becomes of it.
//
//	rules:
//	  - when: {DIRTINESS: [오염, 심한오염]}   # all attributes must match; CLASS stands for the class itself
//	    class: general
//	classes:
//	  glass: [유리병, 유리병류]
//	  can: [캔류, 철캔]
//	by: [DETAILS]
//	others: drop                              # or the name of a class; absent: an error
type Map struct {
	Rules   []Rule              `yaml:"rules"`
	Classes map[string][]string `yaml:"classes"`
	By      []string            `yaml:"by"`
	Others  string              `yaml:"others"`

	of map[string]string
}

// Rule gives the class of objects whose attributes all match.
type Rule struct {
	When  map[string][]string `yaml:"when"`
	Class string              `yaml:"class"`
}

// Drop is what Others and a rule's class say of objects that are left out.
const Drop = "drop"

// ReadMap reads a label map's file.
func ReadMap(file string) (*Map, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m, err := ParseMap(b)
	if err != nil {
		return nil, fmt.Errorf("label map %s: %w", file, err)
	}
	return m, nil
}

// inWords says in a user's terms what the YAML reader says in the program's.
var inWords = strings.NewReplacer(" not found in type labels.Map", ": not one of rules, classes, by, others",
	" not found in type labels.Rule", ": not one of when, class", "map[string][]string", "lists with names", "[]labels.Rule", "a list of rules",
	"labels.Rule", "a rule", "labels.Map", "a label map", "[]string", "a list", ": field ", ": ")

// ParseMap reads a label map. Unknown keys, a class that stands in two lists, and a map without classes are errors.
func ParseMap(b []byte) (*Map, error) {
	var m Map
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	var odd *yaml.TypeError
	switch err := d.Decode(&m); {
	case errors.As(err, &odd):
		return nil, errors.New(inWords.Replace(strings.Join(odd.Errors, "; ")) + "; such as classes: {container: [glass, metal]}")
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	}
	if len(m.Classes) == 0 && len(m.Rules) == 0 {
		return nil, errors.New("it names no classes")
	}
	m.of = map[string]string{}
	for _, coarse := range slices.Sorted(maps.Keys(m.Classes)) {
		for _, fine := range append(m.Classes[coarse], coarse) {
			fine = norm.NFC.String(fine)
			if other, ok := m.of[fine]; ok && other != coarse {
				return nil, fmt.Errorf("%q is in %q and in %q", fine, other, coarse)
			}
			m.of[fine] = coarse
		}
	}
	for i, r := range m.Rules {
		if r.Class == "" || len(r.When) == 0 {
			return nil, fmt.Errorf("rule %d needs when and class", i+1)
		}
	}
	return &m, nil
}

// Unmapped says that a map names no class for what was met.
type Unmapped struct{ Class string }

func (e *Unmapped) Error() string {
	return fmt.Sprintf("the label map has no class for %q: add it to a list of classes, or say what becomes of the others (others: drop)", e.Class)
}

// Class is the coarse class of an object; empty if it is left out. An error is an *Unmapped.
func (m *Map) Class(o Object) (string, error) {
	class := norm.NFC.String(o.Class)
	for _, r := range m.Rules {
		if r.matches(class, o.Attributes) {
			return kept(r.Class), nil
		}
	}
	if c, ok := m.of[class]; ok {
		return c, nil
	}
	for _, by := range m.By {
		if c, ok := m.of[o.Attributes[by]]; ok {
			return c, nil
		}
	}
	if m.Others == "" {
		return "", &Unmapped{o.Class}
	}
	return kept(m.Others), nil
}

func kept(class string) string {
	if class == Drop {
		return ""
	}
	return class
}

func (r Rule) matches(class string, attributes map[string]string) bool {
	for k, values := range r.When {
		v := attributes[k]
		if k == "CLASS" {
			v = class
		}
		if !slices.ContainsFunc(values, func(want string) bool { return norm.NFC.String(want) == strings.TrimSpace(v) }) {
			return false
		}
	}
	return true
}
