// Command 2-xla proves what the XLA backend emits: every operator case and every network as one StableHLO program, forward,
// backward and update, is run in plain Go and agrees with the reference at each step. Where a CUDA plug-in is found, the card
// runs a network too, beside the reference.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/xla"
	"gleaner/train/engine/xla/hlotest"
)

const (
	tolerance = 1e-4 // of the emitted text against the reference in float64, relative to each array's greatest
	cardBar   = 1e-3 // of the losses of a card in float32 against the reference
	bar       = "1e-4 at each step, on a card 1e-3"
)

func main() {
	xla.ProbeChild()
	figure, err := run()
	if err != nil {
		fmt.Printf("FIGURE %s: %s BAR %s FAIL\n", figure, strings.ReplaceAll(err.Error(), "\n", "; "), bar)
		os.Exit(1)
	}
	fmt.Printf("FIGURE %s BAR %s PASS\n", figure, bar)
}

// run does all of it, even where something fails, so that one run tells everything.
func run() (figure string, err error) {
	exact, single := hlotest.NewExact(), hlotest.New(xla.Float32)
	defer exact.Close()
	defer single.Close()
	s := &score{}
	err = errors.Join(s.cases(single), s.networks(exact, single))
	if !(s.worst <= tolerance) {
		err = errors.Join(err, fmt.Errorf("worst at %s", s.where))
	}
	card, failed := onCard()
	return fmt.Sprintf("%d programs, %d steps, and each operator of %d networks, as StableHLO run in plain Go: off by %.1e at most; %s",
			s.programs, s.steps, len(networks), s.worst, card),
		errors.Join(err, failed)
}

// score counts what was compared, and keeps the worst.
type score struct {
	programs, steps int
	worst           float64
	where           string
}

func (s *score) note(what string, worst float64, where string) {
	fmt.Printf("%-100s %.1e\n", what, worst)
	if !(worst <= s.worst) {
		s.worst, s.where = worst, where
	}
}

// cases compares outputs, gradients and variables of every operator case. What float32 has not the digits for is left out.
func (s *score) cases(b engine.Backend) error {
	for _, c := range enginetest.Cases() {
		if c.Wide {
			continue
		}
		n, err := c.Net()
		if err != nil {
			return err
		}
		worst, where, err := enginetest.Compare(n, b)
		if err != nil {
			return err
		}
		s.programs++
		s.steps += len(n.Runs)
		s.note(c.Name, worst, where)
	}
	return nil
}
