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

	"gleaner/train/eval"
)

// TestPage shows hostile names as text, in a browser where there is one, and fetches nothing.
func TestPage(t *testing.T) {
	data := sources(t, "can "+hostile, "glass")
	r, err := Judge(t.Context(), data, byColour(t, "can "+hostile, "glass"), byColour(t, "glass", "can "+hostile), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	loss, accuracy := 0.5, 0.75
	r.History = []Epoch{{Epoch: 1, TrainLoss: 2, TrainAcc: 0.5, ValLoss: &loss, ValAcc: &accuracy, Best: true}, {Epoch: 2, TrainLoss: 0.1, TrainAcc: 1, ValLoss: &loss, ValAcc: &accuracy}}
	r.Learning = &Learning{Sizes: []Size{{100, 3, eval.Wilson(60, 100)}, {200, 1, eval.Wilson(80, 100)}}, Text: "More " + hostile}
	r.Worst[0].Nearest = []Near{{Picture: 3, Path: hostile, Label: "glass " + hostile, Cosine: 0.9}}
	r.Carried = &Carried{On: "40 " + hostile, Temperature: 1.5, Purity: []CarriedPurity{{0.98, eval.Wilson(9, 10), eval.Wilson(0, 0)}}}
	var b bytes.Buffer
	if err := r.WriteHTML(&b, data, data); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"87.5 %", "accuracy of the old bundle", "better: 105 pictures right by the new model alone", "data:image/jpeg;base64,", "right &lt;b&gt;",
		"can &lt;img src=x", "precision and coverage", "after temperature scaling, 1.07", `<polyline class="curve" points="`,
		`<polyline class="curve train" points="`, "the bundle has the weights of epoch 1", "Would more pictures help?", "cosine 0.900", "What the bundle carries", ">90</text>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, bad := range []string{"<img src=x", "<script", "ZgotmplZ", "http://", "https://", "NaN"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q stands in the page", bad)
		}
	}
	if strings.Count(page, "<img") != 16 { // a quarter of 60, and what is beside one of them
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
