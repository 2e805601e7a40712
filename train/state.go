package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"gleaner/train/checkpoint"
	"gleaner/train/engine"
	"gleaner/train/net"
	"gleaner/train/runs"
	"gleaner/train/schedule"
	"gleaner/train/weights"
)

// state is what a run remembers besides its arrays. Nothing in it depends on the clock: the same run has the same state.
type state struct {
	Epoch   int              `json:"epoch"`   // epochs that are done
	Batch   int              `json:"batch"`   // batches of the next epoch that are done: the sampler's position
	Step    int              `json:"step"`    // steps that are done
	Loss    float64          `json:"loss"`    // sum of the losses of those batches
	Right   int              `json:"right"`   // right answers on those batches, over all heads
	Answers int              `json:"answers"` // of so many
	Plateau schedule.Plateau `json:"plateau"`
	Best    runs.Row         `json:"best"`  // the epoch whose weights are the best so far; epoch 0: none, or the probe
	Since   int              `json:"since"` // epochs since then
	History []runs.Row       `json:"history"`

	Candidates []runs.Row `json:"candidates,omitempty"` // epochs whose weights are kept for an ensemble, the best first
}

func newState() state { return state{Plateau: schedule.Plateau{Best: math.MaxFloat64, Scale: 1}} }

// The keys of a checkpoint's texts.
const (
	formatKey  = "format"
	optionsKey = "options"
	dataKey    = "data"
	stateKey   = "state"

	// format names what the texts and arrays of a checkpoint mean.
	format = "gleaner checkpoint 1"

	// bestPrefix begins the names of the best weights among a checkpoint's arrays.
	bestPrefix = "best:"
)

// rate is the learning rate of a step.
func (r *run) rate(step int) float64 { return r.schedule.At(step, r.state.Plateau.Scale) }

// variables are all that a run's backend holds: parameters, statistics, the optimiser's state.
func (r *run) variables() []*engine.Var { return append(r.net.Vars(), r.net.States()...) }

// save writes the checkpoint. Weights that are not finite are never saved: the error names them.
func (r *run) save() error {
	f := &checkpoint.File{Text: map[string]string{formatKey: format, weights.NetworkKey: weights.Identity(r.net, r.data.Heads()), optionsKey: string(r.o.JSON()),
		dataKey: r.data.Sum}}
	for _, v := range r.variables() {
		f.Arrays = append(f.Arrays, checkpoint.Array{Name: v.Name, Shape: v.Shape, Fill: func(dst []float32) error {
			if err := r.backend.Read(v, dst); err != nil {
				return fmt.Errorf("read %s: %w", v.Name, err)
			}
			if slices.ContainsFunc(dst, notFinite) {
				return r.diverged(v.Name, "the values of")
			}
			return nil
		}})
	}
	for _, v := range r.net.Vars() {
		if w, ok := r.best[v.Name]; ok {
			f.Arrays = append(f.Arrays, checkpoint.Array{Name: bestPrefix + v.Name, Shape: v.Shape, Data: w})
		}
	}
	s, err := json.Marshal(r.state)
	if err != nil {
		return fmt.Errorf("write the state of the run: %w", err)
	}
	f.Text[stateKey] = string(s)
	if err := checkpoint.Write(r.folder.Checkpoint(), f); err != nil {
		var d *DivergedError
		if errors.As(err, &d) {
			return d
		}
		return err
	}
	r.saved = r.state.Step
	return r.dropCandidates()
}

func notFinite(v float32) bool { return v-v != 0 }

// restore puts a checkpoint into the backend and the run. One that does not fit changes nothing.
func (r *run) restore(f *checkpoint.File) error {
	path := r.folder.Checkpoint()
	if f.Text[formatKey] != format {
		return &weights.MismatchError{Path: path, Problem: fmt.Sprintf("its format is %q, this program reads %q", f.Text[formatKey], format)}
	}
	if err := weights.Fit(path, f, r.net, r.variables(), r.data.Heads()); err != nil {
		return err
	}
	if f.Text[dataKey] != r.data.Sum {
		return &weights.MismatchError{Path: path, Problem: "its pictures were others than those of data=" + r.o.Data + ": other files, labels, or sizes"}
	}
	if err := runs.SameText(f.Text[optionsKey], r.o); err != nil {
		return &weights.MismatchError{Path: path, Problem: err.Error()}
	}
	s := newState()
	if err := json.Unmarshal([]byte(f.Text[stateKey]), &s); err != nil {
		return fmt.Errorf("read checkpoint %s: its state: %w", path, err)
	}
	if s.Epoch < 0 || s.Batch < 0 || s.Batch > r.perEpoch || s.Epoch > r.o.Epochs || s.Step != s.Epoch*r.perEpoch+s.Batch || len(s.History) != s.Epoch {
		return &weights.MismatchError{Path: path, Problem: fmt.Sprintf("it stands at epoch %d, batch %d, step %d, which is no place in this run", s.Epoch, s.Batch, s.Step)}
	}
	best := net.Weights{}
	for _, v := range r.net.Vars() {
		if a := f.Array(bestPrefix + v.Name); a != nil && len(a.Data) == v.Shape.Size() {
			best[v.Name] = a.Data
		}
	}
	if (s.Best.Epoch > 0 || len(best) > 0) && len(best) != len(r.net.Vars()) {
		return &weights.MismatchError{Path: path, Problem: "its best weights are not complete"}
	}
	if path := r.folder.Missing(s.Candidates); path != "" {
		return &weights.MismatchError{Path: r.folder.Checkpoint(), Problem: "it counts on " + path + ", which is not there"}
	}
	for _, v := range r.variables() {
		if err := r.backend.Write(v, f.Array(v.Name).Data); err != nil {
			return fmt.Errorf("write %s: %w", v.Name, err)
		}
	}
	r.state, r.best, r.saved = s, best, s.Step
	return r.dropCandidates()
}

// bestNow reads the weights that are validated and exported: the parameters or their moving averages, and the statistics. It takes
// the memory of old for them, where that has any.
func (r *run) bestNow(old net.Weights) (net.Weights, error) {
	w := net.Weights{}
	for _, v := range r.net.Vars() {
		from := v
		if r.o.Average > 0 && v.Role == engine.Param {
			for _, s := range r.net.States() {
				if s.Name == v.Name+":average" {
					from = s
				}
			}
		}
		d := old[v.Name]
		if d == nil {
			d = make([]float32, v.Shape.Size())
		}
		if err := r.backend.Read(from, d); err != nil {
			return nil, fmt.Errorf("read %s: %w", from.Name, err)
		}
		w[v.Name] = d
	}
	return w, nil
}
