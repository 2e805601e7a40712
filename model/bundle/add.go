package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gleaner/model/flat"
)

// Answers is what a person says about a foreign model; empty fields are unanswered.
type Answers struct {
	Name       string    // of the bundle; empty: made from the file's name
	Version    string    // free text
	Head       string    // one of Heads()
	Colour     string    // "rgb", "bgr" or "gray"
	Mean, Std  []float32 // a channel value v of 0 to 255 becomes (v-Mean)/Std
	Fit        string    // "stretch", "letterbox" or "crop"; empty: "stretch", or "letterbox" for yolo and faces
	Background string    // "yes" or "no": whether label 0 is "nothing here"; empty: by its name
	Threshold  float32
	Licence    string
	Source     string
}

// Question is something that neither the file nor the person has said.
type Question struct {
	Field   string   // the field of Answers: "head", "colour", "scale" (mean and std), "labels"
	Ask     string   // the question in words
	Choices []string // possible answers; nil: anything
	Likely  string   // what it would be if it is as usual; a suggestion to show, never taken by itself
}

// Inspect reads a foreign .tflite file and its labels (nil: those in the file's metadata, if any) and completes the
// answers with what the file says: the input's size from its shape; colour, mean and std from its metadata, or mean
// and std of an 8-bit input from its scale, since such inputs take pixels as they are; the head where the operators
// leave no doubt. It returns the manifest so far, the labels, and what is still open.
func Inspect(model, labels []byte, a Answers) (Manifest, []string, []Question, error) {
	m := Manifest{Schema: Schema, Name: a.Name, Version: a.Version, Head: a.Head, Threshold: a.Threshold,
		Licence: a.Licence, Source: a.Source}
	net, err := flat.Read(model)
	if err != nil {
		return m, nil, nil, err
	}
	ins := net.InputTensors()
	if len(ins) != 1 || len(ins[0].Shape) != 4 {
		return m, nil, nil, fmt.Errorf("the model's inputs are %v, one picture of rank 4 (N, H, W, C) is needed", ins)
	}
	meta, err := net.Meta()
	if err != nil {
		return m, nil, nil, err
	}
	if meta == nil {
		meta = &flat.Meta{}
	}
	var open []Question
	if q := inspectHead(&m, net); q != nil {
		open = append(open, *q)
	}
	m.Task = TaskOf(m.Head)
	open = append(open, inspectInput(&m.Input, ins[0], meta, a, m.Head)...)
	if labels == nil && meta.LabelsFile != "" {
		labels = net.File(meta.LabelsFile)
	}
	var names []string
	if labels != nil {
		if names, err = ParseLabels(labels); err != nil {
			return m, nil, nil, fmt.Errorf("labels: %w", err)
		}
		m.Background = strings.EqualFold(a.Background, "yes") || (a.Background == "" && isBackground(names[0]))
	} else if m.Head != "" && m.needsLabels() {
		n, err := Classes(m.Head, net)
		if err != nil {
			return m, nil, nil, err
		}
		open = append(open, Question{Field: "labels", Ask: fmt.Sprintf("the names of the %d classes, one a line", n)})
	}
	if len(open) == 0 {
		if err := Fits(&m, names, net); err != nil {
			return m, names, nil, err
		}
	}
	return m, names, open, nil
}

func isBackground(label string) bool {
	return slices.Contains([]string{"???", "background", "__background__", "none of the above"}, strings.ToLower(label))
}

// inspectHead fills in the head where the network itself leaves no doubt, and asks otherwise.
func inspectHead(m *Manifest, net *flat.Model) *Question {
	if m.Head != "" {
		return nil
	}
	if net.HasCustom("TFLite_Detection_PostProcess") {
		m.Head = "ssd-post"
		return nil
	}
	q := Question{Field: "head", Ask: "what do the outputs mean?", Choices: Heads()}
	for _, h := range []string{"blazeface-short", "blazeface-full", "ssd"} {
		if _, err := Classes(h, net); err == nil {
			q.Likely = h
			return &q
		}
	}
	if _, err := Classes("probs", net); err == nil {
		if last := lastOp(net); last == flat.OpSoftmax {
			m.Head = "probs"
			return nil
		}
		q.Likely = "logits"
		return &q
	}
	for _, t := range net.OutputTensors() {
		if len(t.Shape) == 3 {
			q.Likely = "yolov8"
			if t.Shape[1] > t.Shape[2] {
				q.Likely = "yolov5"
			}
		}
	}
	return &q
}

