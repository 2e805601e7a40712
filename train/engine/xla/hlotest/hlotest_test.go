package hlotest

import (
	"testing"

	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/xla"
)

func TestConform(t *testing.T) {
	b := New(xla.Float32)
	defer b.Close()
	enginetest.Conform(t, b, 1e-4)
}
