package main

import (
	"gleaner/train/engine"
	"gleaner/train/net"
)

// entry is one network of the proof.
type entry struct {
	name  string
	o     net.Options
	batch int
	steps int
	rate  float64 // the highest learning rate of adamw
}

// entries are all presets. Pictures of 28 pixels are brought to the size that is stated, by classify/prep.
var entries = []entry{
	{"head", net.Options{Input: engine.Shape{784}}, 64, 1500, 1e-3},
	{"dense", net.Options{}, 64, 1500, 1e-3},
	{"cnn-small", net.Options{}, 64, 1000, 1e-3},
	{"cnn-deep", net.Options{Input: engine.Shape{32, 32, 3}}, 64, 600, 1e-3},
	{"cnn-bn", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.5}, 64, 400, 2e-3},
	{"resnet-small", net.Options{}, 64, 300, 2e-3},
	{"vgg16", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.25, Units: 256}, 32, 1000, 5e-4},
	{"resnet18", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.5}, 64, 600, 2e-3},
	{"resnet50", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.25}, 64, 1200, 2e-3},
	{"mobilenetv2", net.Options{Input: engine.Shape{64, 64, 3}, Width: 0.35}, 32, 1200, 2e-3},
	{"densenet121", net.Options{Input: engine.Shape{32, 32, 3}, Width: 0.25}, 32, 800, 2e-3},
}
