package bundle

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"gleaner/model/flat"
	"gleaner/model/joint"
)

// heads are the known heads with the task that each serves.
var heads = map[string]string{
	"probs": "classify", "logits": "classify",
	"ssd": "detect", "ssd-post": "detect", "yolov5": "detect", "yolov8": "detect",
	"blazeface-short": "detect", "blazeface-full": "detect",
	"embedding": "embed",
}

// Heads are the names of all heads that a manifest may state, sorted.
func Heads() []string {
	var out []string
	for h := range heads {
		out = append(out, h)
	}
	sort.Strings(out)
	return out
}

// TaskOf is the task that a head serves, empty for an unknown head.
func TaskOf(head string) string { return heads[head] }

var (
	nameRule = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)
	sumRule  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Check tells what is wrong with the manifest on its own, without a look at the files.
func (m *Manifest) Check() error {
	switch {
	case m.Schema != Schema:
		return fmt.Errorf("schema: %q is not known, this program reads %q", m.Schema, Schema)
	case !nameRule.MatchString(m.Name) || strings.Trim(m.Name, ".") == "":
		return fmt.Errorf("name: %q is not 1 to 64 lower-case letters, digits, '-', '_' and '.'", m.Name)
	case heads[m.Head] == "":
		return fmt.Errorf("head: %q is not known, one of %s", m.Head, strings.Join(Heads(), ", "))
	case heads[m.Head] != m.Task:
		return fmt.Errorf("task: %q does not go with head %q, which serves %q", m.Task, m.Head, heads[m.Head])
	case m.Threshold < 0 || m.Threshold > 1 || isNaN(float64(m.Threshold)):
		return fmt.Errorf("threshold: %v is not in 0 to 1", m.Threshold)
	case m.Temperature != 0 && (!(m.Temperature >= 0.05 && m.Temperature <= 20) || m.Task != "classify"):
		return fmt.Errorf("temperature: %v is not in 0.05 to 20, or the head %q has none", m.Temperature, m.Head)
	case len(m.Views) > 0 && m.Task != "classify":
		return fmt.Errorf("views: task %q has none, classify has", m.Task)
	case m.Accuracy < 0 || m.Accuracy > 1 || isNaN(m.Accuracy):
		return fmt.Errorf("accuracy: %v is not in 0 to 1", m.Accuracy)
	}
	for _, v := range m.Views {
		if v != ViewMirror && v != ViewClose {
			return fmt.Errorf("views: %q is not %q or %q", v, ViewMirror, ViewClose)
		}
	}
	if err := m.Unknown.check(m.Task); err != nil {
		return err
	}
	if err := m.Input.check(); err != nil {
		return fmt.Errorf("input.%w", err)
	}
	if _, err := m.Joint(); err != nil {
		return err
	}
	return m.checkFiles()
}

// Joint is how the answers of several heads become one; nil where the model has one output.
func (m *Manifest) Joint() (*joint.Joint, error) {
	switch {
	case len(m.Heads) == 0 && len(m.Rules) == 0:
		return nil, nil
	case m.Task != "classify" || m.Background:
		return nil, errors.New("heads: only a classifier without a background class has several")
	}
	return joint.New(m.Heads, m.Rules)
}

func isNaN(v float64) bool { return math.IsNaN(v) }

// Channels is the number of colour channels, 0 for an unknown colour order.
func (in *Input) Channels() int {
	switch in.Colour {
	case "rgb", "bgr":
		return 3
	case "gray":
		return 1
	}
	return 0
}

// maxSide bounds the input's sides, in pixels: a manifest must not make the program allocate without bound.
const maxSide = 8192

func (in *Input) check() error {
	n := in.Channels()
	switch {
	case in.Prep == "":
		return errors.New(`prep: missing, such as "linear/1"`)
	case in.Width < 1 || in.Height < 1 || in.Width > maxSide || in.Height > maxSide:
		return fmt.Errorf("width, height: %d×%d is not in 1 to %d", in.Width, in.Height, maxSide)
	case n == 0:
		return fmt.Errorf(`colour: %q is not "rgb", "bgr" or "gray"`, in.Colour)
	case len(in.Mean) != 1 && len(in.Mean) != n:
		return fmt.Errorf("mean: %d values for %d channels", len(in.Mean), n)
	case len(in.Std) != 1 && len(in.Std) != n:
		return fmt.Errorf("std: %d values for %d channels", len(in.Std), n)
	case !slices.Contains([]string{"stretch", "letterbox", "crop"}, in.Fit):
		return fmt.Errorf(`fit: %q is not "stretch", "letterbox" or "crop"`, in.Fit)
	}
	for _, v := range in.Std {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("std: %v is not above 0", v)
		}
	}
	for _, v := range in.Mean {
		if isNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("mean: %v is not a number", v)
		}
	}
	return nil
}

// needsLabels reports whether the head's classes have names. BlazeFace knows faces alone, an embedding no class.
func (m *Manifest) needsLabels() bool {
	return m.Task != "embed" && !strings.HasPrefix(m.Head, "blazeface")
}

func (m *Manifest) checkFiles() error {
	if _, ok := m.Files[ModelFile]; !ok {
		return fmt.Errorf("files: %s is missing", ModelFile)
	}
	if _, ok := m.Files[LabelsFile]; !ok && m.needsLabels() {
		return fmt.Errorf("files: %s is missing, head %q needs it", LabelsFile, m.Head)
	}
	for _, name := range m.fileNames() {
		if strings.Contains(name, "\\") || !filepath.IsLocal(filepath.FromSlash(name)) ||
			filepath.ToSlash(filepath.Clean(filepath.FromSlash(name))) != name || name == "." || name == ManifestFile {
			return fmt.Errorf("files: %q is not a path inside the bundle's folder", name)
		}
		if !sumRule.MatchString(m.Files[name]) {
			return fmt.Errorf("files: %q is not a lower-case hex sha256 (of %s)", m.Files[name], name)
		}
	}
	return nil
}

