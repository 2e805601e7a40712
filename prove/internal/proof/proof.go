// Package proof is what the proofs have in common: how one begins, says its figure and ends.
package proof

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gleaner/train/engine/onednn"
)

// ErrShort says that a figure is below its bar, which the figure itself shows.
var ErrShort = errors.New("below the bar")

// Main runs a proof, prints its figure and its bar, and ends the process with 1 where it fell short. An error says why, beside what
// figure there is.
func Main(bar string, prove func(ctx context.Context, dir string) (figure string, err error)) {
	os.Exit(run(bar, prove))
}

func run(bar string, prove func(ctx context.Context, dir string) (string, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := onednn.Passive(); err != nil {
		fmt.Println(err)
	}
	dir, err := os.MkdirTemp("", "prove")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	figure, err := prove(ctx, dir)
	figure = strings.Join(strings.Fields(figure), " ") // the table reads one line
	if err == nil {
		fmt.Printf("FIGURE %s BAR %s PASS\n", figure, bar)
		return 0
	}
	if !errors.Is(err, ErrShort) {
		figure = strings.TrimPrefix(figure+"; short: "+strings.Join(strings.Fields(err.Error()), " "), "; ")
	}
	fmt.Printf("FIGURE %s BAR %s FAIL\n", figure, bar)
	return 1
}

// Used is what this process has had of the processors, in seconds, user and system; infinite where that cannot be told.
func Used() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.Inf(1)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
