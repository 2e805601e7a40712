package metrics

// Kind is what a metric does.
type Kind uint8

// The kinds. A counter only grows, a gauge goes up and down, a timer is a histogram of durations.
const (
	CounterKind Kind = iota
	GaugeKind
	TimerKind
)

// Def describes one metric.
type Def struct {
	Name   string
	Kind   Kind
	Unit   string // of the value: "frames", "objects", "seconds", "bytes", "1" for a yes or no
	Labels []string
	Help   string
}

// The names of the daemon's metrics.
const (
	Frames          = "gleaner_frames_total"
	FramesProcessed = "gleaner_frames_processed_total"
	FramesDropped   = "gleaner_frames_dropped_total"
	GateClosed      = "gleaner_gate_closed_total"
	StageSeconds    = "gleaner_stage_seconds"
	AgeSeconds      = "gleaner_age_seconds"

	Objects  = "gleaner_objects_total"
	Verdicts = "gleaner_verdicts_total"
	Withheld = "gleaner_withheld_total"
	Classes  = "gleaner_class_total"

	LineCrossings = "gleaner_line_crossings_total"
	ZoneEntered   = "gleaner_zone_entered_total"
	ZoneInside    = "gleaner_zone_inside"
	BeltSpeed     = "gleaner_belt_pixels_per_second"
	Crops         = "gleaner_crops_total"
	CropsLost     = "gleaner_crops_lost_total"

	CameraState      = "gleaner_camera_state"
	CameraReconnects = "gleaner_camera_reconnects_total"
	CameraStalls     = "gleaner_camera_stalls_total"

	MQTTConnected  = "gleaner_mqtt_connected"
	MQTTReconnects = "gleaner_mqtt_reconnects_total"
	MQTTQueued     = "gleaner_mqtt_queued"
	MQTTSent       = "gleaner_mqtt_sent_total"
	MQTTAcked      = "gleaner_mqtt_acked_total"
	MQTTLost       = "gleaner_mqtt_lost_total"

	ModelInfo   = "gleaner_model_info"
	ModelBytes  = "gleaner_model_bytes"
	ModelSwitch = "gleaner_model_switches_total"

	TruthObjects = "gleaner_truth_objects"
	TruthCounted = "gleaner_truth_counted"
	TruthRight   = "gleaner_truth_right"

	WebViewers = "gleaner_web_viewers"
	WebJPEGs   = "gleaner_web_jpegs_total"
)

// Table holds every metric of the daemon; a name that is not in it cannot be counted. Callers do not change it.
var Table = []Def{
	{Frames, CounterKind, "frames", []string{"cam"}, "Frames the camera delivered."},
	{FramesProcessed, CounterKind, "frames", []string{"cam"}, "Frames the pipeline worked on."},
	{FramesDropped, CounterKind, "frames", []string{"cam", "reason"}, "Frames nobody worked on, by reason."},
	{GateClosed, CounterKind, "frames", []string{"cam"}, "Frames the motion gate kept from the detector."},
	{StageSeconds, TimerKind, "seconds", []string{"cam", "stage"}, "Time one frame spends in a stage."},
	{AgeSeconds, TimerKind, "seconds", []string{"cam"}, "From exposure of the deciding frame to the hand-over to the publisher."},

	{Objects, CounterKind, "objects", []string{"cam"}, "Objects that were tracked to their end."},
	{Verdicts, CounterKind, "objects", []string{"cam", "verdict"}, "Final verdicts: class, reject, unsure, late."},
	{Withheld, CounterKind, "objects", []string{"cam", "reason"}, "Objects that got no verdict, by reason."},
	{Classes, CounterKind, "objects", []string{"cam", "class"}, "Objects by the class that was decided; unsure for those without."},

	{LineCrossings, CounterKind, "crossings", []string{"cam", "line", "direction"}, "Crossings of a line: forward, back."},
	{ZoneEntered, CounterKind, "objects", []string{"cam", "zone"}, "Entries into a zone."},
	{ZoneInside, GaugeKind, "objects", []string{"cam", "zone"}, "Objects in a zone now."},
	{BeltSpeed, GaugeKind, "pixels per second", []string{"cam", "axis"}, "Speed that the objects share, along x and y; NaN while they share none."},
	{Crops, CounterKind, "pictures", []string{"cam"}, "Pictures of objects with a verdict, handed to the publisher."},
	{CropsLost, CounterKind, "pictures", []string{"cam", "reason"}, "Objects with a verdict that got no picture, by reason."},

	{CameraState, GaugeKind, "1", []string{"cam", "state"}, "1 for the state the camera is in: online, stalled, offline."},
	{CameraReconnects, CounterKind, "times", []string{"cam"}, "How often the camera was opened anew."},
	{CameraStalls, CounterKind, "times", []string{"cam"}, "How often the camera stopped delivering."},

	{MQTTConnected, GaugeKind, "1", []string{"lane"}, "1 while the lane's connection to the broker stands."},
	{MQTTReconnects, CounterKind, "times", []string{"lane"}, "Connections after the first."},
	{MQTTQueued, GaugeKind, "messages", []string{"lane"}, "Messages waiting or not yet acknowledged."},
	{MQTTSent, CounterKind, "messages", []string{"lane"}, "Messages handed to a connection."},
	{MQTTAcked, CounterKind, "messages", []string{"lane"}, "Messages the broker took, on the connection that sent them."},
	{MQTTLost, CounterKind, "messages", []string{"lane", "reason"}, "Messages given up, by reason."},

	{ModelInfo, GaugeKind, "1", []string{"task", "name", "sha256", "delegate"}, "1 for each model in use."},
	{ModelBytes, GaugeKind, "bytes", []string{"name", "sha256"}, "Resident memory that opening the model's first interpreter added."},
	{ModelSwitch, CounterKind, "times", []string{"result"}, "Switches of a bundle: ok or refused."},

	{TruthObjects, GaugeKind, "objects", nil, "Objects with a known truth that the demo looks back on."},
	{TruthCounted, GaugeKind, "objects", nil, "Of these, the ones that got a record."},
	{TruthRight, GaugeKind, "objects", nil, "Of these, the ones whose verdict was right."},

	{WebViewers, GaugeKind, "viewers", nil, "Cameras that somebody looks at on the status page."},
	{WebJPEGs, CounterKind, "pictures", nil, "Pictures encoded for the status page."},
}
