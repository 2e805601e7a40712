package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseFigure(t *testing.T) {
	for _, tc := range []struct {
		name, line string
		want       result
		ok         bool
	}{
		{"pass", "FIGURE 30 objects BAR exactly 30 PASS", result{figure: "30 objects", bar: "exactly 30", pass: true}, true},
		{"fail", "FIGURE 29 objects BAR exactly 30 FAIL\n", result{figure: "29 objects", bar: "exactly 30"}, true},
		{"no line", "ok gleaner 0.1s", result{}, false},
		{"no bar", "FIGURE 30 objects PASS", result{}, false},
		{"empty bar", "FIGURE 30 objects BAR PASS", result{}, false},
		{"another word", "FIGURE 30 objects BAR 30 pass", result{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := parseFigure(tc.line)
			if got != tc.want || ok != tc.ok {
				t.Errorf("parseFigure(%q) = %+v, %v; want %+v, %v", tc.line, got, ok, tc.want, tc.ok)
			}
		})
	}
}

// TestProve runs real scripts: what they say, what they exit with and what the table keeps.
func TestProve(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, body := range map[string]string{
		"1-good.sh":   "echo FIGURE 1 a\\|b BAR 2 PASS; echo; echo noise >&2",
		"1-bad.sh":    "echo FIGURE 3 BAR 2 FAIL; exit 1",
		"1-liar.sh":   "echo FIGURE 3 BAR 2 PASS; exit 3",
		"1-silent.sh": "echo FIGURE 3 BAR 2 PASS; echo afterthought",
		"2-later.sh":  "printf 'FIGURE 5 BAR 5 PASS'",
		"notes.sh":    "echo not a proof; exit 1",
	} {
		if err := os.MkdirAll("prove", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("prove", name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := prove(t.Context(), "prove", "PROVEN.md", []string{"1-"})
	if err == nil || err.Error() != "3 of 4 failed" {
		t.Errorf("prove 1-: %v, want 3 of 4 failed", err)
	}
	if err := prove(t.Context(), "prove", "PROVEN.md", []string{"2-later"}); err != nil {
		t.Errorf("prove 2-later: %v", err)
	}
	got, err := readTable("PROVEN.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		figure string
		pass   bool
	}{
		"1-good":   {"1 a|b", true},
		"1-bad":    {"3", false},
		"1-liar":   {"3 (said PASS, but: exit status 3)", false},
		"1-silent": {"none: it ended without a FIGURE line", false},
		"2-later":  {"5", true},
	} {
		if r := got[name]; r.figure != want.figure || r.pass != want.pass || len(r.date) != len("2006-01-02") {
			t.Errorf("row %s = %+v, want figure %q, pass %v", name, r, want.figure, want.pass)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d rows, want 5", len(got))
	}
	if err := prove(t.Context(), "prove", "PROVEN.md", []string{"9-"}); err == nil || !strings.Contains(err.Error(), `"9-"`) {
		t.Errorf("prove 9-: %v, want an error that names the prefix", err)
	}
}