// lastOp is the builtin code of the operator that makes the first output, beyond any conversion of its type; -1 where
// there is none.
func lastOp(net *flat.Model) int {
	g := &net.Graphs[0]
	if len(g.Outputs) == 0 {
		return -1
	}
	want := g.Outputs[0]
	for i := len(g.Ops) - 1; i >= 0; i-- {
		op := &g.Ops[i]
		if !slices.Contains(op.Outputs, want) {
			continue
		}
		code := net.Codes[op.Code].Builtin
		if (code == flat.OpQuantize || code == flat.OpDequantize || code == flat.OpReshape) && len(op.Inputs) > 0 {
			want = op.Inputs[0]
			continue
		}
		return code
	}
	return -1
}

// inspectInput fills in how pixels become the input.
func inspectInput(in *Input, t flat.Tensor, meta *flat.Meta, a Answers, head string) []Question {
	*in = Input{Prep: "linear/1", Height: t.Shape[1], Width: t.Shape[2], Colour: a.Colour, Mean: a.Mean, Std: a.Std, Fit: a.Fit}
	var open []Question
	if in.Fit == "" {
		in.Fit = "stretch"
		if strings.HasPrefix(head, "yolo") || strings.HasPrefix(head, "blazeface") {
			in.Fit = "letterbox"
		}
	}
	if in.Colour == "" {
		switch {
		case t.Shape[3] == 1:
			in.Colour = "gray"
		case meta.Colour == "rgb":
			in.Colour = "rgb"
		default:
			open = append(open, Question{Field: "colour", Likely: "rgb", Choices: []string{"rgb", "bgr"},
				Ask: "in which order does it take the colours?"})
		}
	}
	if len(in.Mean) == 0 && len(in.Std) == 0 {
		in.Mean, in.Std = meta.Mean, meta.Std
	}
	if len(in.Mean) == 0 && len(in.Std) == 0 && t.Quant != nil && len(t.Quant.Scale) == 1 && t.Quant.Scale[0] > 0 {
		zero := float32(0)
		if len(t.Quant.Zero) == 1 {
			zero = float32(t.Quant.Zero[0])
		}
		switch t.Type {
		case flat.Int8: // the pixel less 128 is the element
			zero += 128
			fallthrough
		case flat.UInt8:
			in.Mean, in.Std = []float32{zero}, []float32{1 / t.Quant.Scale[0]}
		}
	}
	if len(in.Mean) == 0 || len(in.Std) == 0 {
		open = append(open, Question{Field: "scale", Likely: "127.5 127.5",
			Ask: "which mean and std turn a pixel of 0 to 255 into what it was trained on? 127.5 127.5 is -1 to 1; 0 255 is 0 to 1"})
	}
	return open
}

// Added is what came of Add.
type Added struct {
	ID       string     // in the store; empty while questions are open
	Manifest Manifest   // as far as it is known
	Labels   []string   // the classes
	Open     []Question // what has to be answered first; empty when the bundle was installed
	EdgeTPU  bool       // it runs on an EdgeTPU alone
}

// Add wraps a foreign model, a .tflite file and its labels file (empty: those in the model, if any), into a bundle and
// installs it in the store. Where the file leaves something open that a has no answer for, nothing is installed and
// Open says what to ask: nothing is guessed.
func Add(s *Store, modelPath, labelsPath string, a Answers) (Added, error) {
	model, err := os.ReadFile(modelPath)
	if err != nil {
		return Added{}, notFound(modelPath, err, "")
	}
	var labels []byte
	if labelsPath != "" {
		if labels, err = os.ReadFile(labelsPath); err != nil {
			return Added{}, notFound(labelsPath, err, "")
		}
	}
	if a.Name == "" {
		a.Name = nameFrom(modelPath)
	}
	m, names, open, err := Inspect(model, labels, a)
	if err != nil {
		return Added{}, &Error{Path: modelPath, Problem: err.Error(), Err: err, Hint: addHint(err)}
	}
	out := Added{Manifest: m, Labels: names, Open: open}
	if net, err := flat.Read(model); err == nil {
		out.EdgeTPU = net.HasCustom("edgetpu-custom-op")
	}
	if len(open) > 0 {
		return out, nil
	}
	files := map[string][]byte{ModelFile: model}
	if names != nil {
		files[LabelsFile] = FormatLabels(names)
	}
	out.ID, err = s.Put(m, files)
	return out, err
}

func addHint(err error) string {
	if strings.Contains(err.Error(), "labels, but the model has") {
		return "many models have a first class for the background: its label must stand in the first line"
	}
	return ""
}

var notName = regexp.MustCompile(`[^a-z0-9._-]+`)

// nameFrom makes a bundle's name from a file's.
func nameFrom(path string) string {
	n := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".tflite")
	n = strings.Trim(notName.ReplaceAllString(n, "-"), "-.")
	if n == "" {
		n = "model"
	}
	return n[:min(len(n), 64)]
}
