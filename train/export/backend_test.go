package export_test

import (
	"gleaner/train/engine"
	"gleaner/train/engine/ref"
)

// newBackend is the oracle.
func newBackend() engine.Backend { return ref.New[float32]() }
