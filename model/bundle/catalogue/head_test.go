package catalogue

import "testing"

// FuzzHead feeds the head reader with anything; what it takes must come back the same.
func FuzzHead(f *testing.F) {
	b, err := (&Head{W: [][]float32{{1, -2.5}, {0.001, 3e-7}}, B: []float32{0.1, -4}}).Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:12])
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHead(b)
		if err != nil {
			return
		}
		again, err := h.Bytes()
		if err != nil {
			return // not a number, or infinite
		}
		if string(again) != string(b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
