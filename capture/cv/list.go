package cv

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// List is the files that images:arg means, in natural order: the picture itself, the files of a folder and its
// subfolders, or those that a glob matches. Names that begin with a dot are left out of folders. A path that exists is
// taken as it is, though it has a bracket or star in its name. No file at all is an error.
func List(arg string) ([]string, error) {
	st, err := os.Stat(arg)
	switch {
	case err == nil && !st.IsDir():
		return []string{arg}, nil
	case err == nil:
		return listFolder(arg)
	case !strings.ContainsAny(arg, "*?["):
		return nil, fmt.Errorf("open pictures: %w", err)
	}
	found, err := filepath.Glob(arg)
	if err != nil {
		return nil, fmt.Errorf("open pictures %s: %w", arg, err)
	}
	files := slices.DeleteFunc(found, func(p string) bool {
		st, err := os.Stat(p)
		return err != nil || st.IsDir()
	})
	if len(files) == 0 {
		return nil, fmt.Errorf("open pictures: no file matches %s", arg)
	}
	slices.SortFunc(files, naturalCompare)
	return files, nil
}

func listFolder(dir string) ([]string, error) {
	var files []string
	// The slash makes WalkDir follow a folder that is a symbolic link.
	err := filepath.WalkDir(dir+string(filepath.Separator), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && p != dir+string(filepath.Separator)
		switch {
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir():
			return nil
		}
		files = append(files, filepath.Clean(p))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open pictures: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("open pictures: folder %s is empty", dir)
	}
	slices.SortFunc(files, naturalCompare)
	return files, nil
}
