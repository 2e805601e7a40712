// Package section writes a benchmark's part of BENCHMARKS.md and leaves the others' parts as they are.
package section

import (
	"os"
	"strings"
)

// Replace puts text in place of the section of that name in the Markdown file, or at the file's end where there is none. Who wrote
// it is said in the line that begins the section, such as "make bench".
func Replace(path, name, writer, text string) error {
	begin, end := "<!-- "+name+": written by "+writer+" -->", "<!-- end of "+name+" -->"
	text = begin + "\n\n" + strings.Trim(text, "\n") + "\n\n" + end + "\n"
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	s := string(old)
	i, j := strings.Index(s, begin), strings.Index(s, end)
	switch {
	case i >= 0 && j > i:
		s = s[:i] + text + strings.TrimPrefix(s[j+len(end):], "\n")
	case s != "":
		s = strings.TrimRight(s, "\n") + "\n\n" + text
	default:
		s = text
	}
	return os.WriteFile(path, []byte(s), 0o644)
}
