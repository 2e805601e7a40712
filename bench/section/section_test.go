package section

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "B.md")
	write := func(name, text string) string {
		t.Helper()
		if err := Replace(path, name, "make "+name, text); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write("a", "one")
	write("b", "two\n")
	want := "<!-- a: written by make a -->\n\nthree\n\n<!-- end of a -->\n\n<!-- b: written by make b -->\n\ntwo\n\n<!-- end of b -->\n"
	for range 2 { // the second time changes nothing
		if got := write("a", "\nthree\n"); got != want {
			t.Errorf("the file is\n%s\nwant\n%s", got, want)
		}
	}
}
