// Package net describes networks: presets by name, and .tflite backbones imported as trainable networks. A Net builds itself
// as an engine graph for any batch size, for training (batch statistics, dropout, losses), for evaluation, or for
// quantisation-aware fine-tuning; the variables are the same ones each time.
//
// How a network is run is in train/engine; how it is trained, and on what, in train.
package net
