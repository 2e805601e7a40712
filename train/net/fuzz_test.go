package net

import (
	"os"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/flat"
	"gleaner/train/engine"
)

// FuzzImport damages files that can be read: Import must give a network that builds, or an error, and never panic.
func FuzzImport(f *testing.F) {
	small, x := newSketch(1, 6, 6, 2)
	y := small.op(flat.OpConv2D, "a;b", flat.Conv2DOptions(flat.PadSame, 2, 2, flat.ActRelu6), []int{1, 3, 3, 4}, x, small.consts("w", 0, 4, 3, 3, 2))
	small.op(flat.OpAdd, "sum", flat.AddOptions(flat.ActNone), []int{1, 3, 3, 4}, y, y)
	for _, m := range []*flat.Model{every(), small.Model} {
		b, err := m.Bytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	if root := shared.Root(); root != "" {
		b, err := os.ReadFile(root + "/models/models/model_invoking_error.tflite")
		if err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := flat.Read(b)
		if err != nil {
			return
		}
		for _, o := range []ImportOptions{{}, {Heads: []Head{{Name: "a", Classes: 2}}}, {Heads: []Head{{Name: "a", Classes: 2}}, Norms: true, Units: 3}} {
			n, w, err := Import(m, o)
			if err != nil {
				continue
			}
			for _, v := range n.Vars() {
				if len(w[v.Name]) != v.Shape.Size() {
					t.Fatalf("%s has %d numbers for %v", v.Name, len(w[v.Name]), v.Shape)
				}
			}
			if _, err := n.Training(2, TrainOptions{Optimiser: engine.Optimiser{Kind: "sgd"}}); err != nil {
				t.Log(err) // such as a file without anything that learns
			}
			if _, err := n.Summarise(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
