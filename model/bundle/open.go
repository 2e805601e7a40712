package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"gleaner/model/flat"
)

// The names of a bundle's files.
const (
	ManifestFile = "bundle.json"
	ModelFile    = "model.tflite"
	LabelsFile   = "labels.txt"
)

// Bounds on what is read into memory.
const (
	maxManifest = 1 << 20
	maxLabels   = 8 << 20
)

// Bundle is a verified bundle on disk.
type Bundle struct {
	Dir      string // where it lies
	Manifest Manifest
	Labels   []string // as many as the model has classes; nil for embeddings and where the head knows one class
	// SHA256 is the lower-case hex sha256 of bundle.json. As that states the sum of every other file, it is the
	// identity of the whole bundle.
	SHA256 string
}

// ModelPath is the network's file.
func (b *Bundle) ModelPath() string { return filepath.Join(b.Dir, ModelFile) }

// ID names the bundle by content, "sha256:…", as messages do.
func (b *Bundle) ID() string { return "sha256:" + b.SHA256 }

// Open reads the bundle in dir and verifies all of it: the manifest, the sha256 of every file, and that manifest,
// labels and network fit each other. Every error is or wraps an *Error.
func Open(dir string) (*Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, notFound(dir, err, "a bundle is a folder with bundle.json; gleaner models list shows the installed ones")
	}
	defer root.Close()
	raw, err := readIn(root, ManifestFile, maxManifest)
	if err != nil {
		return nil, notFound(filepath.Join(dir, ManifestFile), err,
			"wrap a bare model with gleaner models add")
	}
	b := &Bundle{Dir: dir, SHA256: hexSum(raw)}
	path := filepath.Join(dir, ManifestFile)
	if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), &b.Manifest); err != nil {
		return nil, invalid(path, "", "not a manifest: %v", err)
	}
	if err := b.Manifest.Check(); err != nil {
		return nil, invalid(path, "", "%v", err)
	}
	for _, name := range b.Manifest.fileNames() {
		if err := verifyFile(root, dir, name, b.Manifest.Files[name]); err != nil {
			return nil, err
		}
	}
	if _, ok := b.Manifest.Files[LabelsFile]; ok {
		text, err := readIn(root, LabelsFile, maxLabels)
		if err != nil {
			return nil, notFound(filepath.Join(dir, LabelsFile), err, "")
		}
		if b.Labels, err = ParseLabels(text); err != nil {
			return nil, invalid(filepath.Join(dir, LabelsFile),
				"save it as UTF-8, for Korean text from Windows: iconv -f cp949 -t utf-8", "%v", err)
		}
	}
	net, err := flat.ReadFile(b.ModelPath())
	if err != nil {
		return nil, &Error{Path: b.ModelPath(), Problem: trimPath(err, b.ModelPath()), Err: err}
	}
	if err := Fits(&b.Manifest, b.Labels, net); err != nil {
		return nil, invalid(dir, "", "%v", err)
	}
	return b, nil
}

// trimPath takes the words that repeat the path off an error of flat.ReadFile.
func trimPath(err error, path string) string {
	return strings.TrimPrefix(err.Error(), "read model "+path+": ")
}

func notFound(path string, err error, hint string) *Error {
	e := &Error{Path: path, Hint: hint, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Problem, e.Err = "no such file or folder", ErrNotFound
	case strings.Contains(err.Error(), "escapes"):
		e.Problem, e.Err = "the link leads out of the bundle's folder", ErrInvalid
	}
	return e
}

func readIn(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := openIn(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("larger than %d bytes", limit)
	}
	return b, err
}

// openIn opens a regular file below root; os.Root refuses links that lead out. Pipes and devices are refused before
// they are opened, since opening them may wait for ever.
func openIn(root *os.Root, name string) (*os.File, error) {
	st, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return root.Open(name)
}

func verifyFile(root *os.Root, dir, name, want string) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	f, err := openIn(root, filepath.FromSlash(name))
	if err != nil {
		return notFound(path, err, "the bundle is incomplete; install it again")
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return &Error{Path: path, Err: err}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return mismatch(path, want, got, "the file was changed or damaged after the bundle was made; install it again")
	}
	return nil
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// ParseLabels reads labels, one a line, in UTF-8. A byte-order mark and CRLF are tolerated, blanks around a label and
// blank lines at the end dropped; a blank line between labels counts, since the line's number is the class.
func ParseLabels(text []byte) ([]string, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var out []string
	for i, l := range strings.Split(string(text), "\n") {
		if !utf8.ValidString(l) {
			return nil, fmt.Errorf("line %d is not UTF-8", i+1)
		}
		out = append(out, strings.TrimSpace(l))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no label")
	}
	return out, nil
}

// FormatLabels is the text of labels.txt.
func FormatLabels(labels []string) []byte { return []byte(strings.Join(labels, "\n") + "\n") }
