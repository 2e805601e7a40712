package daemon

import (
	"context"
	"fmt"
	"time"
)

// begin starts the stall clock and returns the context for the session's reads.
func (c *Camera) begin(ctx context.Context) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.giveUp != nil {
		c.giveUp()
	}
	ctx, c.giveUp = context.WithCancel(ctx)
	c.last = time.Now()
	return ctx
}

// end stops the stall clock.
func (c *Camera) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveUp()
	c.giveUp, c.last = nil, time.Time{}
}

// arrived notes a frame.
func (c *Camera) arrived(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = now
	if c.status.State != Online {
		c.setLocked(Online, "")
	}
}

// clock sets when the wait for the next frame began; the zero time stops the stall clock.
func (c *Camera) clock(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = t
}

// watch says that the camera stalled while its read blocks, and tells the source to give up if it can.
func (c *Camera) watch(ctx context.Context) {
	tick := time.NewTicker(max(c.o.Stall/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.check(now)
		}
	}
}

func (c *Camera) check(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.IsZero() || now.Sub(c.last) < c.o.Stall || c.status.State == Stalled {
		return
	}
	c.stalls.Add(1)
	c.setLocked(Stalled, fmt.Sprintf("connected, but no frame for %v", c.o.Stall))
	c.giveUp()
}
