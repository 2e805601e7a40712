// Package config is the one configuration: a struct composed of each part's own Options, loaded from defaults, a file,
// the environment and the command line, in that order. It is the only importer of viper. No part imports config: each
// is handed its Options.
package config

import (
	"fmt"
	"log/slog"

	"gleaner/daemon"
)

// Config is everything that can be set.
type Config struct {
	daemon.Options `yaml:",inline"`
	// Log is what the program says of itself, on standard error.
	Log Log `yaml:"log"`
}

// Log is the program's own log.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// Default is the configuration that an empty file gives.
func Default() Config {
	return Config{Options: daemon.DefaultOptions(), Log: Log{Level: "info", Format: "text"}}
}

// Validate checks every section; the error begins with the key's path.
func (c *Config) Validate() error {
	if err := c.Options.Validate(); err != nil {
		return err
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
