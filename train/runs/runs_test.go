package runs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/train/recipe"
)

func open(t *testing.T, dir string, resume bool) *Folder {
	t.Helper()
	f, err := Open(dir, resume)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestApart: a run and a cross-validation do not get into one folder, and each goes on in its own.
func TestApart(t *testing.T) {
	dir := t.TempDir()
	run, cross := filepath.Join(dir, "run"), filepath.Join(dir, "cross")
	write(t, filepath.Join(run, OptionsFile), "{}")
	write(t, filepath.Join(cross, FoldDir(1), OptionsFile), "{}")
	for _, c := range []struct {
		dir   string
		folds int
		want  string
	}{{run, 0, ""}, {run, 3, "holds a run"}, {cross, 3, ""}, {cross, 0, "holds a cross-validation"}, {filepath.Join(dir, "new"), 3, ""}, {"", 0, ""}} {
		if err := Apart(c.dir, c.folds); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %d folds: %v", c.dir, c.folds, err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "run")
	f := open(t, dir, false)
	var used *UsedError
	if _, err := Open(dir, true); !errors.As(err, &used) || !strings.Contains(err.Error(), "another process trains there") {
		t.Errorf("opened twice: %v", err)
	}
	f.Close()
	for _, left := range []string{".options.json12", ".log.csv345", "." + CheckpointFile + "9", ".candidate-0003.safetensors77", TryFile + "1.tflite", ".new-7/bundle.json"} {
		write(t, filepath.Join(dir, left), "x")
	}
	f = open(t, dir, false)
	defer f.Close()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != lockFile {
		t.Errorf("left are %v", entries)
	}
	write(t, f.Checkpoint(), "x")
	f.Close()
	if _, err := Open(dir, false); !errors.As(err, &used) || !strings.Contains(err.Error(), "holds a run already: --resume goes on with it") {
		t.Errorf("a folder in use: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	if _, err := Open(file, false); !errors.As(err, &used) || !strings.Contains(err.Error(), "cannot be made: not a directory") {
		t.Errorf("a file: %v", err)
	}
}

// TestOpenLeavesNothing: a folder that was made for a run that never began goes; what was there stays.
func TestOpenLeavesNothing(t *testing.T) {
	was := t.TempDir()
	open(t, was, false).Close()
	made := filepath.Join(was, "made")
	open(t, made, false).Close()
	if _, err := os.Lstat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder that was made: %v", err)
	}
	if _, err := os.Lstat(was); err != nil {
		t.Errorf("the folder that was there: %v", err)
	}
	f := open(t, made, false)
	write(t, f.Log(), "x")
	f.Close()
	if text(t, f.Log()) != "x" {
		t.Error("what a run wrote is gone")
	}
}

func TestStored(t *testing.T) {
	dir := t.TempDir()
	if _, ok, err := Stored(dir, nil, nil); ok || err != nil {
		t.Errorf("nothing is stored: %v, %v", ok, err)
	}
	f := open(t, dir, false)
	defer f.Close()
	o := recipe.DefaultOptions()
	o.Data, o.Out, o.LR, o.Freeze = "pictures", "elsewhere", 0.25, []string{"conv"}
	if err := o.SetAll([]string{"rotate=10", "augment=belt"}); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteOptions(&o); err != nil {
		t.Fatal(err)
	}
	got, ok, err := Stored(dir, []string{"lr=0.25", "out=" + dir, "threads=3", "data=moved/pictures"}, nil)
	if err != nil || !ok || got.Out != dir || got.Threads != 3 || got.LR != 0.25 || got.Data != "moved/pictures" || got.Value("freeze") != "conv" {
		t.Errorf("%v %v: %+v", ok, err, got)
	}
	if _, _, err := Stored(dir, []string{"augment=belt", "rotate=10"}, nil); err != nil {
		t.Errorf("given as it was begun: %v", err)
	}
	if got, _, err := Stored(dir, []string{"export=int8", "maylose=5"}, nil); err != nil || got.Export != "int8" || got.MayLose != 5 {
		t.Errorf("another file: %s, %g, %v", got.Export, got.MayLose, err)
	}
	for given, want := range map[string]string{
		"augment=belt": "rotate=180: the run was begun with rotate=10",
		"lr=0.5":       "lr=0.5: the run was begun with lr=0.25, and a resumed run keeps its options",
		"net=dense":    "net=dense: the run was begun with net=cnn-bn",
		"val=0.3":      "val=0.3: the run was begun with val=0.1",
		"val=pictures": "val=pictures: the run was begun with val=0.1",
		"epochs=abc":   "epochs=abc: not a whole number",
	} {
		if _, _, err := Stored(dir, []string{given}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", given, err)
		}
	}
	if _, _, err := Stored(dir, []string{"val=0.10"}, nil); err != nil {
		t.Errorf("the same share: %v", err)
	}
	o.Val = "pictures"
	if err := f.WriteOptions(&o); err != nil {
		t.Fatal(err)
	}
	if got, _, err := Stored(dir, []string{"val=moved/pictures"}, nil); err != nil || got.Val != "moved/pictures" {
		t.Errorf("pictures that moved: %q, %v", got.Val, err)
	}
	write(t, f.Options(), `{"nonsense": 1}`)
	if _, _, err := Stored(dir, nil, nil); err == nil || !strings.Contains(err.Error(), f.Options()) {
		t.Errorf("nonsense: %v", err)
	}
}

// TestCutLog: the log holds the epochs of the checkpoint, whatever a kill has left of it.
func TestCutLog(t *testing.T) {
	history := []Row{{Epoch: 1, Step: 10, LR: 0.1, TrainLoss: 2.25, TrainAcc: 0.5, ValLoss: 2, ValAcc: 0.25},
		{Epoch: 2, Step: 20, LR: 0.01, TrainLoss: 1.0 / 3, TrainAcc: 0.75, ValLoss: 1, ValAcc: 0.5}}
	const header = "epoch,step,lr,train_loss,train_acc,val_loss,val_acc,images_per_s,cpu_ms_per_image,seconds\n"
	const first, second = "1,10,0.1,2.25,0.5,2,0.25,1234,0.5678,12.35\n", "2,20,0.01,0.333333333,0.75,1,0.5,1000,1,0.5\n"
	for _, c := range []struct{ name, before, after string }{
		{"as it is", header + first + second, header + first + second},
		{"an epoch too many", header + first + second + "3,30,0.001,1,1,1,1,1,1,1\n", header + first + second},
		{"cut off in a row", header + first + "2,20,0.0", header + first + "2,20,0.01,0.333333333,0.75,1,0.5,,,\n"},
		{"cut off inside quotes", header + "\"1,10", header + "1,10,0.1,2.25,0.5,2,0.25,,,\n2,20,0.01,0.333333333,0.75,1,0.5,,,\n"},
		{"another run's", header + "1,10,0.1,2.26,0.5,2,0.25,1234,0.5678,12.35\n" + second, header + "1,10,0.1,2.25,0.5,2,0.25,,,\n" + second},
		{"empty", "", header + "1,10,0.1,2.25,0.5,2,0.25,,,\n2,20,0.01,0.333333333,0.75,1,0.5,,,\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, t.TempDir(), false)
			defer f.Close()
			write(t, f.Log(), c.before)
			if err := f.CutLog(history, true); err != nil {
				t.Fatal(err)
			}
			if got := text(t, f.Log()); got != c.after {
				t.Errorf("got\n%s\nwant\n%s", got, c.after)
			}
		})
	}
	f := open(t, t.TempDir(), false)
	defer f.Close()
	if err := errors.Join(f.CutLog(nil, true), f.AppendLog(history[0], true, Timing{1234.4, 0.56784, 12.3456}), f.AppendLog(history[1], false, Timing{1000, 1, 0.5})); err != nil {
		t.Fatal(err)
	}
	if got := text(t, f.Log()); got != header+first+"2,20,0.01,0.333333333,0.75,,,1000,1,0.5\n" {
		t.Errorf("appended:\n%s", got)
	}
}

// TestCandidates keeps those that are counted, and nothing else that looks like one.
func TestCandidates(t *testing.T) {
	f := open(t, t.TempDir(), false)
	defer f.Close()
	for _, epoch := range []int{0, 3, 12345} {
		write(t, f.Candidate(epoch), "x")
	}
	write(t, f.Best(), "x")
	count := []Row{{Epoch: 12345}, {Epoch: 0}}
	if err := f.KeepCandidates(count); err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(f.Dir, "[a-z]*"))
	if err != nil || len(entries) != 3 || f.Missing(count) != "" {
		t.Errorf("left are %v, %v; missing is %q", entries, err, f.Missing(count))
	}
	if got := f.Missing(append(count, Row{Epoch: 3})); got != f.Candidate(3) {
		t.Errorf("missing is %q", got)
	}
}
