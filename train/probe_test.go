package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/train/runs"
)

// taught is start= with weights of a network that has learnt a little.
func taught(t *testing.T, dir string, more ...string) string {
	t.Helper()
	o := options(t, dir, append([]string{"units=0", "epochs=1", "val=0.2"}, more...)...)
	if _, _, err := fit(t, o, false); err != nil {
		t.Fatal(err)
	}
	return "start=" + filepath.Join(o.Out, runs.BestFile)
}

// TestProbe fits heads on the network as it begins: far better than chance, the same each time, and the second time with features
// from the cache, or with new ones where the cache is damaged.
func TestProbe(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	dir := garments(t, 400)
	begun := taught(t, dir)
	probed := func(more ...string) (*Result, string) {
		r, notes, err := fit(t, options(t, dir, append([]string{begun, "units=0", "probe=0.01"}, more...)...), false)
		if err != nil {
			t.Fatal(err)
		}
		return r, notes
	}
	first, notes := probed("epochs=0", "warmup=1")
	if first.Best.ValAcc < 0.5 || !strings.Contains(notes, "the linear probe: ") || !strings.Contains(notes, "looks at 400 pictures") {
		t.Errorf("%.2f right, %s", first.Best.ValAcc, notes)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "gleaner", "features", "*"))
	if err != nil || len(kept) != 2 { // as they are, and mirrored
		t.Fatalf("kept %v, %v", kept, err)
	}
	again, notes := probed("epochs=0", "warmup=1")
	if strings.Contains(notes, "looks at") {
		t.Errorf("the cache is not used: %s", notes)
	}
	if a, b := read(t, first.Bundle, bundle.ModelFile), read(t, again.Bundle, bundle.ModelFile); !bytes.Equal(a, b) {
		t.Error("the second probe is another one")
	}
	if err := os.Truncate(kept[0], 100); err != nil {
		t.Fatal(err)
	}
	after, notes := probed("epochs=0", "warmup=1")
	if after.Best != first.Best || !strings.Contains(notes, "looks at") {
		t.Errorf("%+v behind a damaged cache, %+v before; %s", after.Best, first.Best, notes)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", file)
	if r, notes := probed("epochs=0", "warmup=1"); r.Best != first.Best || !strings.Contains(notes, "WARNING: the features are not kept") {
		t.Errorf("%+v where nothing can be kept; %s", r.Best, notes)
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	if tuned, _ := probed("epochs=1", "keep=last"); tuned.Best.Epoch != 1 || tuned.Best.ValAcc < 0.5 {
		t.Errorf("an epoch behind the probe: %+v", tuned.Best)
	}
	if spoilt, _ := probed("epochs=1", "lr=5", "clip=0"); spoilt.Best != first.Best {
		t.Errorf("an epoch that spoils the probe: %+v is the best, and the probe was %+v", spoilt.Best, first.Best)
	}
}

// TestSquares: heads with squares are fitted and written as plain ones are, learn on, and go through int8.
func TestSquares(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := garments(t, 1300)
	r, _, err := fit(t, options(t, dir, "epochs=2", "net=cnn-small"), false)
	if err != nil {
		t.Fatal(err)
	}
	backbone := "net=" + filepath.Join(r.Bundle, bundle.ModelFile)
	on := func(more ...string) *Result {
		t.Helper()
		r, notes, err := fit(t, options(t, dir, append([]string{backbone, "units=0", "squares=8", "keep=last", "val=0.5"}, more...)...), false)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(notes, "the file beside the network") && !strings.Contains(notes, "no TensorFlow Lite") {
			t.Errorf("the file was not compared: %s", notes)
		}
		return r
	}
	fitted := on("epochs=0", "probe=0.03")
	plain := on("epochs=0", "probe=0.01", "squares=0")
	if fitted.Best.ValAcc < plain.Best.ValAcc-0.03 {
		t.Errorf("squares: %.3f right, plain heads: %.3f", fitted.Best.ValAcc, plain.Best.ValAcc)
	}
	tuned := on("epochs=1", "probe=0.03", "lr=0.0005")
	if tuned.Best.ValAcc < fitted.Best.ValAcc-0.05 {
		t.Errorf("%.3f right, and %.3f after an epoch", fitted.Best.ValAcc, tuned.Best.ValAcc)
	}
	start := "start=" + filepath.Join(filepath.Dir(tuned.Bundle), runs.BestFile)
	if r := on("epochs=1", start, "quantise=8", "export=int8", "lr=0.0005"); r.Best.ValAcc < tuned.Best.ValAcc-0.05 {
		t.Errorf("int8: %.3f right, and %.3f before", r.Best.ValAcc, tuned.Best.ValAcc)
	}
}

// TestSquaresOfTwoHeads: each of two heads answers by its own squares.
func TestSquaresOfTwoHeads(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	data := soiled(t, 360, 1)
	r, notes, err := fit(t, ruled(t, data), false)
	if err != nil {
		t.Fatal(err, notes)
	}
	o := ruled(t, data, "net="+filepath.Join(r.Bundle, bundle.ModelFile), "units=0", "squares=6", "probe=0.03", "epochs=0", "drop=0", "test="+soiled(t, 300, 2))
	r, notes, err = fit(t, o, false)
	if err != nil {
		t.Fatal(err, notes)
	}
	if r.TestAcc < 0.7 || len(r.Answers[0].Labels) != 4 {
		t.Errorf("%.3f right of %v; %s", r.TestAcc, r.Answers[0].Labels, notes)
	}
}

// TestWithProbe: the bundle's answers are the mean of the probe's and of those that an epoch later are given, and it says so.
func TestWithProbe(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := garments(t, 400)
	begun := taught(t, dir)
	of := func(more ...string) (*Result, *bundle.Bundle) {
		t.Helper()
		r, _, err := fit(t, options(t, dir, append([]string{begun, "units=0", "probe=0.01", "keep=last"}, more...)...), false)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Open(r.Bundle)
		if err != nil {
			t.Fatal(err)
		}
		return r, b
	}
	probe, _ := of("epochs=0")
	tuned, _ := of("epochs=1")
	joined, b := of("epochs=1", "withprobe=true")
	if !slices.Equal(joined.Ensemble, []int{1, 0}) || !strings.Contains(b.Manifest.Source, "the probe joined") || b.Manifest.Accuracy < 0.5 {
		t.Errorf("of %v: the bundle is %+v", joined.Ensemble, b.Manifest)
	}
	for i, p := range joined.Validated[0].P {
		for k, v := range p {
			if want := (probe.Validated[0].P[i][k] + tuned.Validated[0].P[i][k]) / 2; math.Abs(float64(v-want)) > 1e-5 {
				t.Fatalf("picture %d, class %d: %g, and the mean is %g", i, k, v, want)
			}
		}
	}
}

// TestSettle: an epoch in which nothing is learnt from pictures that are changed a lot leaves the answers as they were where the norms'
// statistics are measured anew, and only there.
func TestSettle(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := garments(t, 400)
	r, _, err := fit(t, options(t, dir, "epochs=2", "net=cnn-small"), false)
	if err != nil {
		t.Fatal(err)
	}
	after := func(more ...string) float64 {
		t.Helper()
		r, _, err := fit(t, options(t, dir, append([]string{"net=" + filepath.Join(r.Bundle, bundle.ModelFile), "norms=true", "units=0", "probe=0.01",
			"lr=1e-12", "mixup=1", "contrast=0.9", "brightness=0.5", "average=0.5", "keep=last"}, more...)...), false)
		if err != nil {
			t.Fatal(err)
		}
		return r.Best.ValLoss
	}
	probe := after("epochs=0")
	off, settled := math.Abs(after("epochs=1")-probe), math.Abs(after("epochs=1", "settle=true")-probe)
	if settled > off/4 {
		t.Errorf("the probe's loss is %.4f; an epoch later it is off by %.4f, and by %.4f with the norms settled", probe, off, settled)
	}
}

// TestSettleOfInterrupted: where no epoch has settled the norms, an interrupted run's bundle has them settled as a finished run's.
func TestSettleOfInterrupted(t *testing.T) {
	dir := garments(t, 100)
	loss := func(at int, more ...string) float64 {
		t.Helper()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		r, err := Fit(ctx, options(t, dir, append([]string{"test=" + dir, "val=0", "keep=last", "epochs=2", "net=cnn-bn", "device=cpu", "drop=-1", "lr=1e-12",
			"contrast=0.9", "brightness=0.5", "average=0.5", "report=false"}, more...)...), false, Reporter{Step: func(p Progress) {
			if p.Step >= at {
				end()
			}
		}})
		if r == nil || errors.Is(err, ErrInterrupted) != (at < math.MaxInt) {
			t.Fatal(err)
		}
		return r.TestLoss
	}
	want := loss(math.MaxInt, "settle=true")
	for _, at := range []int{1, 7} { // of six steps an epoch
		off, settled := math.Abs(loss(at)-want), math.Abs(loss(at, "settle=true")-want)
		if settled > 1e-4 || off < 1e-2 {
			t.Errorf("interrupted after step %d: the loss is off by %g, and by %g where norms settle", at, off, settled)
		}
	}
}

// TestCrossValidate answers each picture once, by a network that did not see it, and refuses less than two folds.
func TestCrossValidate(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := garments(t, 300)
	o := options(t, dir, taught(t, dir), "epochs=0", "probe=0.01", "units=0", "val=0", "keep=last")
	c, err := CrossValidate(t.Context(), o, 3, false, Reporter{})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[int]int{}
	for _, k := range c.Answers.Truth {
		counts[k]++
	}
	if len(c.Answers.P) != 300 || len(counts) != 10 || len(c.Folds) != 3 {
		t.Errorf("%d answers of %d classes in %d folds", len(c.Answers.P), len(counts), len(c.Folds))
	}
	mean := (c.MacroF1[0] + c.MacroF1[1] + c.MacroF1[2]) / 3
	if math.Abs(c.Mean-mean) > 1e-9 || c.Mean < 0.4 || c.Accuracy.Value < 0.4 {
		t.Errorf("macro-F1 %v, mean %.3f, accuracy %v", c.MacroF1, c.Mean, c.Accuracy)
	}
	if _, err := CrossValidate(t.Context(), o, 1, false, Reporter{}); err == nil {
		t.Error("one fold is taken")
	}
}

// TestCrossValidateKeepsOptions: a cross-validation that goes on with other options would train on pictures that an earlier fold was
// measured on; it is refused, in one line that names the key, and goes on with the same options. So does its reader.
func TestCrossValidateKeepsOptions(t *testing.T) {
	dir := garments(t, 60)
	o := options(t, dir, "net=dense", "epochs=1", "val=0", "keep=last", "batch=64") // more than there are in any fold
	if _, err := CrossValidate(t.Context(), o, 2, false, Reporter{}); err != nil {
		t.Fatal(err)
	}
	if _, err := CrossValidate(t.Context(), o, 2, true, Reporter{}); err != nil {
		t.Errorf("the same options: %v", err)
	}
	if r, err := runs.Read(o.Out); err != nil || !r.Finished || r.Folds != 2 {
		t.Errorf("read: %+v, %v", r, err)
	}
	for set, was := range map[string]string{"seed=2": "seed=1", "lr=0.5": "lr=0.005"} {
		other := o
		if err := other.Set(set); err != nil {
			t.Fatal(err)
		}
		_, err := CrossValidate(t.Context(), other, 2, true, Reporter{})
		var in *InputError
		want := set + ": the run was begun with " + was
		if !errors.As(err, &in) || !strings.HasPrefix(err.Error(), "fold 1: ") || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", set, err, want)
		}
	}
	_, err := CrossValidate(t.Context(), o, 3, true, Reporter{})
	if err == nil || !strings.Contains(err.Error(), "fold=1/3: the run was begun with fold=1/2") {
		t.Errorf("three folds: %v", err)
	}
	path := filepath.Join(o.Out, "fold2", runs.OptionsFile)
	if err := os.WriteFile(path, bytes.Replace(read(t, path), []byte(`"seed": 1`), []byte(`"seed": 2`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := runs.Read(o.Out); err == nil || !strings.Contains(err.Error(), "fold1 has seed=1 and fold2 has seed=2") {
		t.Errorf("folds of two seeds: %v", err)
	}
}
