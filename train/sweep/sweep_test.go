package sweep

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gleaner/train"
	"gleaner/train/runs"
)

// shades is a folder of dark and bright pictures, n of each.
func shades(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 2 * n {
		at := filepath.Join(dir, []string{"dark", "bright"}[i%2])
		im := image.NewGray(image.Rect(0, 0, 8, 8))
		for p := range 64 {
			im.SetGray(p%8, p/8, color.Gray{Y: uint8(30 + 170*(i%2) + (i*7+p*13)%25)})
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(png.Encode(f, im), f.Close(), os.MkdirAll(at, 0o755), os.Rename(f.Name(), filepath.Join(at, fmt.Sprintf("%d.png", i))))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func plan(data, out string, try ...string) Plan {
	return Plan{Args: []string{"data=" + data, "out=" + out, "net=dense", "units=4", "size=8", "device=ref", "epochs=2", "batch=8", "val=0.25"}, Try: try, Seed: 1}
}

// TestResume stops a sweep after its first run and in its second, and sees that only what is left is trained.
func TestResume(t *testing.T) {
	out := filepath.Join(t.TempDir(), "s")
	p := plan(shades(t, 20), out, "lr=0.02,0.01,0.005")
	s, err := Open(p, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var begun []int
	tell := Teller{Begin: func(r *Run, _ int) { begun = append(begun, r.Number) },
		End: func(pr Progress) {
			if pr.Done != 1 || pr.Of != 3 || pr.Best != pr.Run {
				t.Errorf("after the first run: %+v", pr)
			}
			stop()
		}}
	if err := s.Run(ctx, tell); !errors.Is(err, train.ErrInterrupted) || !strings.Contains(err.Error(), "in run 2 of 3; --resume goes on from there") {
		t.Fatalf("stopped: %v", err)
	}
	log := filepath.Join(out, "001", runs.LogFile)
	before, err := os.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(p, false, nil); err == nil || !strings.Contains(err.Error(), "holds a sweep already: --resume goes on with it") {
		t.Errorf("begun twice: %v", err)
	}
	other := p
	other.Try = []string{"lr=0.02,0.01"}
	if _, err := Open(other, true, nil); err == nil || !strings.Contains(err.Error(), "was begun with other options") {
		t.Errorf("another plan: %v", err)
	}
	if s, err = Open(Plan{Args: []string{"out=" + out}, Seed: 1}, true, nil); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), Teller{}); err == nil || !strings.Contains(err.Error(), "another process sweeps there") {
		t.Errorf("two at a time: %v", err)
	}
	unlock()
	left := filepath.Join(out, "."+PageFile+"123") // what a kill in the middle of writing it leaves
	if err := os.WriteFile(left, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tell.End = nil
	if err := s.Run(t.Context(), tell); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", left, err)
	}
	if !slices.Equal(begun, []int{1, 2, 2, 3}) {
		t.Errorf("begun were %v", begun)
	}
	if after, err := os.Stat(log); err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
		t.Errorf("the first run was trained again: %v", err)
	}
	if s.Best == 0 || !strings.Contains(s.Command, " out="+out+"-best") || strings.Contains(s.Command, "test=none") {
		t.Errorf("best %d: %s", s.Best, s.Command)
	}
	kept, err := stored(out)
	if err != nil || kept.Best != s.Best || kept.Runs[2].Figures == nil || kept.Runs[2].Pictures != 10 {
		t.Errorf("kept: %v, %+v", err, kept)
	}
}

// TestAllFail: a sweep none of whose runs comes to an end says why.
func TestAllFail(t *testing.T) {
	data := t.TempDir() // without pictures
	s, err := Open(plan(data, filepath.Join(t.TempDir(), "s"), "lr=0.02,0.01"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), Teller{}); err == nil || !strings.Contains(err.Error(), "none of 2 runs came to an end; the first: ") {
		t.Errorf("%v", err)
	}
}

func TestTrials(t *testing.T) {
	for _, c := range []struct {
		try  []string
		want string
	}{
		{[]string{"lr=0.1,0.2", "mixup=0,0.2"}, "[[lr=0.1 mixup=0] [lr=0.1 mixup=0.2] [lr=0.2 mixup=0] [lr=0.2 mixup=0.2]]"},
		{[]string{"freeze=a,b|c"}, "[[freeze=a,b] [freeze=c]]"},
		{[]string{"cut=a,b"}, "[[cut=a,b]]"},
		{[]string{"start=../a,../b"}, "[[start=../a] [start=../b]]"},
	} {
		got, err := (&Plan{Try: c.try}).trials()
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%q: %v, %v", c.try, got, err)
		}
	}
}

// TestDraw: draws are in their range, all different, the same for a seed, and log-uniform: half of 0.001 to 0.1 below 0.01.
func TestDraw(t *testing.T) {
	p := Plan{Try: []string{"lr=0.001..0.1", "units=4..64", "drop=0..0.5", "optimiser=sgd,adamw"}, Random: 400, Seed: 3}
	got, err := p.trials()
	again, _ := p.trials()
	if err != nil || len(got) != 400 || fmt.Sprint(got) != fmt.Sprint(again) {
		t.Fatalf("%d draws, %v", len(got), err)
	}
	low := 0
	for _, c := range got {
		var v [3]float64
		for i := range v {
			_, text, _ := strings.Cut(c[i], "=")
			if v[i], err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
		if v[0] < 0.001 || v[0] > 0.1 || v[1] < 4 || v[1] > 64 || v[1] != float64(int(v[1])) || v[2] < 0 || v[2] > 0.5 {
			t.Fatalf("drawn %v", c)
		}
		if v[0] < 0.01 {
			low++
		}
	}
	if low < 160 || low > 240 {
		t.Errorf("%d of 400 are in the lower half", low)
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{"lr=0.1": "lr=0.1", "data=my photos": "'data=my photos'", "name=it's": `'name=it'\''s'`, "freeze=a,b": "freeze=a,b"} {
		if got := quote(word); got != want {
			t.Errorf("%s: %s", word, got)
		}
	}
}
