// Package catalogue knows models by name: what each is, its licence, where it comes from and the sha256 that it must
// have, and it builds bundles out of them. The list is catalogue.json. It also holds the weights that the project made
// itself. What a bundle is stands in model/bundle; nothing is run here.
package catalogue

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"gleaner/model/bundle"
)

//go:embed catalogue.json
var catalogueJSON []byte

// own holds the weights that the project made, heads (.bin) and whole networks (.tflite), each with the catalogue's entry as .json
// beside it; the generator (train/imprint) writes both.
//
//go:embed own
var own embed.FS

// Entry is one known model.
type Entry struct {
	Name     string          `json:"name"`             // also the bundle's
	About    string          `json:"about"`            // what it is, in a sentence
	Model    Blob            `json:"model"`            // the .tflite file, or the one that Graft begins with
	Labels   *Blob           `json:"labels,omitempty"` // labels.txt; nil where the bundle has none or they stand in Words
	Words    []string        `json:"words,omitempty"`  // the labels themselves
	Graft    *Graft          `json:"graft,omitempty"`  // what is done to the model
	Manifest bundle.Manifest `json:"manifest"`         // Schema and Files are filled in
}

// Blob is a file with the sum that it must have, and where it comes from: a registry package, of which setup has
// extracted it, a URL, or the program itself.
type Blob struct {
	Own     string `json:"own,omitempty"`     // where it lies among the files that the project made
	Package string `json:"package,omitempty"` // kind:name@version, such as npm:@mediapipe/objectron@0.4.1
	Member  string `json:"member,omitempty"`  // file of the package, with [from:to] where it is a range of bytes
	Native  string `json:"native,omitempty"`  // where setup put it, below the native folder
	URL     string `json:"url,omitempty"`
	File    string `json:"file"`   // its usual name, by which it is looked for in a folder
	SHA256  string `json:"sha256"` // lower-case hex
	Size    int64  `json:"size"`   // bytes
}

// Origin says in words where the file comes from.
func (b *Blob) Origin() string {
	if b.Own != "" {
		return "trained by its recipe"
	}
	if b.Package != "" {
		return strings.TrimSpace(b.Package + " " + b.Member)
	}
	return b.URL
}

// Graft makes a classifier out of a backbone: cut, resize to the manifest's input, mean over the picture, head.
type Graft struct {
	Tensors []int  `json:"tensors"` // outputs of the backbone, by number in the file; several are joined
	Head    string `json:"head"`    // file among those that the project made
	SHA256  string `json:"sha256"`  // of the head
}

// All are the known models.
func All() ([]Entry, error) {
	var out []Entry
	if err := json.Unmarshal(catalogueJSON, &out); err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	made, err := fs.Glob(own, "own/*.json")
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	for _, name := range made {
		raw, err := own.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
		var e Entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("read catalogue: %s: %w", name, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Find is the model of that name.
func Find(name string) (Entry, error) {
	all, err := All()
	if err != nil {
		return Entry{}, err
	}
	var names []string
	for _, e := range all {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Entry{}, &bundle.Error{Path: name, Problem: "the catalogue has no such model", Err: bundle.ErrNotFound,
		Hint: "it has " + strings.Join(names, ", ")}
}
