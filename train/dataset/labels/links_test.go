package labels

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRootIsALink reads a folder, and a list in it, by a link to the folder, from elsewhere.
func TestRootIsALink(t *testing.T) {
	root := files(t, map[string]string{"set/can/1.jpg": "", "set/bag/1.jpg": "", "set/lists/x.csv": "path,class\n../can/1.jpg,can\nbag/1.jpg,bag\n"})
	away := t.TempDir()
	for name, to := range map[string]string{"set": "set", "lists": "set/lists"} {
		if err := os.Symlink(filepath.Join(root, to), filepath.Join(away, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"set":             {"bag/1.jpg  bag", "can/1.jpg  can"},
		"lists/x.csv":     {"../bag/1.jpg  bag", "../can/1.jpg  can"},
		"set/lists/x.csv": {"../bag/1.jpg  bag", "../can/1.jpg  can"},
	} {
		if l := open(t, filepath.Join(away, path), Options{}); !slices.Equal(said(l), want) || problems(l) != nil {
			t.Errorf("%s: %q, want %q; problems %q", path, said(l), want, problems(l))
		}
	}
}
