package event

// The schemas of the messages about objects.
const (
	ObjectSchema   = "object/1"
	ActSchema      = "act/1"
	LastSchema     = "last/1"
	PresenceSchema = "presence/1"
)

// Verdict is what was decided about an object.
type Verdict string

// The verdicts. Late exists in Object alone: on the act lane, what would be late is not sent.
const (
	Class  Verdict = "class"  // it is of the named class
	Reject Verdict = "reject" // it is not to be sorted: Reason says why
	Unsure Verdict = "unsure" // the votes do not carry a class: Reason says why
	Late   Verdict = "late"   // it was decided after its deadline, so nothing was sent to the actuator
)

// Scored is a class and its probability.
type Scored struct {
	Class string `json:"class"`
	P     Prob   `json:"p"`
}

// Times says when each step was done, in microseconds since the Unix epoch; 0 and absent for a step that did not
// happen. In a replay they come from the frames' clock.
type Times struct {
	Cap int64 `json:"cap"`           // the frame that decided was exposed
	Det int64 `json:"det,omitempty"` // the object was found in it
	Cls int64 `json:"cls,omitempty"` // its last crop was classified, of this frame or one before
	Dec int64 `json:"dec"`           // the verdict was final
	Pub int64 `json:"pub,omitempty"` // handed to the publisher; absent in a replay
}

// Object is the one final record of an object, durable, on cam/<cam>/object.
type Object struct {
	Schema string `json:"schema"` // filled in by Marshal
	ID     string `json:"id"`     // LiveID, or ReplayID in a replay; a reader that sees it twice drops the second
	Seq    uint64 `json:"seq"`    // grows by one per record of this node; a gap is a lost record
	Boot   string `json:"boot,omitempty"`
	Cam    string `json:"cam"`   // the camera's true name
	Track  int64  `json:"track"` // the camera's number for the object
	// Verdict with Class (empty when unsure) and P, the probability of the best class.
	Verdict   Verdict  `json:"verdict"`
	Class     string   `json:"class"`
	P         Prob     `json:"p"`
	Top       []Scored `json:"top"`    // the best classes, most probable first
	Votes     [2]int   `json:"votes"`  // how many crops voted for the class, of how many that were counted
	Reason    string   `json:"reason"` // why reject, unsure or late; empty otherwise
	Box       [4]Frac  `json:"box"`    // x0, y0, x1, y1 in the frame of T.Cap, 0 to 1
	T         Times    `json:"t"`
	AgeMS     Millis   `json:"age_ms,omitzero"`      // T.Pub less T.Cap; absent in a replay
	ActuateAt int64    `json:"actuate_at,omitempty"` // microseconds since the Unix epoch; absent without an actuator
	Model     string   `json:"model"`                // "sha256:…" of the bundle that classified
	Rev       int      `json:"rev"`                  // revision of the configuration in use
	Spooled   bool     `json:"spooled"`              // sent again or sent late, from the store
}

func (o Object) value() Event {
	o.Schema = ObjectSchema
	if o.Top == nil {
		o.Top = []Scored{}
	}
	return o
}

// Act is the live verdict for an actuator, on cam/<cam>/act: never stored, never sent again, dropped when the broker
// is away, because a stale command to a gate does harm.
type Act struct {
	Schema  string  `json:"schema"` // filled in by Marshal
	ID      string  `json:"id"`     // that of the Object
	Boot    string  `json:"boot,omitempty"`
	Cam     string  `json:"cam"`
	Track   int64   `json:"track"`
	Verdict Verdict `json:"verdict"` // class, reject or unsure
	Class   string  `json:"class"`
	P       Prob    `json:"p"`
	Reason  string  `json:"reason"`
	T       Times   `json:"t"`
	AgeMS   Millis  `json:"age_ms,omitzero"`
	// ActuateAt is the deadline: when the actuator is to act, in microseconds since the Unix epoch. Who reads it later
	// than that must not act. Absent where no distance to an actuator is configured.
	ActuateAt int64 `json:"actuate_at,omitempty"`
}

func (a Act) value() Event { a.Schema = ActSchema; return a }

// Last is the last verdict of a camera for a screen, retained on cam/<cam>/last.
type Last struct {
	Schema  string   `json:"schema"` // filled in by Marshal
	ID      string   `json:"id"`     // that of the Object
	Cam     string   `json:"cam"`
	Track   int64    `json:"track"`
	Verdict Verdict  `json:"verdict"`
	Class   string   `json:"class"`
	P       Prob     `json:"p"`
	Top     []Scored `json:"top"`
	Reason  string   `json:"reason"`
	Box     [4]Frac  `json:"box"`
	T       Times    `json:"t"`
}

func (l Last) value() Event {
	l.Schema = LastSchema
	if l.Top == nil {
		l.Top = []Scored{}
	}
	return l
}

// Act is the live command that belongs to the record.
func (o Object) Act() Act {
	return Act{ID: o.ID, Boot: o.Boot, Cam: o.Cam, Track: o.Track, Verdict: o.Verdict, Class: o.Class, P: o.P,
		Reason: o.Reason, T: o.T, AgeMS: o.AgeMS, ActuateAt: o.ActuateAt}
}

// Last is the screen's message that belongs to the record.
func (o Object) Last() Last {
	return Last{ID: o.ID, Cam: o.Cam, Track: o.Track, Verdict: o.Verdict, Class: o.Class, P: o.P, Top: o.Top,
		Reason: o.Reason, Box: o.Box, T: o.T}
}

// Phase is a step of a visit at a kiosk.
type Phase string

// The phases of a visit, in their order.
const (
	Entered Phase = "entered"
	Decided Phase = "verdict"
	Left    Phase = "left"
)

// Presence tells a kiosk that somebody came, was classified, went; on cam/<cam>/presence.
type Presence struct {
	Schema  string  `json:"schema"` // filled in by Marshal
	ID      string  `json:"id"`     // one for the whole visit, that of the Object
	Boot    string  `json:"boot,omitempty"`
	Cam     string  `json:"cam"`
	Track   int64   `json:"track"`
	Phase   Phase   `json:"phase"`
	At      int64   `json:"at"`                // microseconds since the Unix epoch
	Verdict Verdict `json:"verdict,omitempty"` // from Decided on
	Class   string  `json:"class,omitempty"`
	P       Prob    `json:"p,omitzero"`
	DwellMS Millis  `json:"dwell_ms,omitzero"` // how long the visit has lasted
}

func (p Presence) value() Event { p.Schema = PresenceSchema; return p }
