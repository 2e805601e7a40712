package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sweepArgs is a command line for a sweep of small runs.
func sweepArgs(data, out string, more ...string) []string {
	args := append([]string{"train", "sweep"}, trainArgs(data, out)[1:]...)
	return append(args[:len(args)-2], append([]string{"val=0.2"}, more...)...) // without lr=
}

// TestTrainSweep tries three learning rates, one of which fails, and then compares what is there.
func TestTrainSweep(t *testing.T) {
	data, out := patterns(t, 60), filepath.Join(t.TempDir(), "s")
	said := works(t, sweepArgs(data, out, "optimiser=sgd", "--try", "lr=0.02,0.001,1000000")...)
	for _, want := range []string{"run 3 of 3 (lr=1000000): failed: ", "the best so far is run ", "the best, once more, with a report: gleaner train data=" + data,
		"1 of 3 runs failed", "beside the best"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says no %q: %s", want, said)
		}
	}
	page, err := os.ReadFile(filepath.Join(out, "sweep.html"))
	if err != nil || !strings.Contains(string(page), "<polyline") || !strings.Contains(string(page), "accuracy on validation pictures") {
		t.Errorf("%v, %d bytes of page", err, len(page))
	}
	again := works(t, "train", "sweep", "out="+out, "--resume", "--json")
	var s struct {
		Sweep struct {
			Best int
			Runs []struct {
				State, Reason, Verdict string
				Pictures               int
			}
		}
	}
	if err := json.Unmarshal([]byte(again), &s); err != nil || s.Sweep.Best == 0 || len(s.Sweep.Runs) != 3 || s.Sweep.Runs[2].State != "failed" || s.Sweep.Runs[0].Pictures == 0 {
		t.Errorf("%v: gone on with, it says %s", err, again)
	}
	compared := works(t, "runs", "compare", filepath.Join(out, "001"), filepath.Join(out, "002"))
	for _, want := range []string{"lr=", "0.001", "validation accuracy", "002 on 12 validation pictures beside ", "Validation pictures chose the weights"} {
		if !strings.Contains(compared, want) {
			t.Errorf("it says no %q: %s", want, compared)
		}
	}
	if list := works(t, "runs", "list", out); strings.Count(list, "finished") != 2 || !strings.Contains(list, "0 of 3 epochs") {
		t.Errorf("listed: %s", list)
	}
	var c struct {
		Pairs []struct {
			On     string
			Paired struct{ Pictures int }
		}
		Options []struct{ Key string }
	}
	text := works(t, "runs", "compare", "--json", filepath.Join(out, "001"), filepath.Join(out, "002"))
	if err := json.Unmarshal([]byte(text), &c); err != nil || len(c.Pairs) != 1 || c.Pairs[0].On != "validation" || c.Pairs[0].Paired.Pictures != 12 || len(c.Options) != 1 {
		t.Errorf("%v: %s", err, text)
	}
	for name, bad := range map[string]struct {
		args []string
		want string
	}{
		"unfinished": {[]string{filepath.Join(out, "001"), filepath.Join(out, "003")}, "a run that is not finished, with 0 of 3 epochs done"},
		"one":        {[]string{filepath.Join(out, "001")}, "one run alone cannot be compared: name a second one"},
		"none":       {nil, "no run is named; gleaner runs list shows which there are"},
		"a sweep":    {[]string{out, out}, "it has runs in it, such as " + filepath.Join(out, "001")},
		"no run":     {[]string{data}, "no run's folder: it has no options.json"},
		"missing":    {[]string{filepath.Join(out, "009")}, "no run's folder: no such file or directory"},
		"a file":     {[]string{filepath.Join(out, "sweep.json")}, "no run's folder, but a file"},
	} {
		code, _, errs := gleaner(t, append([]string{"runs", "compare"}, bad.args...)...)
		if code != exitBadInput || !strings.Contains(errs, bad.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
}

// TestTrainSweepFolds cross-validates two ways.
func TestTrainSweepFolds(t *testing.T) {
	out := filepath.Join(t.TempDir(), "s")
	said := works(t, sweepArgs(patterns(t, 48), out, "--folds", "2", "--try", "decay=0,0.1", "lr=0.02", "epochs=2")...)
	if !strings.Contains(said, "judged on all pictures, each answered by one of 2 networks, that never saw it") || strings.Count(said, "cannot tell")+strings.Count(said, "worse")+strings.Count(said, "better") == 0 {
		t.Errorf("it says %s", said)
	}
	compared := works(t, "runs", "compare", filepath.Join(out, "001"), filepath.Join(out, "002"))
	if !strings.Contains(compared, "on 48 test pictures beside") {
		t.Errorf("it says %s", compared)
	}
}

func TestTrainSweepBadInput(t *testing.T) {
	data := patterns(t, 30)
	fresh := func(more ...string) []string {
		return sweepArgs(data, filepath.Join(t.TempDir(), "s"), more...)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing tried", fresh(), "nothing is tried: --try lr=0.1,0.05"},
		{"no out", []string{"train", "sweep", "data=" + data, "--try", "lr=1,2"}, "out= is missing"},
		{"key", fresh("--try", "lrr=1,2"), `--try lrr=1,2: lrr: unknown key; did you mean "lr"?`},
		{"value", fresh("--try", "lr=1,x"), "--try lr=1,x: lr=x: not a number"},
		{"form", fresh("--try", "lr"), "not of the form key=value,value"},
		{"a combination", fresh("--try", "lr=0.1,-1"), "run 2 of 2 (lr=-1): lr=-1: not in 1e-12 to 1e+06"},
		{"twice", fresh("--try", "lr=0.1,0.1"), `"0.1" is there twice`},
		{"both", fresh("lr=0.1", "--try", "lr=0.1,0.2"), "lr= is given for all runs as well"},
		{"a range", fresh("--try", "lr=0.1..0.2"), "a range has no end of values: --random 20 draws so many"},
		{"range", fresh("--try", "lr=0.2..0.1", "--random", "3"), "the lower first"},
		{"too many", fresh("--try", "lr=0.1,0.2", "--random", "3"), "there are no more than 2 different combinations"},
		{"pictures", fresh("--try", "val=0.1,0.2"), "val= cannot be tried"},
		{"no validation", fresh("val=0", "keep=last", "--try", "lr=0.1,0.2"), "validation pictures choose the best run"},
		{"no data", sweepArgs(data+"x", filepath.Join(t.TempDir(), "s"), "--try", "lr=0.1,0.2"), "no such file or directory"},
		{"no sweep", []string{"train", "sweep", "out=" + t.TempDir(), "--resume"}, "there is no sweep to go on with"},
		{"folds", fresh("--folds", "1", "--try", "lr=0.1,0.2"), "a cross-validation has at least 2"},
	} {
		code, _, errs := gleaner(t, c.args...)
		if code != exitBadInput || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, %s", c.name, code, errs)
		}
	}
}
