package capture

// BeltOptions is what the drawn belt carries and how it runs.
type BeltOptions struct {
	Seed uint64 `yaml:"seed"`
}

// DefaultBeltOptions is the demo's belt.
func DefaultBeltOptions() BeltOptions { return BeltOptions{Seed: 1} }
