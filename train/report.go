package train

import (
	"errors"
	"fmt"
	"time"

	"gleaner/train/eval"
	"gleaner/train/export/parity"
	"gleaner/train/runs"
)

// ErrInterrupted says that the context ended before the training did. What was reached is saved.
var ErrInterrupted = errors.New("interrupted")

var errEarly = fmt.Errorf("%w before the training began", ErrInterrupted)

// InputError marks an error as the fault of what was given: an option, the pictures, the network, a file.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *InputError) Unwrap() error { return e.Err }

// Reporter is told how a run goes, on the run's goroutine. Functions that are nil are not called.
type Reporter struct {
	Program string                // who asks, its name and version, for the bundle's provenance; empty: not stated there
	Note    func(line string)     // something that a person should know
	Decoded func(done, total int) // pictures, before the run; from several goroutines, one at a time
	Step    func(p Progress)      // a few times a second
	Epoch   func(r runs.Row, t runs.Timing, best bool)
}

func (t *Reporter) note(line string) {
	if t.Note != nil {
		t.Note(line)
	}
}

// Progress is where a run is.
type Progress struct {
	Epoch, Epochs int     // from 1
	Step, Steps   int     // steps that are done, of all epochs
	Batch         int     // pictures per step
	Loss          float64 // mean of the epoch so far
	CPU           float64 // milliseconds of processor time per picture of the epoch so far
}

// Result is what a run came to.
type Result struct {
	Best     runs.Row `json:"best"`   // the epoch whose weights are the best; epoch 0: the probe, or none was finished and the bundle has the last weights
	Last     runs.Row `json:"last"`   // the last epoch that was finished
	Early    bool     `json:"early"`  // it ended because nothing got better
	Tested   bool     `json:"tested"` // the test pictures were looked at
	TestLoss float64  `json:"test_loss"`
	TestAcc  float64  `json:"test_acc"`
	Bundle   string   `json:"bundle"` // its folder
	// Ensemble are the epochs of the checkpoints whose mean the bundle answers with, the best alone first; 0: the linear probe. Empty
	// without ensemble=.
	Ensemble    []int   `json:"ensemble,omitempty"`
	Temperature float64 `json:"temperature"` // that the bundle gives its probabilities; 1: as the network does
	// Answers, one, are what the bundle's weights answer to the test pictures, all heads joined, Validated those to the validation
	// pictures; nil without such.
	Answers   []*eval.Answers `json:"-"`
	Validated []*eval.Answers `json:"-"`
	// Parity is how the bundle's file answered beside the network; nil in a build without TensorFlow Lite.
	Parity *parity.Report `json:"-"`
}

// often is the time between two calls of Reporter.Step.
const often = 200 * time.Millisecond

// progress tells the reporter where the run is, now and then.
func (r *run) progress(began *runs.Stopwatch) {
	now := time.Now()
	if r.tell.Step == nil || now.Sub(r.told) < often && r.state.Batch < r.perEpoch {
		return
	}
	r.told = now
	t := began.Lap()
	r.tell.Step(Progress{Epoch: r.state.Epoch + 1, Epochs: r.o.Epochs, Step: r.state.Step, Steps: r.o.Epochs * r.perEpoch,
		Batch: r.o.Batch, Loss: r.state.Loss / float64(max(1, r.state.Batch)), CPU: t.CPU})
}

// advise says how to go on after an error that is not the training's own.
func (r *run) advise(err error) error {
	var d *DivergedError
	if errors.As(err, &d) {
		return err
	}
	if r.saved < 0 {
		return fmt.Errorf("%w; no checkpoint was written yet", err)
	}
	return fmt.Errorf("%w; once that is mended, --resume goes on from step %d", err, r.saved)
}

// tellSkipped says which pictures look otherwise than on the device, and which were left out and are listed in the run's folder.
func (r *run) tellSkipped() error {
	for _, w := range r.data.Misfits {
		r.tell.note(w)
	}
	if len(r.data.Skipped) == 0 {
		return nil
	}
	var rows [][]string
	for _, s := range r.data.Skipped {
		rows = append(rows, []string{s.Path, s.Reason})
	}
	r.tell.note(fmt.Sprintf("WARNING: %d files could not be read and are left out, such as %s: %s; %s lists them", len(rows), rows[0][0],
		rows[0][1], r.folder.Skipped()))
	return r.folder.WriteSkipped(rows)
}
