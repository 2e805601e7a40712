package detect

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The values of Options.Kind.
const (
	KindAuto   = "auto"   // by the head that the bundle states
	KindMotion = "motion" // what differs from the background; no network (detect/cv)
	KindSSD    = "ssd"    // heads "ssd" and "ssd-post"
	KindYOLO   = "yolo"   // heads "yolov5" and "yolov8"
	KindFace   = "face"   // heads "blazeface-short" and "blazeface-full"
	KindFrame  = "frame"  // the whole picture, or the region of interest, is the one object
)

var kinds = []string{KindAuto, KindMotion, KindSSD, KindYOLO, KindFace, KindFrame}

// Point is a place in the frame, x to the right and y down, each 0 to 1 of the frame's width and height.
type Point = [2]float64

// Options says what to look for and where. Shares of the frame and ratios do not depend on the camera's resolution.
type Options struct {
	// Kind is "motion", "ssd", "yolo", "face", "frame" or "auto" (whatever the model is).
	Kind string `yaml:"kind"`
	// Model names the bundle of a network detector; "motion" and "frame" need none.
	Model string `yaml:"model"`

	MinScore float64 `yaml:"min_score"` // detections below are dropped, 0 to 1; 0: what the bundle advises, or 0.5
	IoU      float64 `yaml:"iou"`       // of two boxes of one class that overlap more, the weaker is dropped; 0 to 1
	// MaxObjects bounds what one frame can give; the strongest stay.
	MaxObjects int `yaml:"max_objects"`

	// Classes keeps only these labels or super-categories; empty keeps all.
	Classes []string `yaml:"classes"`
	// Limits narrows single classes further than the global limits below.
	Limits []Limit `yaml:"limits"`

	MinArea  float64 `yaml:"min_area"`  // share of the frame's area, 0 to 1
	MaxArea  float64 `yaml:"max_area"`  // share of the frame's area, 0 to 1; 0: no limit
	MinRatio float64 `yaml:"min_ratio"` // width over height; 0: no limit
	MaxRatio float64 `yaml:"max_ratio"` // width over height; 0: no limit

	// ROI is a polygon of at least 3 points; an object counts when the centre of its box is inside. Empty: the frame.
	ROI []Point `yaml:"roi"`
	// Masks are polygons in which nothing counts.
	Masks [][]Point `yaml:"masks"`

	Tiles  TileOptions   `yaml:"tiles"`  // small objects in large pictures
	Gate   GateOptions   `yaml:"gate"`   // the motion test before a network
	Motion MotionOptions `yaml:"motion"` // the motion detector
}

// Limit holds bounds for one class. A zero bound does not bind.
type Limit struct {
	Class    string  `yaml:"class"`     // a label or a super-category
	MinScore float64 `yaml:"min_score"` // 0 to 1
	MinArea  float64 `yaml:"min_area"`  // share of the frame's area, 0 to 1
	MaxArea  float64 `yaml:"max_area"`  // share of the frame's area, 0 to 1
	MinRatio float64 `yaml:"min_ratio"` // width over height
	MaxRatio float64 `yaml:"max_ratio"` // width over height
}

// TileOptions cuts a large picture into square tiles that a network sees one by one, beside the whole picture, so that
// small objects are not scaled away. Every tile costs one inference.
type TileOptions struct {
	Size    int     `yaml:"size"`    // pixels of the full frame; 0: off
	Overlap float64 `yaml:"overlap"` // share of the size that neighbours share, 0 to 0.9
}

// GateOptions is the cheap motion test that stands before a network detector.
type GateOptions struct {
	On bool `yaml:"on"` // false: the detector looks at every frame
	// Level is by how many grey levels (1 to 255) a pixel must change to count, after brightness is evened out.
	Level int `yaml:"level"`
	// Share of the region's pixels that must count to open the gate, 0 to 1.
	Share float64 `yaml:"share"`
	// Hold keeps the gate open for so long after the last motion.
	Hold time.Duration `yaml:"hold"`
}

// The values of MotionOptions.Method.
const (
	MethodReference = "reference"
	MethodMOG2      = "mog2"
)

// MotionOptions is how the motion detector tells objects from background.
type MotionOptions struct {
	// Method is "reference" (a learned background that nothing but background teaches, so that an object that stops
	// stays an object) or "mog2" (OpenCV's mixture of Gaussians, which absorbs what stands still).
	Method string `yaml:"method"`
	// Width is the width in pixels at which pixels are compared; boxes are refined on the full frame.
	Width int `yaml:"width"`
	// Threshold is how many standard deviations from the background count as different.
	Threshold float64 `yaml:"threshold"`
	// Learn is the time constant with which the background follows slow changes.
	Learn time.Duration `yaml:"learn"`
	// Absorb is how long a thing must lie still until it counts as background; 0: never. Only "reference" heeds it.
	Absorb time.Duration `yaml:"absorb"`
	// Split cuts objects that touch at the neck between them.
	Split bool `yaml:"split"`
}

// DefaultOptions finds objects by motion, and with a network whatever it knows, in the whole frame.
func DefaultOptions() Options {
	return Options{
		Kind: KindMotion, IoU: 0.5, MaxObjects: 100, MinArea: 0.001,
		Tiles: TileOptions{Overlap: 0.2},
		Gate:  GateOptions{On: true, Level: 18, Share: 0.002, Hold: 2 * time.Second},
		Motion: MotionOptions{Method: MethodReference, Width: 320, Threshold: 4, Learn: 10 * time.Second,
			Absorb: 10 * time.Minute, Split: true},
	}
}

