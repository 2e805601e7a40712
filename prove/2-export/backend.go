package main

import (
	"gleaner/train/device"
	"gleaner/train/engine"
)

// backend is what the networks are trained and run on: the CPU.
func backend() (engine.Backend, error) {
	d, err := device.CPU(0)
	if err != nil {
		return nil, err
	}
	return d.Backend, nil
}
