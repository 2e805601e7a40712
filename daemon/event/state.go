package event

import "gleaner/model"

// The schemas of the messages about the device and of its answers.
const (
	CountSchema   = "count/1"
	StatusSchema  = "status/1"
	InfoSchema    = "info/1"
	MetricsSchema = "metrics/1"
	CommandSchema = "command/1"
)

// Count is how many objects of a class a camera has seen, retained on cam/<cam>/count/<class>.
type Count struct {
	Schema string `json:"schema"` // filled in by Marshal
	Cam    string `json:"cam"`
	Class  string `json:"class"` // the true label
	N      uint64 `json:"n"`     // only grows within its epoch
	// Epoch is opaque: another value means that N began anew at 0.
	Epoch string `json:"epoch"`
}

func (c Count) value() Event { c.Schema = CountSchema; return c }

// CameraState is how a camera is.
type CameraState string

// The states of a camera.
const (
	Online  CameraState = "online"  // frames come
	Stalled CameraState = "stalled" // open, but no frame for longer than its limit
	Offline CameraState = "offline" // it could not be opened, or was closed
)

// Status is a camera's state, retained on cam/<cam>/status.
type Status struct {
	Schema string      `json:"schema"` // filled in by Marshal
	Cam    string      `json:"cam"`
	State  CameraState `json:"state"`
	Reason string      `json:"reason"` // why it is not online; empty when it is
	Since  int64       `json:"since"`  // microseconds since the Unix epoch
}

func (s Status) value() Event { s.Schema = StatusSchema; return s }

// ModelInfo is one network in use.
type ModelInfo struct {
	Name     string       `json:"name"`
	Version  string       `json:"version,omitempty"`
	Task     string       `json:"task"`   // "detect", "classify" or "embed"
	SHA256   string       `json:"sha256"` // "sha256:…" of the bundle
	Delegate string       `json:"delegate"`
	Ladder   []model.Rung `json:"ladder,omitempty"` // every delegate tried and what became of it
}

// Info is what runs on the device, retained on info.
type Info struct {
	Schema   string      `json:"schema"` // filled in by Marshal
	Site     string      `json:"site"`
	Node     string      `json:"node"`
	Software string      `json:"software"` // version of the program
	Boot     string      `json:"boot"`     // new with every start of the daemon
	Started  int64       `json:"started"`  // microseconds since the Unix epoch
	Rev      int         `json:"rev"`      // revision of the configuration in use
	Cameras  []string    `json:"cameras"`
	Models   []ModelInfo `json:"models"`
	Degrade  int         `json:"degrade"` // 0: full service; higher: what is left out to keep up
}

func (i Info) value() Event {
	i.Schema = InfoSchema
	if i.Cameras == nil {
		i.Cameras = []string{}
	}
	if i.Models == nil {
		i.Models = []ModelInfo{}
	}
	return i
}

// Availability is the device's state, retained on availability; its payload is the bare word and no JSON, which is
// what home automation reads.
type Availability string

// The states of a device. AvailOffline is the last will: the broker says it, not the device.
const (
	AvailOnline  Availability = "online"
	AvailStopped Availability = "stopped"
	AvailOffline Availability = "offline"
)

func (a Availability) value() Event { return a }

// Metrics are the daemon's numbers by name, every 30 s on metrics.
type Metrics struct {
	Schema string             `json:"schema"` // filled in by Marshal
	Boot   string             `json:"boot,omitempty"`
	At     int64              `json:"at"`     // microseconds since the Unix epoch
	Values map[string]float64 `json:"values"` // names, labels and units of the table in daemon/metrics
}

func (m Metrics) value() Event {
	m.Schema = MetricsSchema
	if m.Values == nil {
		m.Values = map[string]float64{}
	}
	return m
}

// CommandResult answers a command, on cmd/<verb>/result.
type CommandResult struct {
	Schema string `json:"schema"` // filled in by Marshal
	ID     string `json:"id"`     // the id of the command; empty where it could not be read
	Verb   string `json:"verb"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`  // why not
	Result any    `json:"result,omitempty"` // what the verb answers
	At     int64  `json:"at"`               // microseconds since the Unix epoch
}

func (c CommandResult) value() Event { c.Schema = CommandSchema; return c }
