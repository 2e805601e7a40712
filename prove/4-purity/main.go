// Command 4-purity proves that thresholds keep what they promise on pictures that neither training nor the solver saw: the waste
// photos are dealt into five folds; heads on a frozen backbone answer each fold without having seen it; then, fold by fold, the
// temperature and the thresholds are solved on the answers to the other four and applied to the fold.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
	"gleaner/train/eval"
)

const bar = "on unseen folds each target is within the 95 % interval of the purity, or below it; calibration cannot be told from perfect after scaling"

func main() { proof.Main(bar, prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	data, err := cv.Data("trashnet")
	if err != nil {
		return "", err
	}
	r, err := cv.Run(ctx, dir, "recipe=recycling", "val=0", "data="+data, "epochs=0")
	if err != nil {
		return "", err
	}
	var errs []error
	scaled := &eval.Answers{Labels: r.Answers.Labels}
	for k, f := range r.Folds {
		t, err := eval.Temperature(others(r, k))
		if err != nil {
			return "", err
		}
		s := f.Answers[0].AtTemperature(t)
		scaled.P, scaled.Truth = append(scaled.P, s.P...), append(scaled.Truth, s.Truth...)
	}
	before, err := eval.Calibrate(r.Answers)
	if err != nil {
		return "", err
	}
	after, err := eval.Calibrate(scaled)
	if err != nil {
		return "", err
	}
	parts := []string{fmt.Sprintf("calibration error %.3f, scaled %.3f where perfect answers stay below %.3f", before.ECE, after.ECE, after.Perfect)}
	if !after.Calibrated() {
		errs = append(errs, errors.New("scaled probabilities are not calibrated"))
	}
	for _, target := range []float64{0.95, 0.98, 0.99} {
		pure, accepted, err := unseen(r, target)
		if err != nil {
			return "", err
		}
		got := eval.Wilson(pure, accepted)
		parts = append(parts, fmt.Sprintf("%.0f %% wanted: %v of the %d of %d that are accepted", 100*target, got, accepted, len(r.Answers.P)))
		if target > got.High {
			errs = append(errs, fmt.Errorf("%.0f %% is not reached", 100*target))
		}
	}
	return strings.Join(parts, "; "), errors.Join(errs...)
}

// others are the answers to all folds but one.
func others(r *train.CrossValidation, fold int) *eval.Answers {
	a := &eval.Answers{Labels: r.Answers.Labels}
	for k, f := range r.Folds {
		if k != fold {
			a.P, a.Truth = append(a.P, f.Answers[0].P...), append(a.Truth, f.Answers[0].Truth...)
		}
	}
	return a
}

// unseen counts the answers of all folds that pass thresholds solved on the other folds, and how many of them are right.
func unseen(r *train.CrossValidation, target float64) (pure, accepted int, err error) {
	for k, f := range r.Folds {
		solved, err := eval.SolvePurity(others(r, k), target, nil)
		if err != nil {
			return 0, 0, err
		}
		for i, p := range f.Answers[0].P {
			best := eval.Best(p)
			if float64(p[best]) < solved.Classes[best].Threshold {
				continue
			}
			accepted++
			if best == f.Answers[0].Truth[i] {
				pure++
			}
		}
	}
	return pure, accepted, nil
}
