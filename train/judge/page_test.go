package judge

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPage shows hostile names as text, in a browser where there is one, and fetches nothing.
func TestPage(t *testing.T) {
	data := sources(t, "can "+hostile, "glass")
	r, err := Judge(t.Context(), data, byColour(t, "can "+hostile, "glass"), byColour(t, "glass", "can "+hostile), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteHTML(&b, data, nil); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"87.5 %", "accuracy of the old bundle", "better: 105 pictures right by the new model alone", "data:image/jpeg;base64,", "right &lt;b&gt;",
		"can &lt;img src=x", "precision and coverage", "after temperature scaling, 1.07", `<polyline class="curve" points="`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, bad := range []string{"<img src=x", "<script", "ZgotmplZ", "http://", "https://", "NaN"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q stands in the page", bad)
		}
	}
	if strings.Count(page, "<img") != 15 { // a quarter of 60
		t.Errorf("%d pictures", strings.Count(page, "<img"))
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if dom := chromium(t, path, "--dump-dom"); !strings.Contains(dom, "<title>colours 1: how good it is</title>") {
		t.Errorf("the title is not its own: %.300s", dom)
	}
	if dir := os.Getenv("GLEANER_PAGE_SHOTS"); dir != "" { // pictures to look at
		chromium(t, path, "--screenshot="+filepath.Join(dir, "judge.png"), "--window-size=1200,2600", "--hide-scrollbars")
	}
}

// chromium runs the browser without a screen on one file and returns what it prints.
func chromium(t *testing.T, path string, args ...string) string {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (Debian: chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir()}, args...)
	cmd := exec.CommandContext(ctx, bin, append(all, "file://"+path)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v: %s", err, stderr.String())
	}
	return string(out)
}
