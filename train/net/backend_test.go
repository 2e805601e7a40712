package net

import (
	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// newBackend is the backend of the tests: the reference, which every build has.
func newBackend() engine.Backend { return ref.New[float32]() }
