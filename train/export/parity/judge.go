package parity

import (
	"fmt"

	"gleaner/train/export"
)

// judge is the gate: nil where the file may go out.
func (r *Report) judge(pictures export.Pictures, mayLose float64) error {
	if mayLose == 0 {
		mayLose = Int8LossBar
	}
	for i := range r.Heads {
		h := &r.Heads[i]
		var text string
		switch bar := map[export.Kind]float64{export.Float32: Float32Bar, export.Float16: Float16Bar}[r.Kind]; {
		case bar > 0 && !(h.MaxDelta <= bar):
			text = fmt.Sprintf("the %s file does not answer as the network does: %s of head %s; %g is allowed",
				r.Kind, h.worst(pictures), h.Name, bar)
		case r.Kind == export.Int8 && !(h.Paired.LossBound() <= mayLose):
			text = h.lost(pictures, mayLose)
		default:
			continue
		}
		return &ParityError{r, text}
	}
	return nil
}

// worst names the picture on which the probabilities differ the most.
func (h *HeadReport) worst(pictures export.Pictures) string {
	return fmt.Sprintf("on %s class %d is %.5f instead of %.5f, %.2g apart,", pictures.Label(h.Picture), h.Class, h.Is, h.Of, h.MaxDelta)
}

func (h *HeadReport) lost(pictures export.Pictures, mayLose float64) string {
	p := h.Paired
	right := "right"
	if h.Labelled == 0 {
		right = "as the network's"
	}
	text := fmt.Sprintf("the int8 file may have lost more accuracy than it may: of %d answers of head %s the network's alone is %s "+
		"%d times and the file's alone %d times, so that a loss of %.2f points cannot be excluded and %g is allowed; worst, %s "+
		"and %d answers differ", p.N, h.Name, right, p.Before, p.After, 100*p.LossBound(), 100*mayLose, h.worst(pictures), p.N-h.Agree)
	if p.Before <= p.After || p.Before+p.After < p.N/100 {
		return text + ": more pictures may settle it, or maylose= allows more"
	}
	return text + ": fine-tune it with fake quantisation, or calibrate on more pictures"
}

// String is one line for each head.
func (r *Report) String() string {
	text := ""
	for i, h := range r.Heads {
		if i > 0 {
			text += "\n"
		}
		text += fmt.Sprintf("%s, head %s: max |Δp| %.2g on %d pictures, %.2f %% the same answer", r.Kind, h.Name, h.MaxDelta, r.N,
			100*float64(h.Agree)/float64(max(r.N, 1)))
		if h.Labelled > 0 {
			n := float64(h.Paired.N)
			text += fmt.Sprintf(", right %.2f %% instead of %.2f %%, loss at most %.2f points", 100*float64(h.RightFile)/n,
				100*float64(h.RightNet)/n, 100*h.Paired.LossBound())
		}
	}
	return text
}
