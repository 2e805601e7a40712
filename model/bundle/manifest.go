// Package bundle is a model as it is kept, moved and trusted: a folder with bundle.json, model.tflite and labels.txt,
// every file's sha256 stated and verified at load; the store of installed bundles with a current one; and the catalogue
// of known models. It runs no model.
package bundle

import "gleaner/model/joint"

// Schema is the manifest's format. Additive changes keep the number.
const Schema = "bundle/1"

// The views of Manifest.Views.
const (
	ViewMirror = "mirror" // left and right exchanged
	ViewClose  = "close"  // without the outer twentieth on each side
)

// Manifest is bundle.json.
type Manifest struct {
	Schema  string `json:"schema"`  // Schema
	Name    string `json:"name"`    // lower-case letters, digits, '-', '_' and '.', 1 to 64
	Version string `json:"version"` // free text, such as a date
	Task    string `json:"task"`    // "classify", "detect" or "embed"
	// Head says how the outputs are to be read: "probs" (one probability per label), "logits" (softmax still owed),
	// "ssd" (raw boxes and logits, decoded with anchors), "ssd-post" (TFLite_Detection_PostProcess), "yolov5",
	// "yolov8", "blazeface-short", "blazeface-full", "embedding".
	Head  string `json:"head"`
	Input Input  `json:"input"`
	// Background says that label 0 is "nothing here" and is never an answer.
	Background bool `json:"background,omitempty"`
	// Heads are the outputs of a classifier that has several, and Rules how their answers become one, whose labels are those of the
	// labels file; none: the model has one output. Head holds for each of them.
	Heads []joint.Head `json:"heads,omitempty"`
	Rules []joint.Rule `json:"rules,omitempty"`
	// SuperOf gives a label's super-category, by label, so that filters can name either.
	SuperOf map[string]string `json:"super_of,omitempty"`
	// Threshold is the score from which an answer counts, as the maker of the bundle advises; 0: no advice.
	Threshold float32 `json:"threshold,omitempty"`
	// Unknown, if not nil, is the score that tells objects of no class of the bundle's from the others.
	Unknown *Unknown `json:"unknown,omitempty"`
	// Temperature is what the logits are divided by, 0.05 to 20, so that probabilities mean what they say: of probabilities p,
	// p^(1/T), made to sum to 1. 0 or 1: nothing is changed. A classifier's alone.
	Temperature float64 `json:"temperature,omitempty"`
	// Views are the ways in which training showed a picture besides the plain one, and in which an object may be shown to the network
	// and be of its class still: ViewMirror, ViewClose. What the daemon asks about an object several times it shows in turn (test-time
	// augmentation). A classifier's alone.
	Views []string `json:"views,omitempty"`
	// Accuracy is what the maker measured on still pictures, 0 to 1, and on what; 0: not stated.
	Accuracy   float64 `json:"accuracy,omitempty"`
	AccuracyOn string  `json:"accuracy_on,omitempty"`
	Licence    string  `json:"licence,omitempty"`
	Source     string  `json:"source,omitempty"`
	// Files maps each file of the bundle, by slash-separated path, to its lower-case hex sha256. bundle.json itself is
	// not in it.
	Files map[string]string `json:"files"`
}

// Input is how pixels become the model's input tensor; classify/prep does it.
type Input struct {
	Prep   string `json:"prep"`   // name and version of the definition, "linear/1"
	Width  int    `json:"width"`  // pixels
	Height int    `json:"height"` // pixels
	Colour string `json:"colour"` // "rgb", "bgr" or "gray"
	// Mean and Std turn a channel value v of 0 to 255 into the real number (v-Mean)/Std, in the order of Colour; one
	// entry stands for all channels. (127.5, 127.5) gives -1 to 1; (0, 255) gives 0 to 1.
	Mean []float32 `json:"mean"`
	Std  []float32 `json:"std"`
	// Fit says how a picture of another shape comes in: "stretch", "letterbox" (whole picture, black bars, centred) or
	// "crop" (largest centred part of the right shape).
	Fit string `json:"fit"`
}
