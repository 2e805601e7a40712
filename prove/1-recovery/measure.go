package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// counts are the things that must not grow.
type counts struct{ goroutines, mats, files int }

func (c counts) String() string {
	return fmt.Sprintf("%d goroutines, %d Mats, %d files", c.goroutines, c.mats, c.files)
}

func count() counts {
	c := counts{goroutines: runtime.NumGoroutine(), mats: pprof.Lookup(matsCount).Count()}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		c.files = len(fds)
	}
	return c
}

// settled counts until the counts are no higher than want or have stood still for a second: connections that were just
// closed take a moment to go.
func settled(want counts) counts {
	last, since := count(), time.Now()
	for time.Since(since) < time.Second {
		time.Sleep(50 * time.Millisecond)
		c := count()
		if want.goroutines > 0 && c.goroutines <= want.goroutines && c.mats <= want.mats && c.files <= want.files {
			return c
		}
		if c != last {
			last, since = c, time.Now()
		}
	}
	return last
}

// residentMB is the resident memory of this process in MB of 10^6 bytes.
func residentMB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	var kb float64
	if _, err := fmt.Sscanf(after, "%f", &kb); err != nil {
		return 0
	}
	return kb * 1024 / 1e6
}

// sample is the memory after one cycle.
type sample struct{ cycle, mb float64 }

// fit is the slope through samples, in MB per cycle: the median of the slopes of all pairs (Theil 1950, Sen 1968), which a heap
// that takes its shape in the first cycles, and single samples that are off by 1 MB, do not move as they move a mean.
func fit(s []sample) float64 {
	var slopes []float64
	for i, a := range s {
		for _, b := range s[:i] {
			slopes = append(slopes, (a.mb-b.mb)/(a.cycle-b.cycle))
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	slices.Sort(slopes)
	return (slopes[(len(slopes)-1)/2] + slopes[len(slopes)/2]) / 2
}
