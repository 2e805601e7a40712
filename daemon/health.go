package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// stuckAfter is how long one frame may take through the pipeline before the daemon no longer calls itself alive. The
// slowest network on the slowest board takes a second.
const stuckAfter = 10 * time.Second

// alive reports whether every pipeline makes progress, and names the first that does not. A camera that is away is no
// reason to restart the daemon: its loop goes on trying, and its status says so.
func alive(stations []*station, now time.Time) error {
	for _, s := range stations {
		if began := s.stepping.Load(); began != 0 {
			if d := now.Sub(time.Unix(0, began)); d > stuckAfter {
				return fmt.Errorf("camera %s: one frame has been in the pipeline for %s", s.spec.Name, d.Round(time.Second))
			}
		}
	}
	return nil
}

// feedWatchdog tells systemd that the daemon is alive, twice per interval of the unit's WatchdogSec, for as long as it
// is. Without a watchdog it returns at once.
func feedWatchdog(ctx context.Context, stations []*station, log *slog.Logger) {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := alive(stations, now); err != nil {
				log.Error("watchdog not fed", "why", err)
				continue
			}
			notify(systemd.SdNotifyWatchdog, log)
		}
	}
}

// notify tells the service manager, if there is one.
func notify(state string, log *slog.Logger) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		log.Warn("service manager not notified", "state", state, "err", err)
	}
}
