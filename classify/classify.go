// Package classify answers what a crop shows: the classifier over a model, the average of several, and the quality
// gate that keeps bad crops from voting. Pixels become tensors in classify/prep; when an answer is final is decided in
// daemon/decide.
package classify

import (
	"context"

	"gleaner/capture"
)

// Classifier turns a crop into class probabilities. It may be called from several goroutines: it borrows a Runner per
// call.
type Classifier interface {
	// Classify writes one probability per label (0 to 1, sum 1) over dst, which is grown when it is too small, and
	// returns it. im is borrowed for the length of the call. It allocates nothing when dst has room.
	Classify(ctx context.Context, im capture.Image, dst []float32) ([]float32, error)
	// Labels are the class names, in the order of the probabilities.
	Labels() []string
	// Model names the bundle or bundles behind the answer by content: "sha256:…".
	Model() string
}
