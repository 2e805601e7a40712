// Command 2-known proves that the engine learns what PyTorch learns: five networks trained for 50 steps from the same weights
// on the same batches have the losses that Debian's python3-torch had, on every device of this machine. The table is
// golden.csv, and bench/known/known.py makes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"gleaner/train/device"
	options "gleaner/train/recipe"
)

// bar is how far a loss may be from PyTorch's at any step.
const bar = 1e-3

func main() {
	figure, err := run()
	if err != nil {
		fmt.Printf("FIGURE %s: %s BAR 1e-3 at each step FAIL\n", figure, strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
	fmt.Printf("FIGURE %s BAR 1e-3 at each step PASS\n", figure)
}

// run compares all networks on all devices, even where one fails.
func run() (figure string, err error) {
	table, err := golden()
	if err != nil {
		return "no table", err
	}
	var parts []string
	var errs []error
	native := false
	for _, found := range device.List(context.Background()) {
		if !found.OK {
			fmt.Printf("%s is not here: %s\n", found.Name, found.What)
			continue
		}
		native = native || found.Name == "cpu"
		most := 0.0
		for _, r := range recipes {
			diff, err := r.compare(found.Name, table[r.name], steps)
			most = max(most, diff)
			errs = append(errs, err)
		}
		parts = append(parts, fmt.Sprintf("%s differs by %.1e at most", found.Name, most))
	}
	if !native {
		errs = append(errs, errors.New("oneDNN is not in this build"))
	}
	return fmt.Sprintf("%d networks, %d steps: %s", len(recipes), steps, strings.Join(parts, ", ")), errors.Join(errs...)
}

// compare trains one network on a device for n steps. A difference above the bar is an error as well.
func (r recipe) compare(name string, want []float64, n int) (diff float64, err error) {
	d, err := device.Open(&options.Options{Device: name}, func(note string) { fmt.Println(note) })
	if err != nil {
		return 0, err
	}
	defer d.Close()
	losses, err := r.train(d, n)
	if err != nil {
		return 0, fmt.Errorf("%s on %s: %w", r.name, name, err)
	}
	if len(want) != steps+1 {
		return 0, fmt.Errorf("%s: the table has %d losses, not %d", r.name, len(want), steps+1)
	}
	diff, step := worst(losses, want)
	fmt.Printf("%-4s %-10s loss %.4f to %.4f, differs by %.1e at most, at step %d\n",
		name, r.name, losses[0], losses[n-1], diff, step)
	if diff > bar {
		err = fmt.Errorf("%s on %s differs by %.1e at step %d", r.name, name, diff, step)
	}
	return diff, err
}
