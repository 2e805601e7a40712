// Package event is what the daemon says to the outside: the message types, their JSON, which is a public format with
// schemas, and Sink, where the pipeline hands them over. How a message travels is in daemon/mqtt; what it says is
// decided in daemon/decide and the pipeline.
//
// Additive changes keep the number of a schema ("object/1"), a breaking one raises it together with the topic version,
// so a reader must ignore members that it does not know.
package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Event is one message: Object, Act, Last, Presence, Crossing, Zone, Crop, Count, Status, Info, Availability, Metrics or
// CommandResult. Once published, an event and the slices and maps in it are not changed by anybody.
type Event interface {
	// value is the event as it goes out: no pointer, the schema filled in, no nil slice where an array is owed.
	value() Event
}

// Sink takes events. Publish never blocks on a network or a disk, loses rather than waits, counts what it loses, and
// may be called from any goroutine.
type Sink interface {
	Publish(e Event)
}

// Value is the event without a pointer around it and with its schema filled in, for type switches.
func Value(e Event) Event { return e.value() }

// Marshal is the payload of e: for Availability the bare word, for Crop a JPEG, for every other event one JSON object
// without a line end. The same event gives the same bytes. It fails on a number that is not finite and on a value in Metrics or
// CommandResult that JSON cannot hold.
func Marshal(e Event) ([]byte, error) {
	v := e.value()
	switch v := v.(type) {
	case Availability:
		return []byte(v), nil
	case Crop:
		return v.marshal()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "<" stays readable for people; nothing here is put into a page unescaped
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("marshal %T: %w", v, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Prob is a probability of 0 to 1, written with four decimals at most.
type Prob float64

// MarshalJSON rounds to four decimals.
func (p Prob) MarshalJSON() ([]byte, error) { return rounded(float64(p), 4) }

// Frac is a position as a part of the frame's width or height, 0 to 1, written with five decimals at most: a fifth of
// a pixel in a frame 2,000 pixels wide.
type Frac float64

// MarshalJSON rounds to five decimals.
func (f Frac) MarshalJSON() ([]byte, error) { return rounded(float64(f), 5) }

// Millis is a length of time in milliseconds, written with one decimal at most.
type Millis float64

// MarshalJSON rounds to one decimal.
func (m Millis) MarshalJSON() ([]byte, error) { return rounded(float64(m), 1) }

// MillisOf is d in milliseconds.
func MillisOf(d time.Duration) Millis { return Millis(float64(d) / float64(time.Millisecond)) }

// Micros is t in microseconds since the Unix epoch, and 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func rounded(v float64, decimals int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("%v is no JSON number", v)
	}
	scale := math.Pow10(decimals)
	v = math.Round(v*scale) / scale
	if v == 0 {
		v = 0 // not -0
	}
	return strconv.AppendFloat(nil, v, 'f', -1, 64), nil
}
