// Package train teaches networks: from options and labelled pictures to the best weights and a bundle that the daemon runs.
// Fit, in fit.go, is the loop, and reads from top to bottom. A run has a folder of its own:
//
//	options.json             every option, exactly
//	log.csv                  one row per epoch
//	checkpoint.safetensors   all that the run needs to go on, after a kill at any moment, as if nothing had happened
//	skipped.csv              pictures that could not be read
//	candidate-*.safetensors  with ensemble=: the weights that were best on the validation pictures, several of them; with
//	                         withprobe=: those of the probe, number 0
//	best.safetensors         the weights that were best on the validation pictures
//	bundle/                  what the daemon loads
//	answers.csv              what the bundle answers to the validation and the test pictures
//	result.json              what the run came to, written last: a folder with it holds a finished run
//
// All randomness is worked out anew from the seed, the epoch and the example or the layer, so that "random state" is no more
// than the numbers of the epoch and the step, and the same seed gives the same bytes on one machine and device.
//
// What networks are is in train/net, how they are computed in train/engine and its backends, what they are shown in
// train/dataset, how they are written for the device in train/export.
package train
