// Package device opens what training runs on: the graphics card through XLA, the CPU through oneDNN, or plain Go; and tells which
// of them is there, and why the others are not. What they compute is in train/engine and below it.
package device

import (
	"fmt"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
	"gleaner/train/recipe"
)

// Finding is what is known of a place where training can run.
type Finding struct {
	Name string // what device= calls it
	OK   bool   // it is there and works
	What string // what was found, or why not
	Hint string // what to do about it; empty where nothing
}

// Opened is a device that was opened.
type Opened struct {
	engine.Backend
	// Depth is how many steps are under way at a time: 2 where the next batch is copied to the device meanwhile.
	Depth int
}

// List tells of all of them, the fastest first.
func List() []Finding {
	return []Finding{{Name: "ref", OK: true, What: "plain Go, everywhere, slow"}}
}

// Open opens the device that the options name. What the user should know of the choice is given to note.
func Open(o *recipe.Options, note func(string)) (*Opened, error) {
	switch o.Device {
	case "ref":
		return &Opened{ref.New[float32](), 1}, nil
	case "auto", "cpu":
		note("WARNING: training in plain Go, which is slow")
		return &Opened{ref.New[float32](), 1}, nil
	}
	return nil, fmt.Errorf("device=%s is not in this program", o.Device)
}
