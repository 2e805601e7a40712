package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/model/tflite"
	"gleaner/train"
)

// patterns is an idx folder of n pictures of 8×8 with three classes that are easy to tell apart: dark, bright, and half and half.
func patterns(t *testing.T, n int) string {
	t.Helper()
	images, labels := []byte{0, 0, 8, 3}, binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
	for _, d := range []int{n, 8, 8} {
		images = binary.BigEndian.AppendUint32(images, uint32(d))
	}
	for i := range n {
		for p := range 64 {
			v := []int{20, 230, 230 * (p % 8 / 4)}[i%3] + (i*7+p*13)%20
			images = append(images, byte(v))
		}
		labels = append(labels, byte(i%3))
	}
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "train-images-idx3-ubyte"), images, 0o644),
		os.WriteFile(filepath.Join(dir, "train-labels-idx1-ubyte"), labels, 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// trainArgs is a command line for a small run.
func trainArgs(data, out string, more ...string) []string {
	return append([]string{"train", "data=" + data, "out=" + out, "net=dense", "units=8", "device=ref", "epochs=3", "batch=8", "lr=0.02", "val=0.2"}, more...)
}

// TestTrain goes from pictures to a bundle that once loads, and shows how it went.
func TestTrain(t *testing.T) {
	data, out := patterns(t, 60), filepath.Join(t.TempDir(), "run")
	said := works(t, trainArgs(data, out)...)
	if strings.Count(said, "epoch ") < 3 || !strings.Contains(said, "CPU-ms/image") || !strings.Contains(said, filepath.Join(out, "bundle")+": the best weights, of epoch ") {
		t.Errorf("it said %s", said)
	}
	if tflite.Version() != "none" {
		shown := works(t, "once", "--classify", filepath.Join(out, "bundle"), picture(t, "x.png"), store(t))
		if !strings.Contains(shown, `"class":`) {
			t.Errorf("once says %s", shown)
		}
	}
	works(t, "models", "verify", filepath.Join(out, "bundle"), store(t))
	code, _, errs := gleaner(t, trainArgs(data, out)...)
	if code != exitBadInput || !strings.Contains(errs, "holds a run already: --resume goes on with it") {
		t.Errorf("exit code %d, %s", code, errs)
	}
	code, said, errs = gleaner(t, "train", "out="+out, "--resume")
	if code != exitOK || !strings.Contains(said, "the best weights, of epoch ") || !strings.Contains(errs, "the run is finished, with epoch 3: only its bundle is made again") {
		t.Errorf("gone on: exit code %d, %s, %s", code, said, errs)
	}
	if said := works(t, "train", "out="+out, "--resume", "export=float16", "maylose=2"); !strings.Contains(said, "the best weights, of epoch ") {
		t.Errorf("exported as another file: %s", said)
	}
	if o, err := os.ReadFile(filepath.Join(out, "options.json")); err != nil || !strings.Contains(string(o), `"export": "float16"`) {
		t.Errorf("%v: the options are %s", err, o)
	}
	code, _, errs = gleaner(t, "train", "out="+out, "--resume", "lr=0.5")
	if code != exitBadInput || !strings.Contains(errs, "lr=0.5: the run was begun with lr=0.02") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// TestTrainSameCommand: the command line that began a run goes on with it once --resume is added, also where the run took something
// else than was given: a lower batch, the default learning rate, the file of a network that was named.
func TestTrainSameCommand(t *testing.T) {
	data, first, native := patterns(t, 60), filepath.Join(t.TempDir(), "run"), t.TempDir()
	works(t, trainArgs(data, first, "net=cnn-small")...)
	file, err := os.ReadFile(filepath.Join(first, "bundle", bundle.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	models := filepath.Join(native, "models")
	if err := errors.Join(os.Mkdir(models, 0o755), os.WriteFile(filepath.Join(models, "mine.tflite"), file, 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GLEANER_NATIVE", native)
	for _, own := range []string{"batch=64", "lr=0", "net=mine units=0"} {
		args := trainArgs(data, filepath.Join(t.TempDir(), "run"), strings.Fields(own)...)
		works(t, args...)
		works(t, append(args, "--resume")...)
		code, _, errs := gleaner(t, append(args, "--resume", "lr=0.5")...)
		if code != exitBadInput || !strings.Contains(errs, "lr=0.5: the run was begun with lr=0.0") {
			t.Errorf("%s: exit code %d, %s", own, code, errs)
		}
	}
	args := trainArgs(data, filepath.Join(t.TempDir(), "run"))
	works(t, args...)
	code, _, errs := gleaner(t, append(args, "--resume", "batch=16")...)
	if code != exitBadInput || !strings.Contains(errs, "batch=16: the run was begun with batch=8") {
		t.Errorf("a larger batch: exit code %d, %s", code, errs)
	}
}

// TestTrainFoldsResume: the folder of a cross-validation says what it is, and goes on by the command that began it.
func TestTrainFoldsResume(t *testing.T) {
	data, out := patterns(t, 60), filepath.Join(t.TempDir(), "folds")
	args := trainArgs(data, out, "epochs=1", "--folds=2")
	works(t, args...)
	for _, wrong := range [][]string{{"train", "out=" + out, "--resume"}, {"train", "out=" + out, "--resume", "--folds=2"}} {
		code, _, errs := gleaner(t, wrong...)
		if code != exitBadInput || !strings.Contains(errs, "holds a cross-validation: to go on with it, give the command that began it again, with --folds 2 and --resume") {
			t.Errorf("%v: exit code %d, %s", wrong, code, errs)
		}
	}
	works(t, append(args, "--resume")...)
}

func TestTrainJSON(t *testing.T) {
	said := works(t, trainArgs(patterns(t, 60), filepath.Join(t.TempDir(), "run"), "--json")...)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if len(lines) != 4 {
		t.Fatalf("it said %s", said)
	}
	for i, line := range lines[:3] {
		var e struct {
			Epoch     int     `json:"epoch"`
			TrainLoss float64 `json:"train_loss"`
			ValAcc    float64 `json:"val_acc"`
			Rate      float64 `json:"images_per_s"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Epoch != i+1 || e.TrainLoss <= 0 || e.Rate <= 0 {
			t.Errorf("%v: %s", err, line)
		}
	}
	var r struct {
		Result struct {
			Bundle string `json:"bundle"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(lines[3]), &r); err != nil || r.Result.Bundle == "" {
		t.Errorf("%v: %s", err, lines[3])
	}
}

// TestTrainInterrupted: a context that ended before, as after Ctrl-C, gives one line and exit code 1, and puts the signal back.
func TestTrainInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	restored := make(chan struct{})
	code := run(ctx, func() { close(restored) }, trainArgs(patterns(t, 60), filepath.Join(t.TempDir(), "run")), &out, &errs)
	if code != exitFailed || !strings.Contains(errs.String(), "gleaner: interrupted before the training began") {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	<-restored
}

func TestTrainBadInput(t *testing.T) {
	data := patterns(t, 30)
	fresh := func(more ...string) []string { return trainArgs(data, filepath.Join(t.TempDir(), "run"), more...) }
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", []string{"train"}, "data= is missing"},
		{"no out", []string{"train", "data=" + data}, "out= is missing"},
		{"key", fresh("epoch=3"), `epoch: unknown key; did you mean "epochs"?`},
		{"value", fresh("epochs=many"), "epochs=many: not a whole number"},
		{"word", fresh("fast"), "fast: not of the form key=value"},
		{"flag", fresh("--fast"), "unknown flag: --fast; see gleaner train --help"},
		{"int8 of few pictures", fresh("export=int8"), "export=int8: it takes 268 held-out pictures to show that the file loses at most maylose=1 points, and there are 6"},
		{"network", fresh("net=resnet9"), `no network is called "resnet9"`},
		{"layer", fresh("net=cnn-deep"), "layer pool"},
		{"no pictures", trainArgs(t.TempDir(), filepath.Join(t.TempDir(), "run")), "no labelled picture"},
		{"folder", trainArgs(data, filepath.Join(data, "train-images-idx3-ubyte", "x")), "cannot be made: not a directory"},
		{"not a network", fresh("net=" + filepath.Join(data, "x.tflite")), "x.tflite: no such file"},
		{"nothing to go on with", []string{"train", "out=" + filepath.Join(data, "nosuch"), "--resume"}, "nosuch: there is no run in it to go on with"},
		{"folds of one", fresh("--folds=1"), "--folds=1: a cross-validation has at least 2"},
		{"folds below none", fresh("--folds=-5"), "--folds=-5: a cross-validation has at least 2"},
		{"fold of folds", fresh("--folds=2", "fold=1/2"), "fold=1/2: a cross-validation goes through all folds"},
		{"summary of classes below none", []string{"train", "summary", "net=resnet18", "--classes=-5"}, "--classes=-5: not in 2 to 1000000"},
		{"summary of nothing", []string{"train", "summary", "net=nope"}, `no network is called "nope"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, errs := gleaner(t, c.args...)
			if code != exitBadInput || !strings.HasPrefix(errs, "gleaner: ") || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.want) {
				t.Errorf("exit code %d, %q; want 2 and one line with %q", code, errs, c.want)
			}
		})
	}
}

func TestTrainSummary(t *testing.T) {
	if s := works(t, "train", "summary", "net=resnet18", "--classes=1000"); !strings.Contains(s, "11689512") {
		t.Errorf("ResNet-18 has 11,689,512 parameters (He et al. 2016): %s", s)
	}
	if s := works(t, "train", "summary", "net=cnn-small", "size=14"); !strings.Contains(s, "[14 14 1]") {
		t.Error(s)
	}
	var s struct{ Params int }
	if err := json.Unmarshal([]byte(works(t, "train", "summary", "net=cnn-small", "--json")), &s); err != nil || s.Params == 0 {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestResultOfSeveralHeads: what is right on validation pictures is the heads' mean then, where the bundle's accuracy is of their joint answer.
func TestResultOfSeveralHeads(t *testing.T) {
	for heads, want := range map[bool]string{false: "50.00 % right on validation pictures\n", true: "50.00 % right on validation pictures (the heads in the mean)\n"} {
		var out bytes.Buffer
		show := newTrainShow(&out, &out, false)
		show.heads = heads
		r := &train.Result{Bundle: "b"}
		r.Best.Epoch, r.Best.ValAcc = 2, 0.5
		if show.result(r); !strings.HasSuffix(out.String(), want) {
			t.Errorf("it said %s", out.String())
		}
	}
}
