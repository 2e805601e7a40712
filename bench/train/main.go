// Command train measures the training engine on the processor, in one run and in turn, against two others: the bare C++ loop of
// bench/limit-train, which makes the same calls without graph, plan or Go, and Debian's PyTorch where it is installed
// (pytorch.py; apt-get install python3-torch). Each is a process of its own that is asked for a round of steps at a time;
// what counts is the median over the rounds of the ratio of CPU times within a round. All work with two threads that sleep
// while they wait. The figures go to BENCHMARKS.md; the last line is the one that prove reads.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/bench/section"
	"gleaner/train/engine/onednn"
)

// The bars that are not ratios.
const (
	headSeconds  = 3       // of 50 epochs on 2,500 samples
	resnetMemory = 700     // MB, resident at most, of ResNet-50 at batch 8
	mostGarbage  = 100_000 // bytes that a step leaves to Go's collector
)

const bar = "CPU of the loop / ours >= 0.95 (small CNN), 0.9 (block); of PyTorch / ours >= 3, 1.4, 1.2 (ResNet-50), 1.2 (MobileNetV2); " +
	"head <= 3 s, ResNet-50 <= 700 MB, garbage <= 0.1 MB per step"

func main() {
	rounds := flag.Int("rounds", 0, "how often each takes its turn; 0: as often as is good for each network")
	only := flag.String("only", "", "names of networks, comma-separated; empty: all")
	out := flag.String("out", "BENCHMARKS.md", "file whose section on training is replaced; empty: none")
	worker := flag.String("worker", "", "be our contestant for that network")
	bf16 := flag.Bool("bf16", false, "of a contestant: multiply bfloat16 numbers")
	flag.Parse()
	if *worker != "" {
		if err := beWorker(*worker, *bf16); err != nil {
			fmt.Fprintf(os.Stderr, "bench/train: %v\n", err)
			os.Exit(1)
		}
		return
	}
	pass, err := run(*rounds, *only, *out)
	if err != nil {
		fmt.Printf("FIGURE %s BAR %s FAIL\n", strings.Join(strings.Fields(err.Error()), " "), bar)
		os.Exit(1)
	}
	if !pass {
		os.Exit(1)
	}
}

func beWorker(name string, bf16 bool) error {
	if err := onednn.Passive(); err != nil {
		return err
	}
	i := slices.IndexFunc(networks, func(n network) bool { return n.name == name })
	if i < 0 {
		return fmt.Errorf("no network is called %s", name)
	}
	return work(&networks[i], onednn.Options{Threads: threads, BFloat16: bf16}, os.Stdin, os.Stdout)
}

func run(rounds int, only, out string) (pass bool, err error) {
	dir, err := os.MkdirTemp("", "bench-train")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	limit := filepath.Join(dir, "limit")
	if err := buildLimit(limit); err != nil {
		return false, err
	}
	torch, err := findTorch()
	if err != nil {
		fmt.Printf("PyTorch is left out: %v\n", err)
	}
	r := &report{torch: err == nil}
	for i := range networks {
		n := &networks[i]
		if only != "" && !slices.Contains(strings.Split(only, ","), n.name) {
			continue
		}
		if rounds > 0 {
			n.rounds = rounds
		}
		m, err := measure(n, contestants(n, limit, torch))
		if err != nil {
			return false, fmt.Errorf("%s: %w", n.name, err)
		}
		fmt.Println(m.line())
		r.all = append(r.all, m)
	}
	fmt.Print(r.text())
	if out != "" && only == "" {
		if err := section.Replace(out, "train", "make bench-train", r.text()); err != nil {
			return false, err
		}
	}
	line, pass := r.verdict()
	fmt.Println(line)
	return pass, nil
}

// measure lets the contestants take turns. The first round warms up.
func measure(n *network, all []*contestant) (m *measured, err error) {
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.stop())
		}
	}()
	for _, c := range all {
		if err := c.start(); err != nil {
			return nil, err
		}
		if _, err := c.round(max(2, c.steps/10)); err != nil {
			return nil, err
		}
	}
	m = &measured{network: n, rounds: make([]map[string]answer, n.rounds)}
	for i := range m.rounds {
		m.rounds[i] = map[string]answer{}
		for k := range all {
			c := all[(i+k)%len(all)] // nobody is always the first
			if m.rounds[i][c.name], err = c.round(c.steps); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}