// Validate says what is wrong with the options as far as that can be told without the model; the message begins with
// the key's path.
func (o Options) Validate() error {
	if !slices.Contains(kinds, o.Kind) {
		return fmt.Errorf("kind: unknown %q; one of %s", o.Kind, strings.Join(kinds, ", "))
	}
	if o.Model == "" && o.Kind != KindMotion && o.Kind != KindFrame {
		return fmt.Errorf("model: empty, but kind %q needs one", o.Kind)
	}
	if o.MaxObjects < 1 || o.MaxObjects > 10000 {
		return fmt.Errorf("max_objects: %d is outside 1 to 10000", o.MaxObjects)
	}
	err := firstError(
		inRange("min_score", o.MinScore, 0, 1), inRange("iou", o.IoU, 0, 1),
		bounds("", o.MinArea, o.MaxArea, o.MinRatio, o.MaxRatio),
		polygon("roi", o.ROI, true), o.Tiles.validate(), o.Gate.validate(), o.Motion.validate())
	for i := 0; i < len(o.Limits) && err == nil; i++ {
		l := o.Limits[i]
		p := fmt.Sprintf("limits[%d].", i)
		if l.Class == "" {
			return fmt.Errorf("%sclass: empty", p)
		}
		err = firstError(inRange(p+"min_score", l.MinScore, 0, 1),
			bounds(p, l.MinArea, l.MaxArea, l.MinRatio, l.MaxRatio))
	}
	for i := 0; i < len(o.Masks) && err == nil; i++ {
		err = polygon(fmt.Sprintf("masks[%d]", i), o.Masks[i], false)
	}
	return err
}

func (t TileOptions) validate() error {
	if t.Size != 0 && (t.Size < 32 || t.Size > 16384) {
		return fmt.Errorf("tiles.size: %d is neither 0 (off) nor 32 to 16384 pixels", t.Size)
	}
	return inRange("tiles.overlap", t.Overlap, 0, 0.9)
}

func (g GateOptions) validate() error {
	if g.Hold < 0 {
		return fmt.Errorf("gate.hold: %v is negative", g.Hold)
	}
	return firstError(inRange("gate.level", float64(g.Level), 1, 255), inRange("gate.share", g.Share, 0, 1))
}

func (m MotionOptions) validate() error {
	switch {
	case m.Method != MethodReference && m.Method != MethodMOG2:
		return fmt.Errorf("motion.method: unknown %q; one of %s, %s", m.Method, MethodReference, MethodMOG2)
	case m.Width < 80 || m.Width > 1920:
		return fmt.Errorf("motion.width: %d is outside 80 to 1920 pixels", m.Width)
	case m.Learn <= 0:
		return fmt.Errorf("motion.learn: %v is not positive", m.Learn)
	case m.Absorb < 0:
		return fmt.Errorf("motion.absorb: %v is negative", m.Absorb)
	}
	return inRange("motion.threshold", m.Threshold, 1, 50)
}

// CheckClasses says which of Classes and Limits names nothing that the model knows. labels are the model's, superOf
// gives a label's super-category.
func (o Options) CheckClasses(labels []string, superOf map[string]string) error {
	known := func(name string) bool {
		if slices.Contains(labels, name) {
			return true
		}
		for _, s := range superOf {
			if s == name {
				return true
			}
		}
		return false
	}
	for i, c := range o.Classes {
		if !known(c) {
			return fmt.Errorf("classes[%d]: unknown class %q; the model knows %s", i, c, knownNames(labels, superOf))
		}
	}
	for i, l := range o.Limits {
		if !known(l.Class) {
			return fmt.Errorf("limits[%d].class: unknown class %q; the model knows %s", i, l.Class,
				knownNames(labels, superOf))
		}
	}
	return nil
}

func knownNames(labels []string, superOf map[string]string) string {
	if len(labels) == 0 {
		return "no classes"
	}
	var super []string
	for _, s := range superOf {
		if !slices.Contains(super, s) {
			super = append(super, s)
		}
	}
	slices.Sort(super)
	text := strings.Join(labels, ", ")
	if len(super) > 0 {
		text += " (in " + strings.Join(super, ", ") + ")"
	}
	return text
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// inRange also refuses NaN, which no comparison catches.
func inRange(path string, v, lo, hi float64) error {
	if math.IsNaN(v) || v < lo || v > hi {
		return fmt.Errorf("%s: %v is outside %v to %v", path, v, lo, hi)
	}
	return nil
}

func bounds(path string, minArea, maxArea, minRatio, maxRatio float64) error {
	if err := firstError(
		inRange(path+"min_area", minArea, 0, 1), inRange(path+"max_area", maxArea, 0, 1),
		inRange(path+"min_ratio", minRatio, 0, 1e6), inRange(path+"max_ratio", maxRatio, 0, 1e6)); err != nil {
		return err
	}
	if maxArea > 0 && maxArea < minArea {
		return fmt.Errorf("%smax_area: %v is below min_area %v", path, maxArea, minArea)
	}
	if maxRatio > 0 && maxRatio < minRatio {
		return fmt.Errorf("%smax_ratio: %v is below min_ratio %v", path, maxRatio, minRatio)
	}
	return nil
}

func polygon(path string, p []Point, mayBeEmpty bool) error {
	if len(p) == 0 && mayBeEmpty {
		return nil
	}
	if len(p) < 3 {
		return fmt.Errorf("%s: a polygon has at least 3 points, not %d", path, len(p))
	}
	for i, q := range p {
		for a, axis := range []string{"x", "y"} {
			if err := inRange(fmt.Sprintf("%s[%d] %s", path, i, axis), q[a], 0, 1); err != nil {
				return err
			}
		}
	}
	return nil
}
