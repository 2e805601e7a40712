//go:build cgo && !nonative

package cv

import (
	"context"
	"time"
)

// pacer holds a clip's frames back until their time, or stamps them with the clip's own clock.
type pacer struct {
	live  bool
	start time.Time // wall clock of the clip's time 0
	timer *time.Timer
}

func newPacer(live bool) *pacer { return &pacer{live: live} }

// maxLag is how far a paced clip may fall behind before its clock is set anew instead of racing to catch up.
const maxLag = time.Second

// wait returns the time of the frame that lies at after the clip's begin. Fast: that long after the Unix epoch, so that
// a replay is the same whenever it runs. Live: it sleeps until the frame is due and returns the zero time, as a camera
// does.
func (p *pacer) wait(ctx context.Context, at time.Duration) (time.Time, error) {
	if !p.live {
		return time.Unix(0, 0).UTC().Add(at), nil
	}
	now := time.Now()
	due := p.start.Add(at)
	if p.start.IsZero() || now.Sub(due) > maxLag {
		p.start = now.Add(-at)
		return time.Time{}, nil
	}
	if d := due.Sub(now); d > 0 {
		if p.timer == nil {
			p.timer = time.NewTimer(d)
		} else {
			p.timer.Reset(d)
		}
		select {
		case <-p.timer.C:
		case <-ctx.Done():
			p.timer.Stop()
			return time.Time{}, ctx.Err()
		}
	}
	return time.Time{}, nil
}
