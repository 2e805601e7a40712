package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
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

// fit is the slope of the least-squares line through the samples, in MB per cycle.
func fit(s []sample) float64 {
	var mx, my float64
	for _, p := range s {
		mx += p.cycle / float64(len(s))
		my += p.mb / float64(len(s))
	}
	var xy, xx float64
	for _, p := range s {
		xy += (p.cycle - mx) * (p.mb - my)
		xx += (p.cycle - mx) * (p.cycle - mx)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
