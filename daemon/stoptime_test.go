package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestForMessages: whatever the loops took of the stop, some of it is left when the last messages are over.
func TestForMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ left, want time.Duration }{
			{ShutdownTime, messageTime},
			{ShutdownTime - loopTime, ShutdownTime - loopTime - restTime},
			{restTime / 2, -restTime / 2},
		} {
			stop, end := context.WithTimeout(t.Context(), c.left)
			ctx, cancel := forMessages(stop)
			if until, ok := ctx.Deadline(); !ok || time.Until(until) != c.want {
				t.Errorf("with %v left the messages get %v, want %v", c.left, time.Until(until), c.want)
			}
			cancel()
			end()
		}
	})
}
