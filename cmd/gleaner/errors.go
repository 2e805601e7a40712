package main

import (
	"errors"
	"fmt"
	"strings"

	"gleaner/config"
	"gleaner/daemon"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

// isBadInput reports whether an error is the fault of what was given: the exit code tells scripts the difference.
func isBadInput(err error) bool {
	var setup *daemon.SetupError
	var b *bundle.Error
	var m *tflite.Error
	return isTrainInput(err) || errors.As(err, &setup) || errors.As(err, &b) || errors.As(err, &m)
}

// meant ends a message about an unknown name with the one that was most likely meant, so that another sentence may follow.
func meant(dashes, name string, names []string) string {
	if best := config.Nearest(name, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", dashes+best)
	}
	return ";"
}

// oneLine is an error on one line, with what to do about it where the error knows. An error inside a joined one is
// told once.
func oneLine(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line != "" && (len(parts) == 0 || parts[len(parts)-1] != line) {
			parts = append(parts, line)
		}
	}
	text := strings.Join(parts, "; ")
	var b *bundle.Error
	if errors.As(err, &b) && b.Hint != "" && !strings.Contains(text, b.Hint) {
		text += " (" + b.Hint + ")"
	}
	return text
}
