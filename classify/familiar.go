package classify

import (
	"context"
	"fmt"
	"math"

	"gleaner/capture"
	"gleaner/model"
	"gleaner/model/bundle"
)

// Familiar is a Classifier that also tells how familiar a crop looks, so that what is of no class can be told from the others:
// the probabilities always name a class.
type Familiar interface {
	Classifier
	// Look is Classify, and gives as well by how much the crop's familiarity, a cosine of -1 to 1, lies above the bundle's threshold:
	// -2 to 2, below 0 for what is unknown.
	Look(ctx context.Context, im capture.Image, dst []float32) (p []float32, familiar float32, err error)
}

// Look asks c as Familiar.Look does. A classifier that cannot tell finds everything as familiar as is needed: 0.
func Look(ctx context.Context, c Classifier, im capture.Image, dst []float32) (p []float32, familiar float32, err error) {
	if f, ok := c.(Familiar); ok {
		return f.Look(ctx, im, dst)
	}
	p, err = c.Classify(ctx, im, dst)
	return p, 0, err
}

// familiarNetwork is a network whose bundle has the score of unknown objects.
type familiarNetwork struct{ *network }

// Look implements Familiar.
func (n familiarNetwork) Look(ctx context.Context, im capture.Image, dst []float32) ([]float32, float32, error) {
	return n.look(ctx, im, dst)
}

// checkUnknown tells whether the outputs have the one that the manifest names.
func checkUnknown(u *bundle.Unknown, outs []model.Tensor) error {
	switch {
	case u == nil:
		return nil
	case u.Output < 1 || u.Output >= len(outs):
		return fmt.Errorf("the familiarity is output %d, but the model has %d, counted from 0", u.Output, len(outs))
	case outs[u.Output].Type != model.Float32 || len(outs[u.Output].Data) != 4:
		return fmt.Errorf("the model's output %q, the familiarity, is not one float32", outs[u.Output].Name)
	}
	return nil
}

// familiar reads the familiarity and sets it against the threshold.
func (n *network) familiar(outs []model.Tensor) (float32, error) {
	if n.unknown == nil {
		return 0, nil
	}
	var v [1]float64
	read(outs[n.unknown.Output], v[:])
	if math.IsNaN(v[0]) {
		return 0, fmt.Errorf("run %s: the familiarity is not a number", n.id)
	}
	return float32(v[0]) - n.unknown.Threshold, nil
}

// familiarEnsemble is an ensemble with a member at least that has the score of unknown objects.
type familiarEnsemble struct{ *ensemble }

// Look implements Familiar: the mean over the members that can tell.
func (e familiarEnsemble) Look(ctx context.Context, im capture.Image, dst []float32) ([]float32, float32, error) {
	return e.look(ctx, im, dst)
}
