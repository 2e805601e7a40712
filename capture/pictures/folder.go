package pictures

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/jpeg" // pictures in folders
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"gleaner/capture"
)

// maxListLine is the longest line of a list file in bytes.
const maxListLine = 64 << 10

// labelled is one file and its class name.
type labelled struct{ path, class string }

func openFolder(root string) (*Set, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	var all []labelled
	for _, e := range entries {
		if !e.IsDir() || hidden(e.Name()) {
			continue
		}
		files, err := walk(filepath.Join(root, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			all = append(all, labelled{f, e.Name()})
		}
	}
	var odd []Skipped
	if len(all) > 0 {
		if parted(root, all) {
			all, odd = below(root, all)
		}
		s := assemble(all)
		s.skipped = append(s.skipped, odd...)
		return s, nil
	}
	for _, e := range entries {
		if e.IsDir() || !pictureName(e.Name()) {
			continue
		}
		path := filepath.Join(root, e.Name())
		class := prefix(e.Name())
		if class == "" {
			odd = append(odd, Skipped{path, "its name does not begin with a class"})
			continue
		}
		all = append(all, labelled{path, class})
	}
	s := assemble(all)
	s.skipped = append(s.skipped, odd...)
	return s, nil
}

// IsPart tells whether a folder, by its name, in any case, is a part of a split, as others keep them, in which the class folders lie.
func IsPart(folder string) bool {
	return slices.Contains([]string{"train", "training", "val", "valid", "validation", "test", "testing"}, strings.ToLower(folder))
}

// parted tells whether the folders that hold pictures are parts of a split, and some of them hold class folders: they are no classes.
func parted(root string, all []labelled) (classes bool) {
	for _, l := range all {
		if !IsPart(l.class) {
			return false
		}
		classes = classes || filepath.Dir(l.path) != filepath.Join(root, l.class)
	}
	return classes
}

// below takes the classes from the folders below those that all has. Files that lie in none are odd.
func below(root string, all []labelled) (good []labelled, odd []Skipped) {
	for _, l := range all {
		class, _, ok := strings.Cut(strings.TrimPrefix(l.path, filepath.Join(root, l.class)+string(filepath.Separator)), string(filepath.Separator))
		if !ok {
			odd = append(odd, Skipped{l.path, "it lies in no class's folder"})
			continue
		}
		good = append(good, labelled{l.path, class})
	}
	return good, odd
}

// walk is every picture below dir, at any depth, in the order of the names.
func walk(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && hidden(d.Name()):
			return filepath.SkipDir
		case !d.IsDir() && pictureName(d.Name()):
			out = append(out, path)
		}
		return nil
	})
	return out, err
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

func pictureName(name string) bool {
	if hidden(name) {
		return false
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".jfif", ".jpe", ".png":
		return true
	}
	return false
}

// prefix is the class at the start of a file name: the letters before the first digit, underscore, blank, dot or dash
// ("cloudy12.jpg" is cloudy, "유리병_3.png" is 유리병).
func prefix(name string) string {
	name = strings.TrimSuffix(name, filepath.Ext(name))
	if i := strings.IndexFunc(name, func(r rune) bool {
		return unicode.IsDigit(r) || unicode.IsSpace(r) || strings.ContainsRune("_-.", r)
	}); i >= 0 {
		name = name[:i]
	}
	return name
}

func openList(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := parseList(f)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	for i, r := range rows {
		rows[i].path = listed(dir, filepath.FromSlash(r.path))
	}
	return assemble(rows), nil
}

// listed finds a list's file: as it stands when absolute, else beside the list, else beside the list's folder.
func listed(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	near := filepath.Join(dir, path)
	if _, err := os.Stat(near); err != nil {
		if up := filepath.Join(dir, "..", path); exists(up) {
			return up
		}
	}
	return near
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// parseList reads lines of "path TAB class"; empty lines and lines that begin with # are passed over.
func parseList(r io.Reader) ([]labelled, error) {
	var rows []labelled
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 4096), maxListLine)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimRight(sc.Text(), "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		path, class, ok := strings.Cut(line, "\t")
		if class = strings.TrimSpace(class); !ok || path == "" || class == "" {
			return nil, fmt.Errorf("line %d: want path TAB class", n)
		}
		rows = append(rows, labelled{path, class})
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	return rows, nil
}

// assemble numbers the classes in the order of their names and leaves out what is not a picture.
func assemble(all []labelled) *Set {
	s := &Set{files: []string{}}
	var good []labelled
	for _, l := range all {
		if err := sniff(l.path); err != nil {
			s.skipped = append(s.skipped, Skipped{l.path, err.Error()})
			continue
		}
		good = append(good, l)
		s.labels = append(s.labels, l.class)
	}
	slices.Sort(s.labels)
	s.labels = slices.Compact(s.labels)
	for _, l := range good {
		c, _ := slices.BinarySearch(s.labels, l.class)
		s.files = append(s.files, l.path)
		s.class = append(s.class, c)
	}
	return s
}

// sniff tells from the first bytes whether a file is a JPEG or PNG: the two that Image decodes.
func sniff(path string) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() && !st.IsDir() { // a pipe would be waited for
		return errors.New("neither a file nor a folder")
	}
	f, err := os.Open(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return err
	}
	defer f.Close()
	var head [8]byte
	n, err := io.ReadFull(f, head[:])
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("not a picture: %w", err)
	case bytes.HasPrefix(head[:n], []byte{0xff, 0xd8, 0xff}), string(head[:n]) == "\x89PNG\r\n\x1a\n":
		return nil
	case bytes.HasPrefix(head[:n], []byte("GIF8")):
		return errors.New("a GIF under another name")
	}
	return errors.New("neither a JPEG nor a PNG")
}

// bgr converts a decoded picture; transparency is laid over black. It goes through RGBA because the standard library's
// draw has fast paths for the YCbCr of a JPEG, and reading it pixel by pixel costs an allocation each.
func bgr(im image.Image) capture.Image {
	b := im.Bounds()
	rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(rgba, rgba.Bounds(), im, b.Min, draw.Src)
	out := capture.NewImage(b.Dx(), b.Dy())
	for y := range out.H {
		d, s := out.Row(y), rgba.Pix[y*rgba.Stride:]
		for x := range out.W {
			d[3*x], d[3*x+1], d[3*x+2] = s[4*x+2], s[4*x+1], s[4*x]
		}
	}
	return out
}
