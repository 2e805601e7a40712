// Package recipes are the ways to train that come with the program, a file each: lines of key=value as `gleaner train` takes them,
// with the reason for each choice beside it. What the keys mean is in train/recipe.
package recipes

import (
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

//go:embed *.recipe
var files embed.FS

const ext = ".recipe"

// Names are the recipes that come with the program, sorted.
func Names() (names []string) {
	all, _ := files.ReadDir(".") // what is embedded can be read
	for _, f := range all {
		names = append(names, strings.TrimSuffix(f.Name(), ext))
	}
	slices.Sort(names)
	return names
}

// Load is the key=value assignments of a recipe, in their order: one of Names, or a file, whose path has a slash or ends in
// .recipe. Lines that begin with # are comments.
func Load(name string) (assignments []string, err error) {
	var b []byte
	if strings.HasSuffix(name, ext) || strings.ContainsRune(name, os.PathSeparator) {
		b, err = os.ReadFile(name)
	} else if b, err = files.ReadFile(path.Clean(name + ext)); err != nil {
		return nil, fmt.Errorf("not one of %s, nor a file that ends in %s", strings.Join(Names(), ", "), ext)
	}
	if err != nil {
		return nil, err
	}
	for n, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, _, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || key == "" || strings.ContainsAny(key, " \t") {
			return nil, fmt.Errorf("line %d, %q: not of the form key=value", n+1, line)
		}
		if key == "recipe" {
			return nil, fmt.Errorf("line %d: a recipe cannot name another", n+1)
		}
		assignments = append(assignments, line)
	}
	return assignments, nil
}
