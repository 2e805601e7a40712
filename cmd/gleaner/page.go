package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// mayWrite tells before long work whether the file that it ends with can be written. option is how the user named it, such as "out=".
func mayWrite(option, path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return &badInput{fmt.Errorf("%s%s: is a folder, and a file is to be written", option, path)}
	}
	if passes(path) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".may-write-*")
	if err != nil {
		return &badInput{unwritten(option, path, err)}
	}
	defer os.Remove(f.Name())
	return f.Close()
}

// passes tells whether a path is that of a device or a pipe, such as /dev/stdout: it is written to, and no file takes its place.
func passes(path string) bool {
	st, err := os.Stat(path)
	return err == nil && !st.Mode().IsRegular() && !st.IsDir()
}

// writeFile writes a file whole or not at all. The error names it as the user did, whatever it was called meanwhile.
func writeFile(option, path string, write func(io.Writer) error) error {
	if passes(path) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			err = errors.Join(write(f), f.Close())
		}
		if err != nil {
			return unwritten(option, path, err)
		}
		return nil
	}
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return unwritten(option, path, err)
	}
	defer f.Cleanup() //nolint:errcheck // nothing to clean after CloseAtomicallyReplace
	if err := write(f); err != nil {
		return unwritten(option, path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return unwritten(option, path, err)
	}
	return nil
}

// unwritten is why a file was not written. The path in a file's error would be that of a temporary one.
func unwritten(option, path string, err error) error {
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &file):
		err = file.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("%s%s: cannot be written: %w", option, path, err)
}
