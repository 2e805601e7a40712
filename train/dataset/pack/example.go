package pack

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
)

// Format is how the examples of a set were cut. Sets are merged only where it is the same.
type Format struct {
	Width  int `json:"width"`  // of an example, pixels
	Height int `json:"height"` // the same
	// Fit is how a crop of another shape got this one: "stretch", "letterbox" (the rest is black) or "crop" (the largest middle part).
	Fit string `json:"fit"`
	// Margin is how much of the surroundings a crop has on each side, as a share of its box's longer side; 0 to 1.
	Margin float64 `json:"margin"`
}

// String is the format in words.
func (f Format) String() string {
	return fmt.Sprintf("%d×%d pixels, %s, margin %g", f.Width, f.Height, f.Fit, f.Margin)
}

// Bytes is the size of an example's pixels: rows of Width BGR triples, 8 bits each, as in capture.Image.
func (f Format) Bytes() int { return f.Width * f.Height * 3 }

// Check finds what no set can have.
func (f Format) Check() error {
	if f.Width < 1 || f.Height < 1 || f.Width > 4096 || f.Height > 4096 {
		return fmt.Errorf("examples of %d×%d pixels are not possible: 1 to 4096 each", f.Width, f.Height)
	}
	if f.Fit != "stretch" && f.Fit != "letterbox" && f.Fit != "crop" {
		return fmt.Errorf("a crop cannot be made to fit by %q: stretch, letterbox and crop are known", f.Fit)
	}
	if !(f.Margin >= 0 && f.Margin <= 1) {
		return fmt.Errorf("the margin %g is not in 0 to 1", f.Margin)
	}
	return nil
}

// Source is one file that examples were cut from.
type Source struct {
	Path   string   // as the import saw it, relative to its root, slash-separated
	SHA256 [32]byte // of the file's bytes
	Width  int      // of the stored picture, pixels
	Height int
}

// Example is one crop, without its pixels.
type Example struct {
	ID     int64 // in this file; not part of the set's identity
	Source Source
	// Box is x0, y0, x1, y1 of the object in the stored picture, pixels, without the margin.
	Box   [4]float64
	Class string
	// Attributes are what else the label says, such as contamination; nil for none.
	Attributes map[string]string
	// Group is what must not be torn apart by a split: the same object, scene, session or person; empty for none.
	Group string
	CRC   uint32 // CRC-32C of the pixels
}

// Problem is something that an import left out, or mended.
type Problem struct {
	Path   string `json:"path"`
	What   string `json:"what"`   // such as "file", "box 3"
	Reason string `json:"reason"` // in plain words
	Mended bool   `json:"mended"` // the example is in the set all the same
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// line is an example's part of the set's identity.
func (e Example) line() string {
	attributes, err := json.Marshal(e.Attributes) // keys sorted
	if err != nil {
		panic(err) // strings alone
	}
	return fmt.Sprintf("%x %g %q %s %q %08x\n", e.Source.SHA256, e.Box, e.Class, attributes, e.Group, e.CRC)
}

// identity is the SHA-256 over the format and the sorted lines of all examples.
func identity(f Format, examples []Example) (sum [32]byte) {
	lines := make([]string, len(examples))
	for i, e := range examples {
		lines[i] = e.line()
	}
	slices.Sort(lines)
	h := sha256.New()
	fmt.Fprintf(h, "gleaner data set 1\n%dx%d %s %g\n", f.Width, f.Height, f.Fit, f.Margin)
	for _, l := range lines {
		h.Write([]byte(l))
	}
	h.Sum(sum[:0])
	return sum
}

// Classes are the classes of examples with their numbers, the most frequent first, then by name.
func Classes(examples []Example) (names []string, count map[string]int) {
	count = map[string]int{}
	for _, e := range examples {
		count[e.Class]++
	}
	names = slices.Collect(maps.Keys(count))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), strings.Compare(a, b))
	})
	return names, count
}
