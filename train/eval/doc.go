// Package eval says how good answers are, and how sure one can be of that: accuracy, precision, recall and F1 with intervals,
// the chance baseline, calibration, thresholds for a wanted purity, the score of unknown objects, and whether one model is
// better than another. It is arithmetic on answers; it runs no network and draws no picture.
package eval
