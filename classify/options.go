package classify

import "fmt"

// Options says which models answer and which crops they are asked about.
type Options struct {
	// Models are bundle references; several are averaged as an ensemble; none leaves the detector's class as the answer.
	Models []string `yaml:"models"`
	// Top is how many classes a record lists, best first, 1 to 100.
	Top int `yaml:"top"`
	// PerFrame bounds the crops that are classified of one frame, 1 to 1000.
	PerFrame int `yaml:"per_frame"`
	// Margin widens the box on each side, as a share of the box's own width and height, 0 to 1.
	Margin float64 `yaml:"margin"`
	// Shape is "box" (the widened box) or "square" (the smallest square around it, shifted into the frame).
	Shape string `yaml:"shape"`
	// Views shows an object's later crops mirrored and closer, where the bundle says that its network was taught so: several views of
	// an object tell more than several frames of it.
	Views bool `yaml:"views"`
	// Quality keeps bad crops from voting.
	Quality QualityOptions `yaml:"quality"`
}

// QualityOptions are the bars that a crop must pass. Each is off at 0.
type QualityOptions struct {
	// MinSide is the least width and height of the object's box, in pixels of the frame.
	MinSide int `yaml:"min_side"`
	// BorderPx refuses a box that comes nearer than this to one side of the frame, in pixels: part of the object may be
	// outside. A box that reaches both opposite sides is not refused for it, since it will never be seen better.
	BorderPx int `yaml:"border_px"`
	// MinSharpness is the least variance of the Laplacian of the crop's luma (0 to 255), looked at no more than 96
	// pixels wide and high. Sharp crops of real objects have hundreds; what is a good bar depends on the objects.
	MinSharpness float64 `yaml:"min_sharpness"`
}

// Shapes of a crop.
const (
	ShapeBox    = "box"
	ShapeSquare = "square"
)

// DefaultOptions names no model, lists 3 classes, asks about 8 crops of a frame, and refuses boxes under 12 pixels and
// those within 2 pixels of the frame's border. Sharpness is not judged: the bar belongs to the objects.
func DefaultOptions() Options {
	return Options{Top: 3, PerFrame: 8, Margin: 0.05, Shape: ShapeBox, Views: true, Quality: QualityOptions{MinSide: 12, BorderPx: 2}}
}

// Validate checks every value; the error begins with the key's path.
func (o Options) Validate() error {
	for i, m := range o.Models {
		if m == "" {
			return fmt.Errorf("models[%d]: is empty", i)
		}
	}
	switch {
	case o.Top < 1 || o.Top > 100:
		return fmt.Errorf("top: %d is not in 1 to 100", o.Top)
	case o.PerFrame < 1 || o.PerFrame > 1000:
		return fmt.Errorf("per_frame: %d is not in 1 to 1000", o.PerFrame)
	case !(o.Margin >= 0 && o.Margin <= 1):
		return fmt.Errorf("margin: %v is not in 0 to 1", o.Margin)
	case o.Shape != ShapeBox && o.Shape != ShapeSquare:
		return fmt.Errorf("shape: %q is not %s or %s", o.Shape, ShapeBox, ShapeSquare)
	case o.Quality.MinSide < 0:
		return fmt.Errorf("quality.min_side: %d is below 0", o.Quality.MinSide)
	case o.Quality.BorderPx < 0:
		return fmt.Errorf("quality.border_px: %d is below 0", o.Quality.BorderPx)
	case !(o.Quality.MinSharpness >= 0):
		return fmt.Errorf("quality.min_sharpness: %v is not 0 or above", o.Quality.MinSharpness)
	}
	return nil
}
