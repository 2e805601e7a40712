// Command 1-belt proves that the pipeline counts and sorts what the drawn belt carries: 500 garments, one in ten
// touching its neighbour, with stops and reversals. The count is off by 1 % at most, no garment is reported twice, and the
// share of right verdicts is at most 2 points below the same bundle's on the same garments as still pictures.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gleaner/prove/internal/belt"
)

const bar = "count error at most 1 %, none twice, right at most 2 points below stills"

func main() {
	count := flag.Int("count", 500, "garments")
	models := flag.String("classify", "garments", "classifier bundle; empty: only count")
	seed := flag.Uint64("seed", 1, "of the belt: which garments, where")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *count, *seed, *models); err != nil {
		fmt.Printf("FIGURE %v BAR %s FAIL\n", err, bar)
		os.Exit(1)
	}
}

func run(ctx context.Context, count int, seed uint64, models string) error {
	spec := belt.Camera(count, seed)
	if models != "" {
		spec.Classify.Models = []string{models}
	}
	o, err := belt.Run(ctx, spec)
	if err != nil {
		return err
	}
	return judge(count, o)
}

// judge prints the figure, and fails below the bar.
func judge(count int, o *belt.Outcome) error {
	right := o.Right()
	pass := o.Objects == count && o.CountError() <= 0.01 && o.Doubled == 0 && right >= o.Still-0.02 && o.Still > 0
	word := map[bool]string{true: "PASS", false: "FAIL"}[pass]
	fmt.Printf("FIGURE %d garments, %d reported (%d missed, %d twice, %d of nothing): count error %.1f %%; right %.1f %%, "+
		"as stills %.1f %% BAR %s %s\n", o.Objects, o.Reports, o.Missed, o.Doubled, o.Stray, 100*o.CountError(),
		100*right, 100*o.Still, bar, word)
	if !pass {
		os.Exit(1)
	}
	return nil
}