func (m *Manifest) fileNames() []string {
	out := make([]string, 0, len(m.Files))
	for n := range m.Files {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Fits tells whether manifest and labels describe the network: the input's rank, size and channels, the outputs that
// the head needs, and one label per class.
func Fits(m *Manifest, labels []string, net *flat.Model) error {
	ins := net.InputTensors()
	if len(ins) != 1 {
		return fmt.Errorf("the model has %d inputs, one picture is needed", len(ins))
	}
	in := ins[0]
	if len(in.Shape) != 4 {
		return fmt.Errorf("the model's input %s has rank %d, a picture has rank 4 (N, H, W, C)", in, len(in.Shape))
	}
	if in.Type != flat.Float32 && in.Type != flat.UInt8 && in.Type != flat.Int8 {
		return fmt.Errorf("the model's input %s is not float32, uint8 or int8", in)
	}
	if in.Type != flat.Float32 && (in.Quant == nil || len(in.Quant.Scale) != 1) {
		return fmt.Errorf("the model's input %s states no scale", in)
	}
	if want := []int{1, m.Input.Height, m.Input.Width, m.Input.Channels()}; !slices.Equal(in.Shape, want) {
		return fmt.Errorf("the model's input is %v, the manifest says %v (N, H, W, C)", in.Shape, want)
	}
	net, err := m.Unknown.without(net)
	if err != nil {
		return err
	}
	if j, err := m.Joint(); err != nil || j != nil {
		if err == nil {
			err = j.Fits(labels, net)
		}
		return err
	}
	n, err := Classes(m.Head, net)
	if err != nil {
		return err
	}
	if !m.needsLabels() || (m.Head == "ssd-post" && !m.Background && len(labels) == n-1) {
		return nil // post-processing leaves the background out of its classes
	}
	if n > 0 && len(labels) != n {
		return fmt.Errorf("%d labels, but the model has %d classes", len(labels), n)
	}
	return nil
}

// Classes is the number of classes that the network's outputs hold when they are read as that head, the background
// included; 0 where the outputs do not tell. Outputs that do not fit the head are an error.
func Classes(head string, net *flat.Model) (int, error) {
	out := net.OutputTensors()
	for _, t := range out {
		if t.Elems() < 0 {
			return 0, fmt.Errorf("the model's output %s is too large", t)
		}
	}
	switch head {
	case "probs", "logits", "embedding":
		if len(out) != 1 {
			return 0, fmt.Errorf("the model has %d outputs, head %q needs one", len(out), head)
		}
		n := 1
		for i, d := range out[0].Shape {
			if i == len(out[0].Shape)-1 {
				n = d
			} else if d != 1 {
				return 0, fmt.Errorf("the model's output %s is not one vector, which head %q needs", out[0], head)
			}
		}
		return n, nil
	case "ssd":
		return ssdClasses(out)
	case "ssd-post":
		return ssdPostClasses(out, net)
	case "yolov5", "yolov8":
		if len(out) != 1 || len(out[0].Shape) != 3 {
			return 0, fmt.Errorf("head %q needs one output of rank 3, the model has %v", head, out)
		}
		n := out[0].Shape[2] - 5
		if head == "yolov8" {
			n = out[0].Shape[1] - 4
		}
		if n < 1 {
			return 0, fmt.Errorf("the model's output %s is too small for head %q", out[0], head)
		}
		return n, nil
	case "blazeface-short":
		return 1, blaze(out, 896)
	case "blazeface-full":
		return 1, blaze(out, 2304)
	}
	return 0, fmt.Errorf("head %q is not known", head)
}

func ssdClasses(out []flat.Tensor) (int, error) {
	if len(out) == 2 {
		a, b := out[0].Shape, out[1].Shape
		if len(a) == 3 && len(b) == 3 && a[1] == b[1] && a[2] == 4 {
			return b[2], nil
		}
		if len(a) == 3 && len(b) == 3 && a[1] == b[1] && b[2] == 4 {
			return a[2], nil
		}
	}
	return 0, fmt.Errorf("head \"ssd\" needs boxes [1 N 4] and scores [1 N classes], the model's outputs are %v", out)
}

// ssdPostClasses looks at what the post-processing operator is fed: its second input has a column per class.
func ssdPostClasses(out []flat.Tensor, net *flat.Model) (int, error) {
	if len(out) != 4 {
		return 0, fmt.Errorf("head \"ssd-post\" needs four outputs, the model has %d", len(out))
	}
	g := &net.Graphs[0]
	for _, op := range g.Ops {
		if c := net.Codes[op.Code]; c.Custom != "TFLite_Detection_PostProcess" || len(op.Inputs) < 2 || op.Inputs[1] < 0 {
			continue
		}
		if s := g.Tensors[op.Inputs[1]].Shape; len(s) == 3 {
			return s[2], nil
		}
	}
	return 0, nil
}

func blaze(out []flat.Tensor, anchors int) error {
	if len(out) == 2 && slices.Equal(out[0].Shape, []int{1, anchors, 16}) && slices.Equal(out[1].Shape, []int{1, anchors, 1}) ||
		len(out) == 2 && slices.Equal(out[1].Shape, []int{1, anchors, 16}) && slices.Equal(out[0].Shape, []int{1, anchors, 1}) {
		return nil
	}
	return fmt.Errorf("this face head needs outputs [1 %d 16] and [1 %d 1], the model's are %v", anchors, anchors, out)
}
