// Package shared finds the licensed pictures, clips and models that tests and proofs use and that are never part of
// the repository. Nothing that runs in production imports it.
package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// Root is the folder with the test material: $GLEANER_SHARED, or a folder "shared" beside the repository. It is empty
// when there is none.
func Root() string {
	if p := os.Getenv("GLEANER_SHARED"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			p := filepath.Join(dir, "..", "shared")
			if _, err := os.Stat(filepath.Join(p, "data")); err == nil {
				return p
			}
			return ""
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// Path is a file or folder of the test material, slash-separated below its root. It skips the test when the material
// is absent.
func Path(t testing.TB, rel string) string {
	t.Helper()
	root := Root()
	if root == "" {
		t.Skipf("test material absent: set GLEANER_SHARED to the folder that holds %s", rel)
	}
	p := filepath.Join(root, filepath.FromSlash(rel))
	if _, err := os.Stat(p); err != nil {
		t.Skipf("test material absent: %s is not under $GLEANER_SHARED", rel)
	}
	return p
}

// Native is a file that `make setup` fetched, such as "models/ssd-oidv4.tflite". It skips the test when setup has not
// run.
func Native(t testing.TB, rel string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			p := filepath.Join(dir, ".native", filepath.FromSlash(rel))
			if _, e := os.Stat(p); e == nil {
				return p
			}
			break
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		break
	}
	t.Skipf("%s is absent: run make setup", rel)
	return ""
}
