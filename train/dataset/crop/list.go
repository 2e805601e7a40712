package crop

import (
	"bufio"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/train/dataset/labels"
)

// Pictures lists what is to be looked at: of a COCO or AI-Hub folder or file, and of a list (CSV, TSV), the pictures that it
// names, with what it says of them; of a plain list, one path on a line, those; of any other folder, all pictures below it. A
// file that is no picture, or another kind of picture than its name says, is listed with its reason. With label LabelPicture
// every picture must have a class, as labels.Open finds them.
func Pictures(root, label string, o labels.Options) (*labels.List, error) {
	st, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	var l *labels.List
	switch {
	case label == LabelPicture || o.Format != "":
		l, err = labels.Open(root, o)
	case st.IsDir():
		l, err = folder(root, o)
	case !st.Mode().IsRegular():
		err = fmt.Errorf("%s: neither a file nor a folder", root)
	case plain(root):
		l, err = lines(root)
	default:
		l, err = labels.Open(root, o)
	}
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		if err := strangers(l); err != nil {
			return nil, err
		}
	}
	for i := range l.Items {
		look(l, &l.Items[i])
	}
	if len(l.Items) == 0 {
		return nil, fmt.Errorf("%s: no picture below it", root)
	}
	return l, nil
}

// folder takes labels with boxes where there are some, and else nothing but the pictures.
func folder(root string, o labels.Options) (*labels.List, error) {
	if l, err := labels.Open(root, o); err == nil && (l.Format == "coco" || l.Format == "aihub" || l.Format == "list") {
		return l, nil
	}
	root, err := filepath.EvalSymlinks(root) // a link is not walked
	if err != nil {
		return nil, err
	}
	l := &labels.List{Root: root, Format: "pictures"}
	err = files(root, func(p string) {
		if kind(filepath.Join(root, filepath.FromSlash(p))) != "" || named(p) != "" {
			l.Items = append(l.Items, labels.Item{Picture: p})
		}
	})
	return l, err
}

// files calls each with every file below a root that is not hidden, in the order of their names.
func files(root string, each func(p string)) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); p != root && strings.HasPrefix(name, ".") || name == "__MACOSX" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() { // a link to a pipe never ends
			if st, err := os.Stat(p); d.Type()&fs.ModeSymlink == 0 || err == nil && !st.Mode().IsRegular() && !st.IsDir() {
				return nil
			}
		}
		rel, err := filepath.Rel(root, p)
		if err == nil {
			each(filepath.ToSlash(rel))
		}
		return err
	})
}

// plain tells whether a file is a list of nothing but paths.
func plain(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	return s.Scan() && !strings.ContainsAny(s.Text(), ",\t{[")
}

// lines reads a plain list: paths below the list's folder, or the folder above, or absolute ones. A header "path" is passed over.
func lines(file string) (*labels.List, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(filepath.Dir(file)) // ../ leads out of what a link stands for
	if err != nil {
		return nil, err
	}
	l := &labels.List{Root: root, Format: "list"}
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.TrimPrefix(string(raw), "\ufeff"), "\n") {
		if line = strings.TrimSpace(line); line == "" || i == 0 && line == "path" {
			continue
		}
		p, found := below(root, line)
		switch {
		case !found:
			l.Problems = append(l.Problems, labels.Problem{Path: line, What: "file", Reason: "neither below the list's folder nor below the one above"})
		case !seen[p]:
			seen[p] = true
			l.Items = append(l.Items, labels.Item{Picture: p})
		}
	}
	slices.SortFunc(l.Items, func(a, b labels.Item) int { return strings.Compare(a.Picture, b.Picture) })
	return l, nil
}

func below(root, p string) (string, bool) {
	if filepath.IsAbs(p) {
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return "", false
		}
		p = rel
	}
	for _, from := range []string{".", ".."} {
		rel := path.Join(from, filepath.ToSlash(p))
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(rel))); err == nil {
			return rel, true
		}
	}
	return "", false
}

// strangers lists the files below a folder that no item names, and that no labels are.
func strangers(l *labels.List) error {
	have := map[string]bool{}
	for _, it := range l.Items {
		have[it.Picture] = true
	}
	for _, p := range l.Problems {
		have[p.Path] = true
	}
	return files(l.Root, func(p string) {
		ext := strings.ToLower(path.Ext(p))
		if have[p] || ext == ".json" || ext == ".csv" || ext == ".tsv" {
			return
		}
		reason := "no picture: neither its name nor its content is one's (JPEG, PNG, GIF, BMP and WebP are read)"
		if named(p) != "" || kind(filepath.Join(l.Root, filepath.FromSlash(p))) != "" {
			reason = "a picture that no label names"
		}
		l.Problems = append(l.Problems, labels.Problem{Path: p, What: "file", Reason: reason})
	})
}

// look compares a picture's name with its content.
func look(l *labels.List, it *labels.Item) {
	says, is := named(it.Picture), kind(filepath.Join(l.Root, filepath.FromSlash(it.Picture)))
	if is != "" && says != is {
		it.Problems = append(it.Problems, labels.Problem{Path: it.Picture, What: "name", Mended: true,
			Reason: fmt.Sprintf("its content is %s, and its name ends in %q: taken for what it is", strings.ToUpper(is), path.Ext(it.Picture))})
	}
}

// named is the kind of picture that a name says, kind what the first bytes are; empty for none that is read.
func named(p string) string {
	switch strings.ToLower(path.Ext(p)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif":
		return "jpeg"
	case ".png":
		return "png"
	case ".gif":
		return "gif"
	case ".bmp":
		return "bmp"
	case ".webp":
		return "webp"
	}
	return ""
}

func kind(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	var b [512]byte
	n, _ := f.Read(b[:]) // nothing read is no picture
	name, _, _ := strings.Cut(strings.TrimPrefix(http.DetectContentType(b[:n]), "image/"), ";")
	if slices.Contains([]string{"jpeg", "png", "gif", "bmp", "webp"}, name) {
		return name
	}
	return ""
}
