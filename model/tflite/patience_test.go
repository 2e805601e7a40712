//go:build cgo && !nonative

package tflite

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestPatience gives children up by what they spend, on a machine whose clock is the test's.
func TestPatience(t *testing.T) {
	const limit = 10 * time.Second
	for _, c := range []struct {
		name    string
		plugin  bool
		threads int
		share   float64 // of the processor that the child gets
		waits   bool    // whether it is seen waiting for its turn
		late    int     // looks come so many times later than they should
		after   time.Duration
		want    string
		busy    bool
	}{
		{"a file's child computes without end", false, 1, 1, true, 1, limit, "gave no answer within 10s of processor time", false},
		{"with two threads", false, 2, 2, true, 1, limit, "gave no answer within 10s of processor time", false},
		{"a file's child gets a fifth of a processor", false, 1, 0.2, true, 1, 5 * limit, "gave no answer within 10s of processor time", false},
		{"a file's child gets next to nothing", false, 1, 0.01, true, 1, 12 * limit, "gave no answer within 2m0s, of which it got the processor for 1.2s", true},
		{"a file's child is asleep", false, 1, 0, false, 1, 12 * limit, "gave no answer within 2m0s, of which it got the processor for 0s", true},
		{"a plug-in hangs", true, 1, 0, false, 1, limit, "gave no answer within 10s", false},
		{"a plug-in spins", true, 1, 1, true, 1, limit, "gave no answer within 10s of processor time", false},
		{"a plug-in waits for its turn", true, 1, 0.01, true, 1, 12 * limit, "gave no answer within 2m0s, of which it got the processor for 1.2s", true},
		{"a plug-in is looked at late", true, 1, 0, false, 8, 4 * limit, "gave no answer within 10s", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := patience{limit: limit, threads: c.threads, plugin: c.plugin}
			var err error
			var clock time.Duration
			for err == nil && clock < time.Hour {
				clock += glance * time.Duration(c.late)
				err = p.spend(glance*time.Duration(c.late), state{cpu: time.Duration(c.share * float64(clock)), waits: c.waits})
			}
			if busy := (*busyError)(nil); err == nil || err.Error() != c.want || errors.As(err, &busy) != c.busy {
				t.Errorf("%v, want %s", err, c.want)
			}
			if clock < c.after || clock > c.after+10*glance {
				t.Errorf("after %v, want %v", clock, c.after)
			}
		})
	}
}

// TestLook reads this process's own state: it computes, and what it computes is counted.
func TestLook(t *testing.T) {
	before := look(os.Getpid())
	if !before.waits || before.ended {
		t.Fatalf("this process, which computes, is seen as %+v", before)
	}
	for n := 0; look(os.Getpid()).cpu < before.cpu+50*time.Millisecond; n++ {
		if n > 1e6 {
			t.Fatal("what it computes is not counted")
		}
	}
	if gone := look(1 << 30); !gone.ended {
		t.Errorf("a process that is not there is seen as %+v", gone)
	}
	if _, cpu, ok := parseStat([]byte("7 (a) R 1) D 1 2 3 4 5 6 7 8 9 10 250 50 0 0")); !ok || cpu != 3*time.Second {
		t.Errorf("%v %v", cpu, ok)
	}
}
