// Package net describes networks: presets by name (New), and .tflite backbones imported as trainable networks (Import). A Net
// builds itself as an engine graph for any batch size, for training (batch statistics, dropout, losses), for evaluation, or
// for quantisation-aware fine-tuning; the variables are the same ones each time, and their names never change, because
// checkpoints find weights by them.
//
//	n, err := net.New("mobilenetv2", net.Options{Input: engine.Shape{160, 160, 3}, Heads: heads})
//	w := n.First(seed)           // or n, w, err := net.Import(file, net.ImportOptions{Heads: heads, Freeze: []string{"trunk/"}})
//	p, err := n.Training(batch, net.TrainOptions{…})    // compiled by a backend, after n.Load(backend, w)
//
// On the way to an int8 file: Fold puts batch norms into the convolutions before them, Calibrate finds the ranges of the
// activations, and Training with Quantise 8 learns with the rounding of the file. quantise.go says what is rounded.
//
// Layers of a file are named trunk/TENSOR, heads head/NAME; FitNorms makes fresh norms behind a file's convolutions start as
// the file is, and SettleNorms measures them anew for weights that have learnt. Summary prints a network as a table.
//
// How a network is run is in train/engine; how it is trained, and on what, in train; how it is written, in train/export.
//
// Long because presets and files are built of the same inner layers, whose folding and rounding must be one thing.
package net
