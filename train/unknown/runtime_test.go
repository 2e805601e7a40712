//go:build cgo && !nonative

package unknown

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gleaner/model/flat"
	"gleaner/model/tflite"
)

func negative(x []float32) []float32 {
	for k := range x {
		x[k] = -x[k]
	}
	return x
}

// TestFileTellsAsTheScore runs a head with the score behind it: the probabilities stay what they are, and the familiarity is that of
// the features, on every rung, behind features that are float32 and such as are int8, and where several heads answer
// together; roots where features are from 0 on, and as they are where some lie below.
func TestFileTellsAsTheScore(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	centre := make([]float64, 24)
	for k := range 12 {
		centre[k] = 1
	}
	s, err := New(blob(r, 300, centre, 0.5))
	if err != nil {
		t.Fatal(err)
	}
	head := func(integer bool) *flat.Model {
		m := flat.New("a head alone")
		x := m.AddTensor("x", flat.Float32, 1, 24)
		m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{x}, []int{x}
		if integer {
			m.Graphs[0].Tensors[x].Type = flat.Int8
			m.Graphs[0].Tensors[x].Quant = &flat.Quant{Scale: []float32{1. / 32}, Zero: []int64{-128}}
		}
		w := make([][]float32, 3)
		for c := range w {
			for range 24 {
				w[c] = append(w[c], float32(r.NormFloat64()))
			}
		}
		if err := m.Head(w, []float32{0, 1, 2}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	joined, err := flat.Join(head(false), head(false))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := New([][]float32{blob(r, 1, centre, 0.5)[0], negative(blob(r, 1, centre, 0.5)[0])})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*flat.Model{"float32": head(false), "int8": head(true), "joined": joined, "signed": head(false)} {
		s := s
		if name == "signed" {
			s = signed
		}
		output, err := s.Append(m)
		if err != nil {
			t.Fatal(err)
		}
		file, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, rung := range []string{"xnnpack+qs8+qu8", "cpu"} {
			path := filepath.Join(t.TempDir(), "m.tflite")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			o := tflite.DefaultOptions()
			o.Rung = rung
			run, err := tflite.Open(path, o)
			if err != nil {
				t.Fatalf("%s on %s: %v", name, rung, err)
			}
			for _, x := range slices.Concat(blob(r, 5, centre, 0.5), blob(r, 5, make([]float64, 24), 1)) {
				in := run.Inputs()[0].Data
				for k, v := range x {
					if name == "int8" {
						q := min(255, math.Round(float64(v)*32))
						in[k], x[k] = byte(int8(q-128)), float32(q/32)
						continue
					}
					binary.NativeEndian.PutUint32(in[4*k:], math.Float32bits(v))
				}
				if err := run.Invoke(); err != nil {
					t.Fatal(err)
				}
				got := math.Float32frombits(binary.NativeEndian.Uint32(run.Outputs()[output].Data))
				if want := s.Of(x); math.Abs(float64(got-want)) > 1e-3 {
					t.Errorf("%s on %s: familiarity %g, wanted %g", name, rung, got, want)
				}
			}
			if err := run.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
