// Command 2-gradients proves that the training engine differentiates: every operator and every network against central
// differences in float64, gorgonia's TapeMachine on the same graphs, the optimisers against their rules written out, and the
// oneDNN backend against the reference.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/onednn"
)

const (
	gradientBar  = 1e-6  // of gradients against differences, float64
	tapeBar      = 1e-5  // of the TapeMachine in float32 against the reference in float64
	optimiserBar = 1e-12 // of optimisers against the written-out rules, float64
	nativeBar    = 1e-4  // of oneDNN in float32 against the reference in float64
)

// line shows one comparison.
const line = "%-10s %-82s %.1e"

const bar = "gradients 1e-6, tape 1e-5, optimisers 1e-12, onednn 1e-4"

func main() {
	err := onednn.Passive()
	var figure string
	if err == nil {
		figure, err = run()
	}
	if err != nil {
		fmt.Printf("FIGURE %s: %s BAR %s FAIL\n", figure, strings.ReplaceAll(err.Error(), "\n", "; "), bar)
		os.Exit(1)
	}
	fmt.Printf("FIGURE %s BAR %s PASS\n", figure, bar)
}

// run does all of it, even where something fails, so that one run tells everything.
func run() (figure string, err error) {
	var parts []string
	var errs []error
	for _, f := range []func() (*score, error){operators, nets, tape, optimisers, native, steps} {
		s, err := f()
		parts = append(parts, s.String())
		errs = append(errs, err, s.err())
	}
	return strings.Join(parts, ", "), errors.Join(errs...)
}

// score is the worst of several comparisons.
type score struct {
	what  string
	bar   float64
	n     int
	worst float64
	where string
}

func (s *score) note(worst float64, where string) {
	s.n++
	if worst > s.worst || s.where == "" {
		s.worst, s.where = worst, where
	}
}

func (s *score) String() string { return fmt.Sprintf("%d %s %.1e", s.n, s.what, s.worst) }

func (s *score) err() error {
	if s.n > 0 && s.worst <= s.bar {
		return nil
	}
	return fmt.Errorf("%s at %s", s, s.where)
}

// each calls f with every case's network, and notes what f finds. A case that f has nothing to say of is not counted.
func (s *score) each(f func(c enginetest.Case, n *enginetest.Net) (worst float64, where string, counts bool, err error)) error {
	for _, c := range enginetest.Cases() {
		n, err := c.Net()
		if err != nil {
			return err
		}
		worst, where, counts, err := f(c, n)
		if err != nil {
			return err
		}
		if counts {
			fmt.Printf(line+"\n", strings.Fields(s.what)[0], c.Name, worst)
			s.note(worst, where)
		}
	}
	return nil
}

// operators are compared element by element. Gradients that are not derivatives by definition, of rounding and of ties, and
// evaluations, which have none, are left to the other comparisons.
func operators() (*score, error) {
	s := &score{what: "operator cases", bar: gradientBar}
	return s, s.each(func(c enginetest.Case, n *enginetest.Net) (float64, string, bool, error) {
		if c.Stepped || n.Params == nil {
			return 0, "", false, nil
		}
		worst, where, err := enginetest.CheckGradients(n, enginetest.Differences{})
		return worst, where, true, err
	})
}

// nets are compared at an element of each parameter and along a direction of all its elements.
func nets() (*score, error) {
	s := &score{what: "networks", bar: gradientBar}
	for _, c := range networks {
		n, err := c.net()
		if err != nil {
			return s, err
		}
		began := time.Now()
		worst, where, err := enginetest.CheckGradients(n, enginetest.Differences{Elements: 1, Directions: 1})
		if err != nil {
			return s, err
		}
		fmt.Printf(line+" (%d parameters, %.0f s)\n", "network", n.Name, worst, len(n.Params), time.Since(began).Seconds())
		s.note(worst, where)
	}
	return s, nil
}

func tape() (*score, error) {
	s := &score{what: "cases on the TapeMachine", bar: tapeBar}
	return s, s.each(func(c enginetest.Case, n *enginetest.Net) (float64, string, bool, error) {
		if c.Wide || n.Loss != nil && n.Params == nil {
			return 0, "", false, nil // float32 has not the digits; an update is no part of the graph
		}
		want, err := enginetest.Oracle(n)
		if err != nil {
			return 0, "", false, err
		}
		got, err := enginetest.Tape(n)
		if err != nil {
			return 0, "", false, err
		}
		worst, where := enginetest.Differ(got, want.First(len(n.Program.Outputs)))
		return worst, n.Name + ": " + where, true, nil
	})
}

func optimisers() (*score, error) {
	s := &score{what: "optimisers", bar: optimiserBar}
	return s, enginetest.CheckOptimisers(s.note)
}

// native compares the outputs, gradients and variables of all cases and of the networks that are not deep.
func native() (*score, error) {
	s := &score{what: "cases and networks on onednn", bar: nativeBar}
	return s, withNative(func(b engine.Backend) error {
		compare := func(n *enginetest.Net) error {
			worst, where, err := enginetest.Compare(n, b)
			fmt.Printf(line+"\n", "onednn", n.Name, worst)
			s.note(worst, where)
			return err
		}
		for _, c := range enginetest.Cases() {
			n, err := c.Net()
			if err == nil && !c.Wide {
				err = compare(n)
			}
			if err != nil {
				return err
			}
		}
		for _, c := range networks {
			n, err := c.net()
			if err == nil && c.train.Quantise == 0 && !c.deep { // float32 has not the digits of 48 bits
				err = compare(n)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// steps compares the outputs of the deep networks, and each step of every network by itself.
func steps() (*score, error) {
	s := &score{what: "deep networks' outputs and networks' single steps on onednn", bar: nativeBar}
	return s, withNative(func(b engine.Backend) error {
		for _, c := range networks {
			n, err := c.net()
			if err != nil {
				return err
			}
			if c.train.Quantise > 0 {
				continue
			}
			if c.deep {
				if err := s.outputs(n, b); err != nil {
					return err
				}
			}
			worst, where, err := enginetest.CompareSteps(n, b)
			if err != nil {
				return err
			}
			fmt.Printf(line+"\n", "onednn", n.Name+", each step", worst)
			s.note(worst, where)
		}
		return nil
	})
}

// outputs compares a network's outputs, and shows how far the gradients are off.
func (s *score) outputs(n *enginetest.Net, b engine.Backend) error {
	want, err := enginetest.Oracle(n)
	if err != nil {
		return err
	}
	got, err := enginetest.Run(n, b)
	if err != nil {
		return err
	}
	all, _ := enginetest.Differ(got, want)
	k := len(n.Program.Outputs)
	worst, where := enginetest.Differ(got.First(k), want.First(k))
	fmt.Printf(line+" (%.1e with the gradients)\n", "onednn", n.Name+", outputs", worst, all)
	s.note(worst, n.Name+": "+where)
	return nil
}

func withNative(f func(b engine.Backend) error) error {
	b, err := onednn.New(onednn.Options{})
	if err != nil {
		return err
	}
	return errors.Join(f(b), b.Close())
}
