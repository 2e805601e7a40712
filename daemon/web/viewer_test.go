package web

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gleaner/capture"
)

func TestWantedFiveTimesASecondWhileSomebodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newViewer(new(atomic.Uint64))
		if v.Wanted() {
			t.Error("wanted before anybody looked")
		}
		v.ask()
		shown := 0
		for range 150 { // 5 s at 30 frames a second
			if v.Wanted() {
				v.Show(capture.NewImage(4, 4), nil)
				shown++
			}
			time.Sleep(time.Second / 30)
		}
		if shown < 12 || shown > 15 { // of 3 s, after which nobody looks
			t.Errorf("shown %d times", shown)
		}
		if v.Wanted() {
			t.Error("wanted though nobody looks any more")
		}
	})
}
