package train

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/train/dataset"
	"gleaner/train/device"
	"gleaner/train/engine"
	"gleaner/train/ensemble"
	"gleaner/train/eval"
	"gleaner/train/export"
	"gleaner/train/export/parity"
	"gleaner/train/export/trial"
	"gleaner/train/net"
	"gleaner/train/report"
	"gleaner/train/runs"
	"gleaner/train/step"
)

// How many pictures the parity gate looks at, unless maylose= takes more, and how many per class measure the activations for an int8 or
// float16 file, at most.
const (
	gatePictures      = 1000
	calibratePictures = 50
)

// export measures the best weights on the test pictures and writes the bundle of them. The backend has them afterwards.
func (r *run) export(ctx context.Context) (*Result, error) {
	s := &r.state
	result := &Result{Best: s.Best}
	if n := len(s.History); n > 0 {
		result.Last = s.History[n-1]
	}
	m := bundle.Manifest{Name: r.o.BundleName(), Version: "1", Task: bundle.TaskOf("probs"), Head: "probs", Input: r.data.Input, Views: r.o.BundleViews(s.Best.Epoch),
		Source: fmt.Sprintf("trained as %s on %d pictures of %s", r.net.Name, r.data.Train.Len(), filepath.Base(r.o.Data))}
	if r.data.Val != nil && (s.Best.Epoch > 0 || r.o.Probe > 0) {
		m.Accuracy, m.AccuracyOn = s.Best.ValAcc, fmt.Sprintf("%d validation pictures, which chose the weights", r.data.Val.Len())
	}
	if err := r.elect(result, &m); err != nil {
		return nil, err
	}
	if r.data.Val != nil {
		var err error
		var accuracy float64
		if result.Validated, _, accuracy, err = r.answers(r.data.Val); err != nil {
			return nil, fmt.Errorf("validation: %w", err)
		}
		if r.data.Joint != nil && m.Accuracy > 0 || len(r.voters) > 1 { // that of the heads, or of one network alone, so far
			m.Accuracy = accuracy
		}
	}
	if r.data.Test != nil {
		var err error
		if result.Answers, result.TestLoss, result.TestAcc, err = r.answers(r.data.Test); err != nil {
			return nil, fmt.Errorf("test: %w", err)
		}
		result.Tested = true
		m.Accuracy, m.AccuracyOn = result.TestAcc, fmt.Sprintf("%d test pictures", r.data.Test.Len())
	}
	var err error
	if m.Temperature, err = report.Temperature(first(result.Validated), first(result.Answers)); err != nil {
		return nil, err
	}
	result.Temperature = m.Temperature
	result.Bundle, result.Parity, err = r.writeBundle(ctx, m, result)
	return result, err
}

// answersNow are what the network answers with the weights that the backend has.
func (r *run) answersNow(set dataset.Set) (all []*eval.Answers, loss, accuracy float64, err error) {
	j, err := step.NewJudge(r.backend, r.net, set, &r.o, false)
	if err != nil {
		return nil, 0, 0, err
	}
	defer j.Close()
	for _, head := range r.data.Heads() {
		all = append(all, &eval.Answers{Labels: head.Labels})
	}
	j.Answer = func(h, _ int, p []float32, label int) {
		all[h].P, all[h].Truth = append(all[h].P, p), append(all[h].Truth, label)
	}
	loss, accuracy, err = j.Score()
	return all, loss, accuracy, err
}

// writeBundle writes the network as a file, compares the file with the network, and puts it into the run's folder, with a report.
func (r *run) writeBundle(ctx context.Context, m bundle.Manifest, result *Result) (string, *parity.Report, error) {
	if r.data.Joint != nil {
		m.Heads = r.data.Joint.Heads()
		m.Rules, _ = r.o.Rules() // checked when the data was joined by them
	}
	// The file is measured against the network in float32 on the CPU, whatever it was trained in.
	cpu, _ := device.CPU(r.o.Threads) // plain Go is slower, and as good
	defer cpu.Close()
	labels := bundle.FormatLabels(r.data.Heads()[0].Labels)
	o := export.Options{Kind: export.Kind(r.o.Export), Labels: labels,
		Meta: flat.Meta{Name: m.Name, Description: m.Source, Mean: m.Input.Mean, Std: m.Input.Std, Colour: m.Input.Colour, LabelsFile: bundle.LabelsFile}}
	if o.Kind != export.Float32 {
		o.Calibration = &export.Calibration{Backend: cpu, Pictures: trial.Gallery(trial.PerClass(r.data.Train, calibratePictures)), Clip: export.MinMax}
	}
	file, err := r.write(cpu, o)
	if err != nil {
		return "", nil, err
	}
	beside, err := r.gate(cpu, file, o.Kind)
	if err != nil {
		return "", nil, err
	}
	file, m.Unknown = r.unknown(ctx, file)
	dir := r.folder.Bundle()
	files, err := trial.Golden(context.WithoutCancel(ctx), r.folder.Dir, runs.TryFile, file, m, r.data.Joined().Held(), r.o.Golden)
	if err != nil {
		return "", nil, err
	}
	if files == nil {
		files = map[string][]byte{}
	}
	if r.o.Report {
		maps.Copy(files, r.report(ctx, result, beside, m.Unknown))
	}
	files[bundle.ModelFile], files[bundle.LabelsFile] = file, bundle.FormatLabels(r.data.Labels())
	if err := bundle.Replace(dir, m, files); err != nil {
		return "", nil, err
	}
	return dir, beside, nil
}

// gate runs the written file as the device does, beside the network, on pictures that were not trained on.
func (r *run) gate(cpu engine.Backend, file []byte, kind export.Kind) (*parity.Report, error) {
	if !trial.Possible() {
		r.tell.note("WARNING: this build has no TensorFlow Lite: the bundle's file was not compared with the network")
		return nil, nil
	}
	held := r.data.Held()
	if held == nil {
		held = r.data.Train
	}
	batch := min(r.o.Batch, held.Len())
	p, err := r.net.Evaluation(batch, net.EvalOptions{Quantise: r.o.Quantise})
	if err != nil {
		return nil, err
	}
	reference, err := parity.NewReference(cpu, p)
	if err != nil {
		return nil, err
	}
	defer reference.Close()
	reference.MayLose = r.o.MayLose / 100
	reference.Answer = ensemble.Ask(r.voters, r.net.Input, func(w net.Weights) error { return r.net.Load(cpu, w) }, reference.Answer)
	report, err := trial.Verify(r.folder.Dir, runs.TryFile, file, reference, trial.Gallery(trial.Spread(held, max(gatePictures, parity.Enough(reference.MayLose)))), kind)
	if err != nil {
		return nil, err
	}
	r.tell.note("the file beside the network: " + strings.ReplaceAll(report.String(), "\n", "; "))
	return report, nil
}
