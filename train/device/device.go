// Package device opens what training runs on: the graphics card through XLA, the CPU through oneDNN, or plain Go; and tells which
// of them is there, and why the others are not. What they compute is in train/engine and below it.
package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gleaner/train/engine"
	"gleaner/train/engine/onednn"
	"gleaner/train/engine/ref"
	"gleaner/train/engine/xla"
	"gleaner/train/recipe"
)

// Finding is what is known of a place where training can run.
type Finding struct {
	Name string // what device= calls it
	OK   bool   // it is there and works
	What string // what was found, or why it is not and what to do
}

// Opened is a device that was opened.
type Opened struct {
	engine.Backend
	// Depth is how many steps are under way at a time: 2 where the next batch is copied to the device meanwhile.
	Depth int
}

// probeTime bounds the trial of a plug-in, which loads gigabytes of libraries.
const probeTime = 2 * time.Minute

// List tries all of them, the fastest first. A plug-in for a card is tried in a process of its own.
func List(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cuda := Finding{Name: "cuda"}
	if cards, err := xla.Probe(ctx, ""); err != nil {
		cuda.What = err.Error()
	} else {
		cuda.OK, cuda.What = true, "XLA on "+cards[0].Name
	}
	cpu := Finding{Name: "cpu", OK: true, What: "oneDNN"}
	if b, err := onednn.New(onednn.Options{}); err != nil {
		cpu.OK, cpu.What = false, err.Error()
	} else {
		_ = b.Close() // nothing was computed
	}
	return []Finding{cuda, cpu, {Name: "ref", OK: true, What: "plain Go, everywhere, slow"}}
}

// Open opens the device that the options name. What a person should know of the choice is given to note: why a card that seems to
// be there is not used, and that plain Go does the work of the CPU's library where that is missing.
func Open(o *recipe.Options, note func(string)) (*Opened, error) {
	switch o.Device {
	case "ref":
		return &Opened{ref.New[float32](), 1}, nil
	case "cuda":
		b, err := card(o)
		if err != nil {
			return nil, fmt.Errorf("device=cuda: %w", err)
		}
		return b, nil
	case "auto":
		b, err := card(o)
		var missing *xla.MissingError
		switch {
		case err == nil:
			return b, nil
		case !errors.As(err, &missing):
			note(fmt.Sprintf("WARNING: the graphics card is not used: %v", err))
		}
	}
	b, err := onednn.New(onednn.Options{Threads: o.Threads, BFloat16: o.Numbers == "bf16"})
	if err != nil {
		note(fmt.Sprintf("WARNING: %v; until then it trains in plain Go, many times slower", err))
		return &Opened{ref.New[float32](), 1}, nil
	}
	if o.Numbers == "bf16" && !b.BFloat16() {
		note("numbers=bf16: this processor does not multiply bfloat16 numbers; it goes on in float32")
	}
	return &Opened{b, 1}, nil
}

// CPU opens oneDNN, or plain Go with the error that says why.
func CPU(threads int) (*Opened, error) {
	b, err := onednn.New(onednn.Options{Threads: threads})
	if err != nil {
		return &Opened{ref.New[float32](), 1}, err
	}
	return &Opened{b, 1}, nil
}

// card opens the graphics card, once a process of its own has shown that the plug-in works.
func card(o *recipe.Options) (*Opened, error) {
	if _, err := xla.Find(""); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	if _, err := xla.Probe(ctx, ""); err != nil {
		return nil, err
	}
	numbers := map[string]xla.Precision{"float32": xla.Float32, "tf32": xla.TF32, "bf16": xla.BFloat16}[o.Numbers]
	b, err := xla.Open(xla.Options{Precision: numbers, Preallocate: true})
	if err != nil {
		return nil, err
	}
	return &Opened{b, 2}, nil
}
