package decide

import "testing"

// TestUnknown leaves an object unsure whose crops, on the whole, look like nothing that was taught, however sure the classes are.
func TestUnknown(t *testing.T) {
	labels := []string{"glass", "can"}
	on := strict()
	on.Unknown, on.Votes, on.MinVotes, on.Early = true, 3, 1, 0.5
	off := on
	off.Unknown = false
	for _, c := range []struct {
		name     string
		o        Options
		familiar []float32
		reason   string
		final    bool
	}{
		{"familiar", on, []float32{0.1, 0.2}, ReasonClear, true},
		{"nobody can tell", on, []float32{0, 0}, ReasonClear, true},
		{"exactly at the threshold", on, []float32{0.25, -0.25}, ReasonClear, true},
		{"one strange crop among familiar ones", on, []float32{0.2, -0.1, 0.2}, ReasonClear, true},
		{"one strange crop is no verdict yet", on, []float32{-0.3}, ReasonUnknown, false},
		{"strange to the end", on, []float32{-0.3, -0.3, 0.1}, ReasonUnknown, true},
		{"strange, and nobody minds", off, []float32{-0.3}, ReasonClear, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Ballot
			b.Reset(2)
			for _, f := range c.familiar {
				b.Vote(t0, one(2, 0, 0.99), f, c.o)
			}
			v := b.Verdict(c.o, labels)
			if v.Reason != c.reason || (v.Kind == Class) != (c.reason == ReasonClear) || v.Class != 0 {
				t.Errorf("the verdict is %+v, wanted the reason %s", v, c.reason)
			}
			if got := b.Final(c.o, labels); got != c.final {
				t.Errorf("final is %t", got)
			}
		})
	}
	var b Ballot
	b.Reset(2)
	b.Vote(t0, one(2, 0, 0.99), -1, on)
	b.Reset(2)
	b.Vote(t0, one(2, 0, 0.99), 0, on)
	if v := b.Verdict(on, labels); v.Reason != ReasonClear {
		t.Errorf("after a reset the familiarity of the object before still counts: %+v", v)
	}
}
