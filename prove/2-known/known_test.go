package main

import (
	"testing"

	"gleaner/train/device"
)

// TestKnownAnswer compares every device of this build with PyTorch's table: all steps, or the first ones with -short.
func TestKnownAnswer(t *testing.T) {
	table, err := golden()
	if err != nil {
		t.Fatal(err)
	}
	n := steps
	if testing.Short() {
		n = 6
	}
	for _, found := range device.List(t.Context()) {
		if !found.OK {
			continue
		}
		for _, r := range recipes {
			t.Run(found.Name+"/"+r.name, func(t *testing.T) {
				if _, err := r.compare(found.Name, table[r.name], n); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
