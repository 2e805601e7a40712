package report

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"gleaner/train/dataset"
	"gleaner/train/recipe"
)

// Provenance is provenance.json: what a bundle was made of, and how to make it again.
type Provenance struct {
	Program  string         `json:"program,omitempty"` // name and version
	Seed     uint64         `json:"seed"`
	Network  string         `json:"network"`
	Data     string         `json:"data"` // sha256 of the sized pictures and their labels; of several sets, one behind the other
	Pictures Counts         `json:"pictures"`
	Epoch    int            `json:"epoch"`              // whose weights the bundle has; 0: none was finished
	Ensemble []int          `json:"ensemble,omitempty"` // epochs whose weights answer together, where they are several
	Files    []File         `json:"files,omitempty"`    // that the run began with
	Options  recipe.Options `json:"options"`            // paths are cut to their last name, and out= is left out
}

// Counts are pictures by what they were for.
type Counts struct {
	Train      int `json:"train"`
	Validation int `json:"validation"`
	Test       int `json:"test"`
	Skipped    int `json:"skipped"` // files that could not be read
}

// File is a file that an option names.
type File struct {
	Option string `json:"option"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // lower-case hex
}

func (in *Input) provenance() *Provenance {
	count := func(s dataset.Set) int {
		if s == nil {
			return 0
		}
		return s.Len()
	}
	o := *in.Options
	p := &Provenance{Program: in.Program, Seed: o.Seed, Network: in.Network, Data: in.Data.Sum, Epoch: in.Best, Ensemble: in.Members,
		Pictures: Counts{count(in.Data.Train), count(in.Data.Val), count(in.Data.Test), len(in.Data.Skipped)}}
	for _, f := range []struct{ option, path string }{{"net", o.Net}, {"start", o.Start}, {"ground", o.Ground}, {"recipe", o.Recipe}} {
		if sum, err := sumOf(f.path); err == nil {
			p.Files = append(p.Files, File{f.option, filepath.Base(f.path), sum})
		}
	}
	o.Out = ""
	for _, path := range []*string{&o.Data, &o.Val, &o.Test, &o.Net, &o.Start, &o.Ground, &o.Recipe} {
		if *path != "" {
			*path = filepath.Base(*path)
		}
	}
	p.Options = o
	return p
}

// sumOf is a file's sha256.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
