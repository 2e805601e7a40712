package track

import (
	"fmt"
	"slices"
	"time"
)

// Options says how boxes become tracks. Everything is in seconds or in parts of the object's own size, so that it holds
// at any frame rate and any frame size.
type Options struct {
	// HighScore is the score from which a detection is matched first; those from LowScore up to it may only continue a
	// confirmed track (ByteTrack's second association). Both 0 to 1.
	HighScore float64 `yaml:"high_score"`
	LowScore  float64 `yaml:"low_score"`
	// NewScore is the score from which a detection that fits no track begins one, 0 to 1.
	NewScore float64 `yaml:"new_score"`
	// MinHits is how many detections confirm a track, 1 to 100.
	MinHits int `yaml:"min_hits"`
	// MaxLost is how long a confirmed track lives without a detection; one that is not confirmed lives a fifth of it.
	MaxLost time.Duration `yaml:"max_lost"`
	// MaxTracks bounds the tracks at one time, 1 to 1000; what would be more is not begun.
	MaxTracks int `yaml:"max_tracks"`
	// Lines are segments whose crossings are counted and published, such as
	// [{name: door, a: [0.5, 1], b: [0.5, 0]}], which objects that move to the right cross forward.
	Lines []Line `yaml:"lines"`
	// Zones are areas whose entries and exits are published, such as
	// [{name: table, polygon: [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]}].
	Zones []Zone `yaml:"zones"`
}

// DefaultOptions suits a belt at 10 to 60 frames a second as well as people before a kiosk.
func DefaultOptions() Options {
	return Options{HighScore: 0.4, LowScore: 0.15, NewScore: 0.4, MinHits: 3, MaxLost: time.Second, MaxTracks: 200}
}

// Validate checks every value; the error begins with the key's path.
func (o Options) Validate() error {
	for _, s := range []struct {
		key string
		v   float64
	}{{"high_score", o.HighScore}, {"low_score", o.LowScore}, {"new_score", o.NewScore}} {
		if !(s.v >= 0 && s.v <= 1) {
			return fmt.Errorf("%s: %v is not in 0 to 1", s.key, s.v)
		}
	}
	switch {
	case o.LowScore > o.HighScore:
		return fmt.Errorf("low_score: %v is above high_score %v", o.LowScore, o.HighScore)
	case o.NewScore < o.HighScore:
		return fmt.Errorf("new_score: %v is below high_score %v", o.NewScore, o.HighScore)
	case o.MinHits < 1 || o.MinHits > 100:
		return fmt.Errorf("min_hits: %d is not in 1 to 100", o.MinHits)
	case o.MaxLost <= 0 || o.MaxLost > time.Hour:
		return fmt.Errorf("max_lost: %v is not above 0 and up to 1h", o.MaxLost)
	case o.MaxTracks < 1 || o.MaxTracks > 1000:
		return fmt.Errorf("max_tracks: %d is not in 1 to 1000", o.MaxTracks)
	}
	for i, l := range o.Lines {
		if err := l.validate(); err != nil {
			return fmt.Errorf("lines[%d].%w", i, err)
		}
		if j := slices.IndexFunc(o.Lines, func(x Line) bool { return x.Name == l.Name }); j < i {
			return fmt.Errorf("lines[%d].name: %q is also the name of lines[%d]", i, l.Name, j)
		}
	}
	for i, z := range o.Zones {
		if err := z.validate(); err != nil {
			return fmt.Errorf("zones[%d].%w", i, err)
		}
		if j := slices.IndexFunc(o.Zones, func(x Zone) bool { return x.Name == z.Name }); j < i {
			return fmt.Errorf("zones[%d].name: %q is also the name of zones[%d]", i, z.Name, j)
		}
	}
	return nil
}
