package event

import (
	"fmt"
	"io"
	"sync"
)

// JSONLines writes each event as one line of JSON, for a replay. Unlike a live Sink it waits for its writer and loses
// nothing: a replay is as slow as whoever reads it. Availability and Crop, which are no JSON, are left out.
type JSONLines struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

// NewJSONLines writes to w, one Write call per line; whoever made w flushes and closes it.
func NewJSONLines(w io.Writer) *JSONLines { return &JSONLines{w: w} }

// Publish writes the event. After the first error it writes nothing more; Err says which.
func (j *JSONLines) Publish(e Event) {
	switch e.value().(type) {
	case Availability, Crop:
		return
	}
	b, err := Marshal(e)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return
	}
	if err == nil {
		_, err = j.w.Write(append(b, '\n'))
	}
	if err != nil {
		j.err = fmt.Errorf("write event: %w", err)
	}
}

// Err is the first error, nil while all went well.
func (j *JSONLines) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}
