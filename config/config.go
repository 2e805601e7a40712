// Package config is the one configuration: a struct composed of each part's own Options, loaded from defaults, a file,
// the environment and the command line, in that order. It is the only importer of viper. No part imports config: each
// is handed its Options.
package config

import (
	"fmt"
	"log/slog"

	"gleaner/capture"
	"gleaner/classify"
	"gleaner/daemon"
	"gleaner/daemon/decide"
	"gleaner/daemon/mqtt"
	"gleaner/daemon/web"
	"gleaner/detect"
	"gleaner/detect/track"
)

// Config is everything that can be set.
type Config struct {
	// Cameras are the cameras, each with its own stages.
	Cameras []Camera `yaml:"cameras"`
	// Models says where model bundles lie and how they run.
	Models daemon.ModelOptions `yaml:"models"`
	// MQTT is where results go.
	MQTT mqtt.Options `yaml:"mqtt"`
	// Web is the status page.
	Web web.Options `yaml:"web"`
	// Log is what the program says of itself, on standard error.
	Log Log `yaml:"log"`
}

// Camera is one camera and what is done with its frames.
type Camera struct {
	// Name stands in topics, records and on the page; any text, unique among the cameras.
	Name            string `yaml:"name"`
	capture.Options `yaml:",inline"`
	// Detect says how objects are found.
	Detect detect.Options `yaml:"detect"`
	// Track says how objects are followed from frame to frame.
	Track track.Options `yaml:"track"`
	// Classify says which models answer what an object is; with no model the detector's class is the answer.
	Classify classify.Options `yaml:"classify"`
	// Decide is the rule that makes one verdict of many answers.
	Decide decide.Options `yaml:"decide"`
}

// Log is the program's own log.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// Default has no camera; results go to the embedded broker and the page to the loopback address.
func Default() Config {
	return Config{Models: daemon.DefaultModelOptions(), MQTT: mqtt.DefaultOptions(), Web: web.DefaultOptions(),
		Log: Log{Level: "info", Format: "text"}}
}

// DefaultCamera is what a camera has where its section says nothing.
func DefaultCamera() Camera {
	return Camera{Options: capture.DefaultOptions(), Detect: detect.DefaultOptions(), Track: track.DefaultOptions(),
		Classify: classify.DefaultOptions(), Decide: decide.DefaultOptions()}
}

// Validate checks what no part can check alone and asks each part to check itself. The error names the key's path.
func (c *Config) Validate() error {
	names := map[string]int{}
	for i := range c.Cameras {
		cam := &c.Cameras[i]
		at := fmt.Sprintf("cameras[%d]", i)
		if cam.Name == "" {
			return fmt.Errorf("%s.name: is missing", at)
		}
		if j, dup := names[cam.Name]; dup {
			return fmt.Errorf("%s.name: %q is also the name of cameras[%d]", at, cam.Name, j)
		}
		names[cam.Name] = i
		if cam.Source == "" {
			return fmt.Errorf("%s.source: is missing, such as v4l2:0, rtsp://host/path or file:clip.mp4", at)
		}
		for _, part := range []struct {
			key   string
			check func() error
		}{{"", cam.Options.Validate}, {"detect.", cam.Detect.Validate}, {"track.", cam.Track.Validate},
			{"classify.", cam.Classify.Validate}, {"decide.", cam.Decide.Validate}} {
			if err := part.check(); err != nil {
				return fmt.Errorf("%s.%s%w", at, part.key, err)
			}
		}
	}
	if err := c.Models.Validate(); err != nil {
		return fmt.Errorf("models.%w", err)
	}
	if err := c.MQTT.Validate(); err != nil {
		return fmt.Errorf("mqtt.%w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return fmt.Errorf("log.level: %q is not one of debug, info, warn, error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return fmt.Errorf("log.format: %q is not text or json", c.Log.Format)
	}
	return nil
}
