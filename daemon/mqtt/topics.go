package mqtt

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gleaner/daemon/event"
)

const version = "v1" // rises together with a breaking change of a schema

// Topics makes the names of the device's topics, <prefix>/v1/<site>/<node>/….
type Topics struct{ base string }

// NewTopics is the topics of one device. A '/' in prefix separates levels; in every other name it is escaped.
func NewTopics(prefix, site, node string) Topics {
	var b strings.Builder
	for level := range strings.SplitSeq(strings.Trim(prefix, "/"), "/") {
		b.WriteString(Escape(level))
		b.WriteByte('/')
	}
	return Topics{b.String() + version + "/" + Escape(site) + "/" + Escape(node) + "/"}
}

// Availability, Info and Metrics are the topics of the device; the others belong to a camera or a command.
func (t Topics) Availability() string { return t.base + "availability" }

// Info says what runs on the device.
func (t Topics) Info() string { return t.base + "info" }

// Metrics carries the device's numbers.
func (t Topics) Metrics() string { return t.base + "metrics" }

// Cam is a topic of a camera: what is "status", "act", "object", "last", "presence" or "crop".
func (t Topics) Cam(cam, what string) string { return t.base + "cam/" + Escape(cam) + "/" + what }

// Count is where the count of a class is retained.
func (t Topics) Count(cam, class string) string { return t.Cam(cam, "count/"+Escape(class)) }

// Line is where the crossings of a line are reported.
func (t Topics) Line(cam, line string) string { return t.Cam(cam, "line/"+Escape(line)) }

// Zone is where the coming and going in a zone is reported.
func (t Topics) Zone(cam, zone string) string { return t.Cam(cam, "zone/"+Escape(zone)) }

// Command is where a command comes in.
func (t Topics) Command(verb string) string { return t.base + "cmd/" + Escape(verb) }

// Commands is the filter for all of them.
func (t Topics) Commands() string { return t.base + "cmd/+" }

// Result is where the answer goes.
func (t Topics) Result(verb string) string { return t.Command(verb) + "/result" }

// All is the filter for everything the device says.
func (t Topics) All() string { return t.base + "#" }

// Verb is the verb of a command's topic, and false for any other topic.
func (t Topics) Verb(topic string) (string, bool) {
	level, ok := strings.CutPrefix(topic, t.base+"cmd/")
	if !ok || strings.Contains(level, "/") {
		return "", false
	}
	verb, err := Unescape(level)
	return verb, err == nil && verb != ""
}

// Of is where an event goes; empty for one that has no topic.
func (t Topics) Of(e event.Event) string {
	switch e := event.Value(e).(type) {
	case event.Object:
		return t.Cam(e.Cam, "object")
	case event.Act:
		return t.Cam(e.Cam, "act")
	case event.Last:
		return t.Cam(e.Cam, "last")
	case event.Presence:
		return t.Cam(e.Cam, "presence")
	case event.Crossing:
		return t.Line(e.Cam, e.Line)
	case event.Zone:
		return t.Zone(e.Cam, e.Zone)
	case event.Crop:
		return t.Cam(e.Cam, "crop")
	case event.Status:
		return t.Cam(e.Cam, "status")
	case event.Count:
		return t.Count(e.Cam, e.Class)
	case event.Info:
		return t.Info()
	case event.Availability:
		return t.Availability()
	case event.Metrics:
		return t.Metrics()
	case event.CommandResult:
		return t.Result(e.Verb)
	}
	return ""
}

// Escape turns any name into one topic level. The rule: a byte is written as '%' and two upper-case hexadecimal digits
// (RFC 3986, section 2.1) when it belongs to
//
//   - '%', '/', '+', '#', '$' or the space;
//   - a control character, U+0000 to U+001F and U+007F to U+009F;
//   - a code point that is no character, U+FDD0 to U+FDEF and every U+xxFFFE and U+xxFFFF;
//   - bytes that are not UTF-8.
//
// Everything else, Korean letters among it, stays as it is: topics are UTF-8 (MQTT 3.1.1, sections 1.5.3 and 4.7; brokers
// refuse the second and third group). The empty name is a single '%', which nothing else gives, because an empty level
// gets lost in too many tools. Names that differ give levels that differ, and Unescape gives the name back.
func Escape(name string) string {
	if name == "" {
		return "%"
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if reserved(r) || r == utf8.RuneError && n == 1 {
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

func reserved(r rune) bool {
	switch {
	case r <= ' ', r >= 0x7f && r <= 0x9f, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true
	}
	return strings.ContainsRune("%/+#$", r)
}

// Unescape is the name that Escape made the level from. It fails on a '%' without two hexadecimal digits behind it.
func Unescape(level string) (string, error) {
	if level == "%" {
		return "", nil
	}
	var b strings.Builder
	for i := 0; i < len(level); i++ {
		if level[i] != '%' {
			b.WriteByte(level[i])
			continue
		}
		if i+2 >= len(level) {
			return "", fmt.Errorf("topic level %q: '%%' at its end", level)
		}
		hi, lo := hexDigit(level[i+1]), hexDigit(level[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("topic level %q: %q is no escape", level, level[i:i+3])
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
