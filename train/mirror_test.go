package train

import (
	"testing"

	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/train/export"
	"gleaner/train/export/trial"
)

// TestWithMirror: the bundle's file answers as the mean of the network on a picture and on its mirror image, which the parity gate holds
// it to, and its weights are in the file once.
func TestWithMirror(t *testing.T) {
	dir := garments(t, 240)
	sizes := map[string]int{}
	answers := map[string]float64{}
	for _, keys := range [][]string{{"withmirror=false"}, {"withmirror=true"}, {"withmirror=true", "export=int8"}} {
		o := options(t, dir, append([]string{"net=cnn-small", "epochs=2", "test=" + garments(t, 400)}, keys...)...)
		r, notes, err := fit(t, o, false)
		if err != nil {
			t.Fatal(err)
		}
		if trial.Possible() && (r.Parity == nil || r.Parity.N != 400) {
			t.Errorf("%v: the gate saw %+v; it said %s", keys, r.Parity, notes)
		}
		file := read(t, r.Bundle, bundle.ModelFile)
		m, err := flat.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		reversals := 0
		for _, op := range m.Graphs[0].Ops {
			if m.Codes[op.Code].Builtin == flat.OpReverseV2 {
				reversals++
			}
		}
		if reversals != map[bool]int{true: 1}[o.WithMirror] {
			t.Errorf("%v: %d reversals", keys, reversals)
		}
		name := o.Export
		if o.WithMirror {
			name += " mirrored"
		}
		sizes[name], answers[name] = len(file), r.TestLoss
	}
	plain, both := string(export.Float32), string(export.Float32)+" mirrored"
	if sizes[both] > sizes[plain]*11/10 {
		t.Errorf("the file grew from %d to %d bytes", sizes[plain], sizes[both])
	}
	if answers[both] == answers[plain] {
		t.Errorf("the mirror image changes nothing: a loss of %g", answers[both])
	}
}
