package mqtt_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gleaner/daemon/event"
	"gleaner/daemon/mqtt"
)

func TestEscape(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":            {"belt-1", "belt-1"},
		"Korean":           {"벨트", "벨트"},
		"Korean, space":    {"벨트 하나", "벨트%20하나"},
		"slash":            {"a/b", "a%2Fb"},
		"wildcards":        {"+#", "%2B%23"},
		"percent":          {"100%", "100%25"},
		"looks escaped":    {"a%2Fb", "a%252Fb"},
		"system":           {"$SYS", "%24SYS"},
		"NUL and newline":  {"a\x00b\n", "a%00b%0A"},
		"C1 control":       {"a\u0085b", "a%C2%85b"},
		"no character":     {"a\uffffb", "a%EF%BF%BFb"},
		"not UTF-8":        {"a\xffb", "a%FFb"},
		"replacement rune": {"a\uFFFDb", "a\uFFFDb"},
		"emoji":            {"😀", "😀"},
		"empty":            {"", "%"},
	} {
		t.Run(name, func(t *testing.T) {
			got := mqtt.Escape(c.in)
			if got != c.want {
				t.Errorf("Escape(%q) = %q, want %q", c.in, got, c.want)
			}
			if back, err := mqtt.Unescape(got); err != nil || back != c.in {
				t.Errorf("Unescape(%q) = %q, %v", got, back, err)
			}
		})
	}
	for _, bad := range []string{"a%", "a%2", "%zz", "%%"} {
		if s, err := mqtt.Unescape(bad); err == nil {
			t.Errorf("Unescape(%q) = %q", bad, s)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"belt-1", "벨트/1 +#", "", "%", "%2F", "$SYS", "\x00\xff", "\ufdd0", "a//b", "\u200b"} {
		f.Add(s, s+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ea := mqtt.Escape(a)
		if back, err := mqtt.Unescape(ea); err != nil || back != a {
			t.Fatalf("%q → %q → %q, %v", a, ea, back, err)
		}
		if ea == "" || strings.ContainsAny(ea, "/+#$ \x00") || !utf8.ValidString(ea) {
			t.Fatalf("%q → %q is no topic level", a, ea)
		}
		if (a == b) != (ea == mqtt.Escape(b)) {
			t.Fatalf("%q and %q share a level", a, b)
		}
	})
}

func TestTopics(t *testing.T) {
	tp := mqtt.NewTopics("plant/gleaner", "공장 1", "line/3")
	base := "plant/gleaner/v1/공장%201/line%2F3/"
	for want, e := range map[string]event.Event{
		"cam/a%2Fb/object":           event.Object{Cam: "a/b"},
		"cam/a%2Fb/act":              event.Act{Cam: "a/b"},
		"cam/벨트/last":                event.Last{Cam: "벨트"},
		"cam/belt/presence":          event.Presence{Cam: "belt"},
		"cam/belt/line/문%20%2F%23":   event.Crossing{Cam: "belt", Line: "문 /#"},
		"cam/belt/zone/%2B":          event.Zone{Cam: "belt", Zone: "+"},
		"cam/a%2Fb/crop":             event.Crop{Cam: "a/b"},
		"cam/belt/status":            event.Status{Cam: "belt"},
		"cam/belt/count/유리%20%2F%23": event.Count{Cam: "belt", Class: "유리 /#"},
		"info":                       event.Info{},
		"availability":               event.AvailOnline,
		"metrics":                    &event.Metrics{},
		"cmd/models-use/result":      event.CommandResult{Verb: "models-use"},
	} {
		if got := tp.Of(e); got != base+want {
			t.Errorf("%T goes to %s, want %s", e, got, base+want)
		}
	}
	for topic, want := range map[string]string{
		base + "cmd/ping": "ping", base + "cmd/models%2Duse": "models-use",
		base + "cmd/ping/result": "", base + "cmd/": "", base + "cmd/%": "", base + "cam/ping": "", "cmd/ping": "",
		base + "cmd/%f": "",
	} {
		if got, ok := tp.Verb(topic); got != want && ok || ok != (want != "") {
			t.Errorf("%s is the verb %q, %v", topic, got, ok)
		}
	}
	if !regexp.MustCompile(`^[^+]*cmd/\+$`).MatchString(tp.Commands()) {
		t.Error(tp.Commands())
	}
}
