// Package web is the status page: what each camera sees and decided, as a page for people, a kiosk screen and a phone,
// and as JSON for programs. It shows; it decides and changes nothing, and it encodes pictures only while somebody looks.
package web

import (
	"net/http"

	"gleaner/daemon/event"
)

// State tells the page what is going on. Snapshot is called from any goroutine, about once a second for each viewer, and
// gives a value that nobody changes afterwards.
type State interface {
	Snapshot() Snapshot
}

// Metrics serves the daemon's numbers.
type Metrics interface {
	Handler() http.Handler
}

// Snapshot is the daemon at one moment.
type Snapshot struct {
	Site     string            `json:"site"`
	Node     string            `json:"node"`
	Software string            `json:"software"` // version of the program
	Started  int64             `json:"started"`  // microseconds since the Unix epoch
	Cameras  []Camera          `json:"cameras"`
	Models   []event.ModelInfo `json:"models"`
	MQTT     MQTT              `json:"mqtt"`
	Truth    *Truth            `json:"truth,omitempty"` // nil where nobody knows the right answers
	Stages   []Stage           `json:"stages,omitempty"`
}

// Camera is one camera at one moment.
type Camera struct {
	Name      string            `json:"name"`   // as configured
	Source    string            `json:"source"` // without passwords
	State     event.CameraState `json:"state"`
	Reason    string            `json:"reason,omitempty"` // why it is not online
	Since     int64             `json:"since"`            // microseconds since the Unix epoch
	Frames    uint64            `json:"frames"`           // delivered by the camera
	Processed uint64            `json:"processed"`
	Dropped   uint64            `json:"dropped"`
	Objects   uint64            `json:"objects"`            // that were tracked
	InView    int               `json:"in_view"`            // of them, still there
	Withheld  map[string]uint64 `json:"withheld,omitempty"` // objects without a verdict, by reason
	Belt      *Speed            `json:"belt,omitempty"`     // nil while the objects do not move as one
	Lines     []Line            `json:"lines,omitempty"`
	Zones     []Zone            `json:"zones,omitempty"`
}

// Speed is the speed that the objects share, in pixels of the camera's frame per second.
type Speed struct {
	X float64 `json:"x"` // to the right
	Y float64 `json:"y"` // downwards
}

// Line is the traffic over a line so far.
type Line struct {
	Name    string `json:"name"`
	Forward uint64 `json:"forward"`
	Back    uint64 `json:"back"`
}

// Zone is the traffic in a zone so far.
type Zone struct {
	Name    string `json:"name"`
	Entered uint64 `json:"entered"`
	Inside  int    `json:"inside"` // now
}

// MQTT is the connection to the broker at one moment.
type MQTT struct {
	Broker    string `json:"broker"`   // host:port
	Embedded  bool   `json:"embedded"` // it is the daemon's own
	Connected bool   `json:"connected"`
	LastError string `json:"last_error,omitempty"` // why it is not connected
	Topics    string `json:"topics"`               // a filter for everything the device says
	Published uint64 `json:"published"`
	Acked     uint64 `json:"acked"`
	Queued    int    `json:"queued"`
	Lost      uint64 `json:"lost"` // for all reasons
}

// Truth is the score where the right answers are known, as in the demo.
type Truth struct {
	Objects int `json:"objects"` // that came by
	Counted int `json:"counted"` // of them, the ones that got a record
	Right   int `json:"right"`   // of these, the ones whose verdict was right
}

// Stage is how long frames take in one step, in milliseconds.
type Stage struct {
	Cam  string       `json:"cam"`
	Name string       `json:"name"`
	P50  event.Millis `json:"p50"`
	P90  event.Millis `json:"p90"`
	P99  event.Millis `json:"p99"`
}
