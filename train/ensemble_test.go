package train

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/engine/ref"
	"gleaner/train/export"
	"gleaner/train/export/parity"
	"gleaner/train/export/trial"
	"gleaner/train/net"
	"gleaner/train/recipe"
	"gleaner/train/runs"
	"gleaner/train/weights"
)

// voting are options of a small run in which several checkpoints are better than one: few pictures, large steps.
func voting(t *testing.T, dir string, more ...string) recipe.Options {
	t.Helper()
	return options(t, dir, append([]string{"net=cnn-small", "ensemble=4", "epochs=6", "lr=0.02", "schedule=constant", "test=" + garments(t, 40)}, more...)...)
}

// TestEnsemble: the bundle's file answers as the mean of the checkpoints that were chosen does, and no worse on the validation
// pictures than the best one.
func TestEnsemble(t *testing.T) {
	o := voting(t, garments(t, 240))
	r, notes, err := fit(t, o, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Ensemble) < 2 || !strings.Contains(notes, fmt.Sprintf("the ensemble: %d of 4 checkpoints, of epochs ", len(r.Ensemble))) {
		t.Fatalf("chosen are %v; it said %s", r.Ensemble, notes)
	}
	kept, err := filepath.Glob(filepath.Join(o.Out, "candidate-*"))
	if err != nil || len(kept) != 4 {
		t.Errorf("kept are %v, %v", kept, err)
	}
	b, err := bundle.Open(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("an ensemble of %d checkpoints, of epochs ", len(r.Ensemble)); !strings.HasPrefix(b.Manifest.Source, want) || b.Manifest.Accuracy != r.TestAcc || r.Best.Epoch != r.Ensemble[0] {
		t.Errorf("%v of %+v: the bundle is %+v", r.Ensemble, r.Best, b.Manifest)
	}
	file := read(t, r.Bundle, bundle.ModelFile)
	if m, err := flat.Read(file); err != nil || len(m.InputTensors()) != 1 || len(m.OutputTensors()) != 1 {
		t.Errorf("the file: %v", err)
	}
	checkMean(t, o, r, file)
}

// checkMean holds the file of an ensemble and the result's answers against the mean of its checkpoints, one by one.
func checkMean(t *testing.T, o recipe.Options, r *Result, file []byte) {
	t.Helper()
	d, err := recipe.Open(t.Context(), &o, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := recipe.Network(&o, d.Train.Shape(), d.Heads())
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Evaluation(1, net.EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var members []*parity.Reference
	for _, epoch := range r.Ensemble {
		w, err := weights.Load((&runs.Folder{Dir: o.Out}).Candidate(epoch), n, d.Heads())
		cpu := ref.New[float32]()
		defer cpu.Close()
		if err := errors.Join(err, n.Load(cpu, w)); err != nil {
			t.Fatal(err)
		}
		m, err := parity.NewReference(cpu, p)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		members = append(members, m)
	}
	mean := &parity.Reference{Heads: parity.Heads(p), Batch: 1, Answer: func(pictures []float32) ([][]float32, error) {
		sum := make([]float32, 10)
		for _, m := range members {
			out, err := m.Answer(pictures)
			if err != nil {
				return nil, err
			}
			for k, v := range out[0] {
				sum[k] += v / float32(len(members))
			}
		}
		return [][]float32{sum}, nil
	}}
	checkAnswers(t, d.Test, r, mean)
	if tflite.Version() == "none" {
		return
	}
	report, err := trial.Verify(t.TempDir(), "m", file, mean, trial.Gallery(d.Test), export.Float32)
	if err != nil || report.Heads[0].MaxDelta > 1e-5 {
		t.Errorf("%v: %v", report, err)
	}
}

func checkAnswers(t *testing.T, set dataset.Set, r *Result, mean *parity.Reference) {
	t.Helper()
	x := make([]float32, 14*14)
	for i, p := range r.Answers[0].P {
		if err := set.Input(x, i, nil); err != nil {
			t.Fatal(err)
		}
		want, err := mean.Answer(x)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range want[0] {
			if math.Abs(float64(v-p[k])) > 1e-5 {
				t.Fatalf("picture %d: the result says %v, the mean is %v", i, p, want[0])
			}
		}
	}
}

// TestEnsembleOfSmallNumbers: a joined file of float16 or integer networks passes its gate; one of integers may fail it for the want
// of pictures alone. The probe that a run begins with is one of its checkpoints.
func TestEnsembleOfSmallNumbers(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := garments(t, 240)
	begun := taught(t, dir, "net=cnn-small")
	for _, kind := range []string{"float16", "int8"} {
		o := voting(t, dir, "export="+kind, "ensemble=8", "epochs=4", "probe=0.01", "units=0", begun, "maylose=5", "test="+garments(t, 60))
		_, _, err := fit(t, o, false)
		var p *parity.ParityError
		if err != nil && (kind == "float16" || !errors.As(err, &p) || p.Report.Heads[0].Agree < 54) {
			t.Errorf("%s: %v", kind, err)
		}
		if kept, _ := filepath.Glob(filepath.Join(o.Out, "candidate-*")); len(kept) != 5 || filepath.Base(kept[0]) != "candidate-0000.safetensors" {
			t.Errorf("%s: kept are %v", kind, kept)
		}
	}
}

// TestEnsembleResumes kills a run behind one epoch after the other: in the end its bundle is that of a run that was left alone, and
// so are the checkpoints that were kept. What an older checkpoint does not count is removed, and one that is missing is named.
func TestEnsembleResumes(t *testing.T) {
	dir := garments(t, 160)
	test := "test=" + garments(t, 40)
	more := []string{test, "save=4", "epochs=5", "average=0.9", "ensemble=2"}
	calm, o := voting(t, dir, more...), voting(t, dir, more...)
	if _, _, err := fit(t, calm, false); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	var env []string
	for range 3 {
		c, stderr := child(t, o, env...)
		out, err := c.StdoutPipe()
		if err := errors.Join(err, c.Start()); err != nil {
			t.Fatal(err)
		}
		_, _ = out.Read(make([]byte, 1)) // an epoch is over
		time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
		_ = c.Process.Kill()
		if err := c.Wait(); err != nil && !c.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			t.Fatalf("%v: %s", err, stderr)
		}
		env = []string{childResume + "=1"}
	}
	f := runs.Folder{Dir: o.Out}
	if err := os.WriteFile(f.Candidate(99), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := fit(t, o, true); err != nil {
		t.Fatal(err)
	}
	same(t, calm.Out, o.Out)
	kept, err := filepath.Glob(filepath.Join(o.Out, "candidate-*"))
	if err != nil || len(kept) != 2 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	for _, path := range kept {
		if a, b := read(t, path), read(t, calm.Out, filepath.Base(path)); string(a) != string(b) {
			t.Errorf("%s differs", path)
		}
	}
	if err := os.Remove(kept[0]); err != nil {
		t.Fatal(err)
	}
	var in *InputError
	if _, _, err := fit(t, o, true); !errors.As(err, &in) || !strings.Contains(err.Error(), kept[0]+", which is not there") {
		t.Errorf("without a checkpoint that it counts: %v", err)
	}
}

// TestEnsembleRefuses to choose checkpoints on nothing, before anything is written.
func TestEnsembleRefuses(t *testing.T) {
	o := options(t, t.TempDir(), "ensemble=3", "val=0", "keep=last")
	_, _, err := fit(t, o, false)
	var in *InputError
	if !errors.As(err, &in) || err.Error() != "ensemble=3: validation pictures choose the checkpoints, and val=0 leaves none" {
		t.Errorf("got %v", err)
	}
}
