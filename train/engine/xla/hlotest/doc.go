// Package hlotest runs the StableHLO that train/engine/xla emits, in plain Go: tests and proofs compare what it computes with
// train/engine/ref, so that the text is shown to mean what it should where no card is at hand.
//
// Parse reads exactly the emitted subset of MLIR's generic form, and refuses everything else. The operators follow the StableHLO
// specification (openxla.org/stablehlo/spec, whose section names stand beside them), not the engine's kernels: nothing is
// shared with ref. Results are rounded to their type after each operator, and sums are float32, in blocks, or all of it is
// float64, where the mathematics alone is to be compared. precision_config is read and does not matter here.
//
// It is part of the tests: no product package imports it.
//
// Long because a language is read and each of its operators computed: half of it would run nothing.
package hlotest
