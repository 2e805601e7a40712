package look

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/train/dataset/pack"
)

// drawn is a set of noisy stripes in two classes, one across and one down, with the given changes.
func drawn(t *testing.T, n int, change func(i int, e *pack.Example, pix []byte)) *pack.Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a")
	f := pack.Format{Width: 32, Height: 32, Fit: "stretch"}
	w, err := pack.Create(path, f)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		e, pix := pack.Example{Class: []string{"across", "down"}[i%2], Box: [4]float64{0, 0, 32, 32}}, make([]byte, f.Bytes())
		period, phase := 3+r.Float64()*5, r.Float64()*9
		for p := range 32 * 32 {
			at := float64(p / 32)
			if i%2 == 1 {
				at = float64(p % 32)
			}
			v := 90 + 40*float64(int((at+phase)/period)%2) + r.NormFloat64()*8
			for c := range 3 {
				pix[3*p+c] = byte(max(0, min(255, v)))
			}
		}
		if change != nil {
			change(i, &e, pix)
		}
		src := pack.Source{Path: fmt.Sprintf("%d.png", i), Width: 32, Height: 32}
		src.SHA256[0], src.SHA256[1] = byte(i), byte(i>>8)
		if err := w.Add(src, []pack.Crop{{Example: e, Pixels: pix}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	s, err := pack.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestLook(t *testing.T) {
	var first []byte
	s := drawn(t, 120, func(i int, e *pack.Example, pix []byte) {
		switch i {
		case 10:
			first = bytes.Clone(pix)
		case 21: // the same pixels, another class
			copy(pix, first)
		case 30: // nearly the same, its own class
			for k, v := range first {
				pix[k] = v + 3
			}
		case 40:
			for k := range pix {
				pix[k] /= 20
			}
		case 51: // blurred
			for k := range pix {
				pix[k] = byte(80 + k/3%32)
			}
		}
	})
	features := make([][]float32, len(s.Examples))
	r := rand.New(rand.NewPCG(3, 4))
	for i := range features {
		features[i] = make([]float32, 6)
		for k := range features[i] {
			features[i][k] = float32(r.NormFloat64() * 0.3)
		}
		class := i % 2
		if i == 77 { // looks like the other class
			class = 1 - class
		}
		features[i][class] += 2
	}
	report, err := At(s, Options{Features: features, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Copies) != 1 || report.Copies[0].Example != 10 || report.Copies[0].With != 21 || report.Copies[0].Said != "down" {
		t.Errorf("copies %+v", report.Copies)
	}
	if !has(report.Near, 10, 30) {
		t.Errorf("near %+v", report.Near)
	}
	if report.Labels[0].Example != 77 || report.Labels[0].Said != "across" {
		t.Errorf("labels %+v", report.Labels[:3])
	}
	if len(report.Light) == 0 || report.Light[0].Example != 40 || len(report.Blurred) == 0 || report.Blurred[0].Example != 51 {
		t.Errorf("light %+v, blurred %+v", report.Light, report.Blurred)
	}
	var b bytes.Buffer
	if err := report.WriteHTML(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Likely label errors", "looks like across", "data:image/jpeg;base64,", "different classes"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func has(list []Finding, a, b int) bool {
	for _, f := range list {
		if f.Example == a && f.With == b {
			return true
		}
	}
	return false
}

func TestWarnings(t *testing.T) {
	s := drawn(t, 12, func(_ int, e *pack.Example, _ []byte) { e.Class = "all <the> same" })
	report, err := At(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(report.Warnings, "\n"); !strings.Contains(all, "at least two classes") || !strings.Contains(all, "12 pictures") {
		t.Errorf("warnings: %s", all)
	}
	var b bytes.Buffer
	if err := report.WriteHTML(&b, s); err != nil || strings.Contains(b.String(), "<the>") {
		t.Errorf("%v; names are not escaped", err)
	}
}

// TestCopiesThatAreListed says how many pairs there are, and lists no more than some: those between classes first.
func TestCopiesThatAreListed(t *testing.T) {
	const n = 220 // 24,090 pairs
	s := drawn(t, n, func(i int, e *pack.Example, pix []byte) {
		for k := range pix {
			pix[k] = byte(k / 96 * 7)
		}
		if e.Class = "across"; i >= n-20 {
			e.Class = "down"
		}
	})
	report, err := At(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.CopiesAll != n*(n-1)/2 || len(report.Copies) != listed || report.NearAll != 0 || len(report.Near) != 0 {
		t.Errorf("%d copies of which %d are listed, %d near ones", report.CopiesAll, len(report.Copies), report.NearAll)
	}
	for k, f := range report.Copies {
		if want := k < 200*20; (f.Said != "") != want {
			t.Fatalf("copy %d: %+v", k, f)
		}
		if k > 0 && k != 200*20 && (f.Example < report.Copies[k-1].Example || f.Example == report.Copies[k-1].Example && f.With < report.Copies[k-1].With) {
			t.Fatalf("copy %d: %+v after %+v", k, f, report.Copies[k-1])
		}
	}
	if all := strings.Join(report.Warnings, "\n"); !strings.Contains(all, "4000 pairs of copies or near copies have different classes") ||
		!strings.Contains(all, "24090 pairs are copies") {
		t.Errorf("warnings: %s", all)
	}
}
