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
	f, err := os.CreateTemp(filepath.Dir(path), ".may-write-*")
	if err != nil {
		return &badInput{unwritten(option, path, err)}
	}
	defer os.Remove(f.Name())
	return f.Close()
}

// writeFile writes a file whole or not at all. The error names it as the user did, whatever it was called meanwhile.
func writeFile(option, path string, write func(io.Writer) error) error {
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
