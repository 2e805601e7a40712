package runs

import (
	"syscall"
	"time"
)

// Stopwatch measures an epoch: time on the clock and of the processors.
type Stopwatch struct {
	began    time.Time
	cpu      time.Duration
	Pictures int // trained on since it began
}

// NewStopwatch begins now.
func NewStopwatch() *Stopwatch { return &Stopwatch{began: time.Now(), cpu: cpuTime()} }

// Lap is what the pictures took until now.
func (s *Stopwatch) Lap() Timing {
	n := float64(max(1, s.Pictures))
	return Timing{Rate: n / max(s.Seconds(), 1e-9), CPU: float64(cpuTime()-s.cpu) / float64(time.Millisecond) / n, Seconds: s.Seconds()}
}

// Seconds is the time on the clock since it began.
func (s *Stopwatch) Seconds() float64 { return time.Since(s.began).Seconds() }

// cpuTime is the processor time that this process has had, in all its threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
