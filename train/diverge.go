package train

import (
	"fmt"
	"math"

	"gleaner/train/dataset"
	"gleaner/train/step"
)

// DivergedError says that numbers became infinite or none at all, where that began, and what was kept. Nothing of it was saved.
type DivergedError struct {
	Step, Epoch int     // both from 1
	Loss        float64 // NaN or infinite; 0 where the loss itself is finite
	What        string  // of the first that were not finite: "the activations of", "the gradients of", "the values of"
	Layer       string  // or the variable; empty: it was not found
	Rate        float64 // learning rate
	Clip        float64 // 0: gradients are not clipped
	Kept        string  // which checkpoint is there
}

func (e *DivergedError) Error() string {
	where := "which layer began it could not be seen on the CPU"
	if e.Layer != "" {
		where = fmt.Sprintf("%s %s were the first that are not finite", e.What, e.Layer)
	}
	loss := ""
	if e.Loss != 0 {
		loss = fmt.Sprintf("the loss is %g, and ", e.Loss)
	}
	hint := fmt.Sprintf("try a lower lr (%.3g now), or a warmup", e.Rate)
	if e.Clip == 0 {
		hint += ", or clip=1"
	}
	return fmt.Sprintf("training diverged in step %d (epoch %d): %s%s; %s; %s", e.Step, e.Epoch, loss, where, e.Kept, hint)
}

// diverged is the error for what became of the numbers in the step that is on.
func (r *run) diverged(layer, what string) *DivergedError {
	return &DivergedError{Step: r.state.Step + 1, Epoch: r.state.Epoch + 1, Layer: layer, What: what, Rate: r.rate(r.state.Step),
		Clip: r.o.Clip, Kept: r.kept()}
}

// kept says which checkpoint there is to go on from.
func (r *run) kept() string {
	if r.saved < 0 {
		return "no checkpoint was written yet"
	}
	return fmt.Sprintf("the checkpoint of step %d is kept", r.saved)
}

// badLoss finds out where the loss of a batch became NaN or infinite: the backend has changed no variable, so that the same
// step comes to the same.
func (r *run) badLoss(loss float64, b *dataset.Batch) error {
	e := r.diverged("", "")
	e.Loss = loss
	r.train.Fill(b, r.state.Step, r.rate(r.state.Step))
	e.What, e.Layer = step.FirstNotFinite(r.backend, r.train.Program, r.train.Run, r.train.In)
	return e
}

// badValidation is the same for a validation loss.
func (r *run) badValidation(loss float64) error {
	e := r.diverged("", "")
	e.Loss = loss
	e.What, e.Layer = step.FirstNotFinite(r.backend, r.val.Program, r.val.Run, r.val.In)
	if e.Layer != "" {
		e.Layer += " on validation pictures"
	}
	return e
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
