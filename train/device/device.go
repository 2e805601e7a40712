// Package device opens what training runs on: the CPU through oneDNN, or plain Go; and tells which of them is there, and why the
// others are not. What they compute is in train/engine and below it.
package device

import (
	"fmt"

	"gleaner/train/engine"
	"gleaner/train/engine/onednn"
	"gleaner/train/engine/ref"
	"gleaner/train/recipe"
)

// Finding is what is known of a place where training can run.
type Finding struct {
	Name string // what device= calls it
	OK   bool   // it is there and works
	What string // what was found, or why not
}

// Opened is a device that was opened.
type Opened struct {
	engine.Backend
	// Depth is how many steps are under way at a time: 2 where the next batch is copied to the device meanwhile.
	Depth int
}

// List tries all of them, the fastest first.
func List() []Finding {
	cpu := Finding{Name: "cpu", OK: true, What: "oneDNN"}
	if b, err := onednn.New(onednn.Options{}); err != nil {
		cpu.OK, cpu.What = false, err.Error()
	} else {
		_ = b.Close() // nothing was computed
	}
	return []Finding{cpu, {Name: "ref", OK: true, What: "plain Go, everywhere, slow"}}
}

// Open opens the device that the options name. What a person should know of the choice is given to note: where the library for
// the CPU is missing, plain Go does its work.
func Open(o *recipe.Options, note func(string)) (*Opened, error) {
	switch o.Device {
	case "ref":
		return &Opened{ref.New[float32](), 1}, nil
	case "auto", "cpu":
		b, err := onednn.New(onednn.Options{Threads: o.Threads})
		if err != nil {
			note(fmt.Sprintf("WARNING: %v; until then it trains in plain Go, many times slower", err))
			return &Opened{ref.New[float32](), 1}, nil
		}
		return &Opened{b, 1}, nil
	}
	return nil, fmt.Errorf("device=%s is not in this program", o.Device)
}
