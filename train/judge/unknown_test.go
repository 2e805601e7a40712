package judge

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"gleaner/classify/prep"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/tflite"
	"gleaner/train/unknown"
)

// TestUnknown judges a bundle to which only what is red is familiar: the report says how many of the pictures it refuses.
func TestUnknown(t *testing.T) {
	if tflite.Version() == "none" {
		t.Skip("this build has no TensorFlow Lite")
	}
	net := flat.New("the colour of one pixel, and how red it is")
	in := net.AddTensor("picture", flat.Float32, 1, 1, 1, 3)
	net.Graphs[0].Inputs, net.Graphs[0].Outputs = []int{in}, []int{in}
	if err := net.Head([][]float32{{9, 0, 0}, {0, 9, 0}}, make([]float32, 2)); err != nil {
		t.Fatal(err)
	}
	score, err := unknown.New([][]float32{{1, 0, 0}, {1, 0.1, 0}})
	if err != nil {
		t.Fatal(err)
	}
	output, err := score.Append(net)
	if err != nil {
		t.Fatal(err)
	}
	m := bundled(t, net, bundle.Manifest{Name: "red", Version: "1", Task: "classify", Head: "probs", Unknown: &bundle.Unknown{Output: output, Threshold: 0.5},
		Input: bundle.Input{Prep: prep.Linear, Width: 1, Height: 1, Colour: "rgb", Mean: []float32{0}, Std: []float32{255}, Fit: "stretch"}}, []string{"red", "green"})
	data := folder(t, map[string]string{"red": "rrrr", "green": "gggr"})
	r, err := Judge(t.Context(), data, m, nil, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if r.Unknown == nil || math.Abs(r.Unknown.Value-3./8) > 1e-9 {
		t.Errorf("refused: %v", r.Unknown)
	}
	var text, page bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "taken for unknown objects") {
		t.Errorf("the text says nothing of it: %v", err)
	}
	if err := r.WriteHTML(&page, data, nil); err != nil || !strings.Contains(page.String(), "taken for unknown objects") {
		t.Errorf("the page says nothing of it: %v", err)
	}
	plain, err := Judge(t.Context(), data, byColour(t, "red", "green"), nil, DefaultOptions())
	if err != nil || plain.Unknown != nil {
		t.Errorf("a bundle without the score: %v, %v", plain.Unknown, err)
	}
}
