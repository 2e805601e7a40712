package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes the bundle dir from the manifest and its files (by slash-separated path, bundle.json left out). It fills
// in Schema and Files, writes everything under a temporary name, syncs it, opens it as any bundle is opened, and only
// then renames it: a bundle is there whole and valid, or not at all. A bundle never changes: if dir exists and holds
// the very same bundle, nothing is done; if it holds anything else, that is an error.
func Write(dir string, m Manifest, files map[string][]byte) (*Bundle, error) {
	raw, _, err := encode(m, files)
	if err != nil {
		return nil, err
	}
	if old, err := os.ReadFile(filepath.Join(dir, ManifestFile)); err == nil && string(old) == string(raw) {
		return Open(dir)
	}
	all := map[string][]byte{ManifestFile: raw}
	for n, b := range files {
		all[n] = b
	}
	if err := writeDir(dir, all, func(tmp string) error {
		_, err := Open(tmp)
		return err
	}); err != nil {
		return nil, fmt.Errorf("write bundle %s: %w", dir, err)
	}
	return Open(dir)
}

// Replace writes a bundle in the place of the one that dir holds, if it holds any: the new one is there, whole and valid, before the
// old one goes. A kill in between leaves one of the two, the old one perhaps as dir with .old behind it, whence the next Replace fetches
// it before anything else.
func Replace(dir string, m Manifest, files map[string][]byte) error {
	next, old := dir+".next", dir+".old"
	for _, left := range []string{old, next} { // what a kill left, if it left no dir
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err := os.Rename(left, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write bundle %s: %w", dir, err)
		}
	}
	for _, d := range []string{next, old} {
		if err := os.RemoveAll(d); err != nil {
			return fmt.Errorf("write bundle %s: %w", dir, err)
		}
	}
	if _, err := Write(next, m, files); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write bundle %s: %w", dir, err)
	}
	if err := os.Rename(next, dir); err != nil {
		return fmt.Errorf("write bundle %s: %w", dir, err)
	}
	return os.RemoveAll(old)
}

// encode is bundle.json for the files, and the manifest with Schema and Files filled in.
func encode(m Manifest, files map[string][]byte) ([]byte, Manifest, error) {
	m.Schema = Schema
	m.Files = make(map[string]string, len(files))
	for name, b := range files {
		m.Files[name] = hexSum(b)
	}
	if err := m.Check(); err != nil {
		return nil, m, invalid(ManifestFile, "", "%v", err)
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, m, fmt.Errorf("write manifest: %w", err)
	}
	return append(raw, '\n'), m, nil
}

// writeDir writes files into a temporary folder beside dir, lets check look at it, and renames it to dir.
func writeDir(dir string, files map[string][]byte, check func(tmp string) error) error {
	if _, err := os.Lstat(dir); err == nil {
		return &Error{Path: dir, Problem: "it exists already with other content", Err: fs.ErrExist,
			Hint: "bundles never change; take another name or remove it first"}
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // gone already after the rename
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	dirs := map[string]bool{tmp: true}
	for name, b := range files {
		p := filepath.Join(tmp, filepath.FromSlash(name))
		for d := filepath.Dir(p); !dirs[d]; d = filepath.Dir(d) {
			dirs[d] = true
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := writeSynced(p, b); err != nil {
			return err
		}
	}
	for d := range dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if err := check(tmp); err != nil {
		return relocate(err, tmp, dir)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	return syncDir(parent)
}

// relocate lets an error about the temporary folder speak of the folder that was to be made.
func relocate(err error, tmp, dir string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	if rel, err := filepath.Rel(tmp, e.Path); err == nil {
		c.Path = filepath.Join(dir, rel)
	}
	return &c
}

// tempPrefix begins the names of folders that are being made; Prune removes those that a crash left behind.
const tempPrefix = ".new-"

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replaceFile puts b at path in one step: whoever reads it sees the old content or the new, also after a power cut.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already after the rename
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
