package crop

import (
	"fmt"
	"runtime"

	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/spot"
)

// The values of Options.Label.
const (
	LabelDetector = "detector" // what the detector calls the object
	LabelPicture  = "picture"  // what the picture's label says, such as its folder
)

// Options say what is looked for, and how it is cut out.
type Options struct {
	Classes []string // labels of the detector to keep; none here and in Supers: all
	Supers  []string // super-categories to keep, besides Classes

	// Min is the score from which a box is cut out, 0 to 1; 0: three fifths of what the detector's maker advises, since a miss
	// is lost, and a wrong crop is seen and thrown away. Boxes below that advice are shown as doubtful all the same.
	Min float64
	// Doubt is the score from which a box that is not cut out is shown as doubtful, above 0 and at most Min; 0: half of Min.
	Doubt float64
	Label string // LabelDetector or LabelPicture
	Most  int    // how many boxes of a picture are cut out, the likeliest; 0: all

	Size    int     // width and height of an example, pixels
	Fit     string  // how a crop of another shape gets there, as pack.Format has it
	Margin  float64 // surroundings to keep on each side, as a share of the box's longer side, 0 to 1
	MinSide int     // boxes whose shorter side has fewer pixels are not cut out

	Look spot.Options // how thoroughly a picture is looked at

	Workers    int // pictures at a time; 0: as many as there are processors
	NewDecoder func() importer.Decoder
	// Progress, if not nil, is told after each picture, from one goroutine.
	Progress func(done, of int)
}

// DefaultOptions keep everything that a detector knows. NewDecoder is left to the caller.
func DefaultOptions() Options {
	return Options{Label: LabelDetector, Size: 160, Fit: "letterbox", Margin: 0.1, Look: spot.DefaultOptions()}
}

// Check names the first option that is out of range, by its key on the command line.
func (o Options) Check() error {
	for _, c := range []struct {
		key    string
		v      float64
		lo, hi float64
	}{
		{"min", o.Min, 0, 1}, {"doubt", o.Doubt, 0, 1}, {"margin", o.Margin, 0, 1},
		{"size", float64(o.Size), 8, 4096}, {"min-side", float64(o.MinSide), 0, 1e6}, {"most", float64(o.Most), 0, 1e6},
		{"workers", float64(o.Workers), 0, 256},
	} {
		if !(c.v >= c.lo && c.v <= c.hi) {
			return fmt.Errorf("%s=%v is not in %v to %v", c.key, c.v, c.lo, c.hi)
		}
	}
	switch {
	case o.Min > 0 && o.Doubt > o.Min:
		return fmt.Errorf("doubt=%v is above min=%v", o.Doubt, o.Min)
	case o.Label != LabelDetector && o.Label != LabelPicture:
		return fmt.Errorf("label=%s: not one of detector, picture", o.Label)
	case o.Fit != "letterbox" && o.Fit != "stretch" && o.Fit != "crop":
		return fmt.Errorf("fit=%s: not one of letterbox, stretch, crop", o.Fit)
	}
	return o.Look.Check()
}

// complete fills in what depends on the detector and the machine.
func (o *Options) complete(d *spot.Detector) error {
	if o.Min == 0 {
		o.Min = 0.6 * d.Usual()
	}
	if o.Doubt == 0 {
		o.Doubt = o.Min / 2
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return o.Check()
}
