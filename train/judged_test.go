package train

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/train/export/trial"
	"gleaner/train/judge"
	"gleaner/train/report"
)

// TestBundleSaysWhatItIs looks at the report of a real run: judged on the validation pictures, with the run's curves, the learning
// curve, and training pictures beside the errors; and at nothing in it that tells of the machine.
func TestBundleSaysWhatItIs(t *testing.T) {
	o := options(t, garments(t, 400), "epochs=2")
	r, notes, err := fit(t, o, false)
	if err != nil || strings.Contains(notes, "no report") {
		t.Fatalf("%v: %s", err, notes)
	}
	b, err := bundle.Open(r.Bundle)
	files := 6
	if trial.Possible() {
		files += 1 + o.Golden // pictures, and what the bundle answers to them
	}
	if err != nil || len(b.Manifest.Files) != files {
		t.Fatalf("%v: %v", err, b.Manifest.Files)
	}
	var j judge.Report
	if err := json.Unmarshal(read(t, r.Bundle, report.FiguresFile), &j); err != nil {
		t.Fatal(err)
	}
	if j.Pictures != 102 || j.Accuracy.Value != r.Best.ValAcc || len(j.History) != 2 || *j.History[1].ValLoss == 0 || j.Carried != nil || !strings.Contains(strings.Join(j.Notes, "\n"), "which chose the weights") {
		t.Errorf("%d pictures, accuracy %v, history %+v, notes %q", j.Pictures, j.Accuracy, j.History, j.Notes)
	}
	if l := j.Learning; l == nil || len(l.Sizes) != 4 || l.Sizes[3].Pictures != 298 || l.Sizes[3].Accuracy.Value < 0.3 || !strings.Contains(l.Text, "298 of the 298 training pictures") {
		t.Errorf("the learning curve is %+v, notes %q", l, j.Notes)
	}
	if len(j.Worst) == 0 || len(j.Worst[0].Nearest) != 3 || j.Worst[0].Nearest[0].Cosine < j.Worst[0].Nearest[2].Cosine || j.Worst[0].Nearest[0].Label == "" {
		t.Errorf("the worst errors are %+v", j.Worst)
	}
	var c report.Calibration
	if err := json.Unmarshal(read(t, r.Bundle, report.CalibrationFile), &c); err != nil || !(c.Temperature > 0) || c.Temperature != b.Manifest.Temperature || c.Temperature != r.Temperature || len(c.Purity) != 3 || len(c.Purity[0].Classes) != 10 {
		t.Errorf("%v: the calibration is %+v", err, c)
	}
	var p report.Provenance
	if err := json.Unmarshal(read(t, r.Bundle, report.ProvenanceFile), &p); err != nil || p.Pictures != (report.Counts{Train: 298, Validation: 102}) || len(p.Data) != 64 || p.Options.LR != o.LR {
		t.Errorf("%v: the provenance is %+v", err, p)
	}
	for name := range b.Manifest.Files {
		if text := read(t, r.Bundle, name); bytes.Contains(text, []byte(filepath.Dir(o.Data))) || bytes.Contains(text, []byte(filepath.Dir(o.Out))) {
			t.Errorf("%s names a folder of this machine", name)
		}
	}
	for _, want := range []string{"How it learnt", "Would more pictures help?", "epoch whose weights", "<div class=\"like\">"} {
		if !strings.Contains(string(read(t, r.Bundle, report.PageFile)), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// TestReportNeverFailsARun trains on what is too little for a report, with a network that has a part of it only, and without
// validation pictures.
func TestReportNeverFailsARun(t *testing.T) {
	few := options(t, garments(t, 60), "epochs=1", "val=0.2")
	r, notes, err := fit(t, few, false)
	if err != nil {
		t.Fatal(err)
	}
	var j judge.Report
	if err := json.Unmarshal(read(t, r.Bundle, report.FiguresFile), &j); err != nil || j.Learning != nil || !strings.Contains(strings.Join(j.Notes, "\n"), "too few to be parted") {
		t.Errorf("%v: %+v, it said %s", err, j.Notes, notes)
	}
	none := options(t, garments(t, 60), "epochs=1", "val=0", "keep=last")
	r, notes, err = fit(t, none, false)
	if err != nil || !strings.Contains(notes, "neither test nor validation pictures: the bundle has no report") {
		t.Fatalf("%v: %s", err, notes)
	}
	b, err := bundle.Open(r.Bundle)
	if err != nil || len(b.Manifest.Files) != 3 || b.Manifest.Files[report.ProvenanceFile] == "" {
		t.Errorf("%v: %v", err, b.Manifest.Files)
	}
}
