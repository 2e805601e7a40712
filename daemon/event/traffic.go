package event

// The schemas of the messages about lines and zones.
const (
	CrossingSchema = "crossing/1"
	ZoneSchema     = "zone/1"
)

// Direction is which way a line was crossed: forward is from the left hand to the right hand of one who looks from the
// line's end a to its end b on the screen.
type Direction string

// The directions.
const (
	Forward Direction = "forward"
	Back    Direction = "back"
)

// Crossing is one object crossing one line, on cam/<cam>/line/<line>.
type Crossing struct {
	Schema    string    `json:"schema"` // filled in by Marshal
	ID        string    `json:"id"`     // LiveID, or ReplayEventID in a replay; a reader that sees it twice drops the second
	Boot      string    `json:"boot,omitempty"`
	Cam       string    `json:"cam"`   // the camera's true name
	Line      string    `json:"line"`  // the line's true name
	Track     int64     `json:"track"` // that of the Object
	Direction Direction `json:"direction"`
	Class     string    `json:"class"` // the detector's; empty where it knows none
	// Forward and Back are the crossings of this line so far, this one among them, and Net is Forward less Back. They
	// begin anew with another Epoch; Forward + Back grows by one, so that a gap in it is a lost message.
	Forward uint64 `json:"forward"`
	Back    uint64 `json:"back"`
	Net     int64  `json:"net"`
	Epoch   string `json:"epoch,omitempty"` // opaque; absent in a replay
	T       Times  `json:"t"`
}

func (c Crossing) value() Event { c.Schema = CrossingSchema; return c }

// Zone is one object entering or leaving one zone, on cam/<cam>/zone/<zone>.
type Zone struct {
	Schema string `json:"schema"` // filled in by Marshal
	ID     string `json:"id"`     // LiveID, or ReplayEventID in a replay; a reader that sees it twice drops the second
	Boot   string `json:"boot,omitempty"`
	Cam    string `json:"cam"`   // the camera's true name
	Zone   string `json:"zone"`  // the zone's true name
	Track  int64  `json:"track"` // that of the Object
	Phase  Phase  `json:"phase"` // Entered or Left
	Class  string `json:"class"` // the detector's; empty where it knows none
	// DwellMS is how long the object was inside: from the frame in which it entered to the one in which it left, or in
	// which it was last seen; 0 with Entered.
	DwellMS Millis `json:"dwell_ms"`
	Inside  int    `json:"inside"` // objects in the zone after this
	T       Times  `json:"t"`
}

func (z Zone) value() Event { z.Schema = ZoneSchema; return z }
