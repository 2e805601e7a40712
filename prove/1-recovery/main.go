// Command 1-recovery shows the recovery line of the first issue: RTSP and HTTP sources that close, go silent and come
// back at another size, 50 times each; frames again within 5 s each time; no growth in goroutines, Mats, slots and file
// descriptors; a slope of the resident memory under 0.5 MB per 50 cycles. Recovery of brokers and bundles is shown
// elsewhere.
//
// The cameras are real ones of package daemon over package capture/cv. The servers and the gates that lose them run in a
// process of their own, so that what grows here is the cameras'. The program builds itself anew with the tag matprofile,
// without which gocv does not count Mats.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"gleaner/capture/capturetest"
)

const (
	bar       = "50 cycles each of RTSP and HTTP, frames within 5 s each, no growth in goroutines, Mats, slots and files, RSS slope < 0.5 MB per 50 cycles"
	maxWait   = 5 * time.Second
	maxSlope  = 0.5 // MB per 50 cycles
	perKind   = 50
	warmUp    = 7  // cycles before growth is measured: a round of all faults
	quick     = 15 // short cuts before those, until the allocator has its shape
	more      = 50 // short cuts after the cycles, for the slope alone: single samples scatter by 1 MB
	matsCount = "gocv.io/x/gocv.Mat"
)

func main() {
	serving := flag.Bool("serve", false, "be the process with the servers")
	cycles := flag.Int("cycles", perKind, "cycles for each kind after the warm-up")
	flag.Parse()
	if *serving {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "serve:", err)
			os.Exit(1)
		}
		return
	}
	if pprof.Lookup(matsCount) == nil {
		os.Exit(again())
	}
	figure, ok, err := prove(*cycles)
	word := "PASS"
	if err != nil || !ok {
		word = "FAIL"
	}
	if err != nil {
		figure = fmt.Sprintf("%s; %v", cmp.Or(figure, "none"), err)
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

// again runs this program with Mats counted and returns its exit code.
func again() int {
	cmd := exec.Command("go", append([]string{"run", "-tags", "matprofile", "./prove/1-recovery"}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			fmt.Printf("FIGURE none: %v BAR %s FAIL\n", err, bar)
		}
		return 1
	}
	return 0
}

// prove runs all cycles of both kinds side by side.
func prove(cycles int) (figure string, ok bool, err error) {
	before := runtime.NumGoroutine()
	srv, err := startServer()
	if err != nil {
		return "", false, err
	}
	defer func() { err = errors.Join(err, srv.close()) }()
	var lanes []*lane
	for _, kind := range kinds {
		l, err := newLane(kind, srv)
		if err != nil {
			return "", false, err
		}
		lanes = append(lanes, l)
	}
	if err := cuts(lanes, quick, nil); err != nil {
		return "", false, errors.Join(err, closeLanes(lanes))
	}
	var rss []sample
	var atBegin counts
	var worst time.Duration
	for i := range warmUp + cycles {
		if err := everyLane(lanes, func(l *lane) (time.Duration, error) { return l.cycle(i) }, &worst); err != nil {
			return "", false, errors.Join(err, closeLanes(lanes))
		}
		if i == warmUp-1 {
			worst = 0
			atBegin = settled(counts{})
		}
		if i >= warmUp-1 && lanes[0].size == 0 { // frames of one size only: memory can be compared
			rss = append(rss, measure(i))
		}
		if (i+1)%len(capturetest.Faults()) == 0 {
			fmt.Printf("cycle %d: %v, %.2f MB\n", i+1, count(), residentMB())
		}
	}
	if err := cuts(lanes, more, func(i int) { rss = append(rss, measure(warmUp+cycles+i)) }); err != nil {
		return "", false, errors.Join(err, closeLanes(lanes))
	}
	atEnd := settled(atBegin)
	slope := 50 * fit(rss)
	fmt.Printf("samples of cycle and MB: %.2f\n", rss)
	if err := closeLanes(lanes); err != nil {
		return "", false, err
	}
	left := settled(counts{goroutines: before + 1}) // the reader of the server's answers
	grown := atEnd.goroutines > atBegin.goroutines || atEnd.mats > atBegin.mats || atEnd.files > atBegin.files
	leaked := left.mats > 0 || left.goroutines > before+1
	fmt.Printf("after the warm-up: %v; at the end: %v; all closed: %v\n", atBegin, atEnd, left)
	figure = fmt.Sprintf("%d cycles each, slowest frame %.2f s, goroutines %+d, Mats %+d, files %+d, all slots free, Mats left %d, RSS %+.2f MB per 50 cycles",
		cycles, worst.Seconds(), atEnd.goroutines-atBegin.goroutines, atEnd.mats-atBegin.mats, atEnd.files-atBegin.files, left.mats, slope)
	return figure, worst < maxWait && !grown && !leaked && slope < maxSlope && cycles >= perKind, nil
}

// cuts loses all cameras for a moment, n times, and tells after every second.
func cuts(lanes []*lane, n int, tell func(i int)) error {
	for i := range n {
		if err := everyLane(lanes, (*lane).cut, new(time.Duration)); err != nil {
			return err
		}
		if tell != nil && i%2 == 1 {
			tell(i)
		}
	}
	return nil
}

// measure takes one sample of the memory.
func measure(cycle int) sample {
	time.Sleep(500 * time.Millisecond) // until every slot holds a frame of the present size
	debug.FreeOSMemory()
	return sample{float64(cycle), residentMB()}
}

// everyLane does one thing in all lanes at once and keeps the longest wait.
func everyLane(lanes []*lane, do func(*lane) (time.Duration, error), worst *time.Duration) error {
	took, errs := make([]time.Duration, len(lanes)), make([]error, len(lanes))
	var wg sync.WaitGroup
	for k, l := range lanes {
		wg.Go(func() { took[k], errs[k] = do(l) })
	}
	wg.Wait()
	*worst = max(*worst, slices.Max(took))
	return errors.Join(errs...)
}

func closeLanes(lanes []*lane) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, l := range lanes {
		errs = append(errs, l.close(ctx))
	}
	return errors.Join(errs...)
}
