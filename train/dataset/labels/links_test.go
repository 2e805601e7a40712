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

// TestShutFolders lists a folder that may not be read, such as lost+found of a disk, and reads the others.
func TestShutFolders(t *testing.T) {
	root := files(t, map[string]string{"can/1.jpg": "", "bag/1.jpg": "", "lost+found/1.jpg": ""})
	shut := filepath.Join(root, "lost+found")
	if err := os.Chmod(shut, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(shut, 0o755) //nolint:errcheck // so that it can be removed
	if _, err := os.ReadDir(shut); err == nil {
		t.Skip("this user may read every folder")
	}
	l := open(t, root, Options{})
	want, bad := []string{"bag/1.jpg  bag", "can/1.jpg  can"}, []string{"lost+found file: a folder that may not be read: nothing of it is (left out)"}
	if !slices.Equal(said(l), want) || !slices.Equal(problems(l), bad) {
		t.Errorf("%q, problems %q", said(l), problems(l))
	}
}
