package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// Array is a named float32 array, row-major.
type Array struct {
	Name  string
	Shape []int // none: a scalar
	Data  []float32
	// Fill, if not nil, gives Write the numbers in place of Data, one array at a time, so that they need not be in memory
	// twice. An error of it ends Write, and the old file stays.
	Fill func(dst []float32) error
}

func (a *Array) size() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// File is what a checkpoint holds.
type File struct {
	Text   map[string]string // by key; "sha256" is the package's own
	Arrays []Array           // in their order in the file
}

// Array is the array of that name; nil if there is none.
func (f *File) Array(name string) *Array {
	for i := range f.Arrays {
		if f.Arrays[i].Name == name {
			return &f.Arrays[i]
		}
	}
	return nil
}

// entry is an array in the header.
type entry struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"` // bytes from the end of the header: begin and end
}

const (
	sumKey   = "sha256"
	metadata = "__metadata__"
	float    = "F32"
)

// noSum stands in the place of the sum while it is worked out.
var noSum = strings.Repeat("0", 2*sha256.Size)

// Write puts a file in the place of path: under a temporary name first, synced, then renamed, so that a crash at any moment, a
// full disk or a lost process leaves either the old file or the new one. A full disk is an error that says so.
func Write(path string, f *File) error {
	if err := write(path, f); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT) {
			return &FullError{path, f.size(), err}
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// FullError says that there is no room for a file. What was in its place is still there.
type FullError struct {
	Path string
	Size int64 // bytes that the file needs, about
	Err  error
}

func (e *FullError) Error() string {
	what := "the disk is full"
	if errors.Is(e.Err, syscall.EFBIG) {
		what = "the limit on the size of files is reached"
	}
	return fmt.Sprintf("write %s: %s: %.1f MB are needed; what was there before is kept", e.Path, what, float64(e.Size)/1e6)
}

// Unwrap gives the system's error.
func (e *FullError) Unwrap() error { return e.Err }

func (f *File) size() (n int64) {
	for i := range f.Arrays {
		n += 4 * int64(f.Arrays[i].size())
	}
	return n
}

func write(path string, f *File) error {
	p, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return err
	}
	defer p.Cleanup() // nothing after the rename
	header, at, err := f.header()
	if err != nil {
		return err
	}
	h := sha256.New()
	w := io.MultiWriter(p, h)
	if _, err := w.Write(header); err != nil {
		return err
	}
	buf := make([]byte, 1<<18)
	var room []float32
	for _, a := range f.Arrays {
		if a.Fill != nil {
			room = slices.Grow(room[:0], a.size())[:a.size()]
			if err := a.Fill(room); err != nil {
				return err
			}
			a.Data = room
		}
		if err := writeFloats(w, a.Data, buf); err != nil {
			return err
		}
	}
	if _, err := p.WriteAt([]byte(hex.EncodeToString(h.Sum(nil))), int64(at)); err != nil {
		return err
	}
	if err := p.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// header is the beginning of the file, and where the sum's place in it is.
func (f *File) header() (b []byte, at int, err error) {
	h := map[string]any{}
	end := 0
	for _, a := range f.Arrays {
		n := a.size()
		if _, twice := h[a.Name]; twice || a.Name == metadata || a.Name == "" {
			return nil, 0, fmt.Errorf("two arrays have the name %q, or it cannot be one", a.Name)
		}
		if a.Fill == nil && n != len(a.Data) {
			return nil, 0, fmt.Errorf("array %s has %d numbers for the shape %v", a.Name, len(a.Data), a.Shape)
		}
		h[a.Name] = entry{float, append([]int{}, a.Shape...), [2]int{end, end + 4*n}}
		end += 4 * n
	}
	text := maps.Clone(f.Text)
	if text == nil {
		text = map[string]string{}
	}
	text[sumKey] = noSum
	h[metadata] = text
	j, err := json.Marshal(h) // keys sorted: the same file has the same bytes
	if err != nil {
		return nil, 0, err
	}
	j = append(j, bytes.Repeat([]byte(" "), (8-len(j)%8)%8)...) // the arrays begin at a multiple of 8, as the format has it
	at = sumAt(j, noSum)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(j))), j...), 8 + at, nil
}

// sumAt is where the sum stands in a header; -1 if nowhere. Inside a text its quotes would have backslashes.
func sumAt(header []byte, sum string) int {
	key := `"` + sumKey + `":"`
	if i := bytes.Index(header, []byte(key+sum+`"`)); i >= 0 {
		return i + len(key)
	}
	return -1
}

func writeFloats(w io.Writer, data []float32, buf []byte) error {
	for len(data) > 0 {
		n := min(len(data), len(buf)/4)
		for i, v := range data[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		if _, err := w.Write(buf[:4*n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Sweep removes what writers of path that were killed left beside it.
func Sweep(path string) error {
	left, err := filepath.Glob(filepath.Join(escaped(filepath.Dir(path)), "."+escaped(filepath.Base(path))+"*"))
	if err != nil {
		return fmt.Errorf("sweep %s: %w", path, err)
	}
	for _, l := range left {
		if err := os.Remove(l); err != nil {
			return fmt.Errorf("sweep %s: %w", path, err)
		}
	}
	return nil
}

// escaped is a name that Glob takes as it stands.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
