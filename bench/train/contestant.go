package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/train/engine/onednn"
)

// The names of the contestants. PyTorch takes part twice, once with each order of the pictures in memory; the faster counts.
const (
	ours      = "ours"
	narrow    = "ours, bf16" // on a processor that multiplies bfloat16
	bareLoop  = "loop"
	torchNCHW = "PyTorch, contiguous"
	torchNHWC = "PyTorch, channels last"
)

// contestant is a process that does rounds of steps.
type contestant struct {
	name  string
	argv  []string
	steps int // of a round
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
}

func contestants(n *network, limit string, torch []string) []*contestant {
	self, err := os.Executable()
	if err != nil {
		panic(err) // Linux always knows
	}
	all := []*contestant{{name: ours, argv: []string{self, "-worker", n.name}, steps: n.steps}}
	if bfloat16() {
		all = append(all, &contestant{name: narrow, argv: append(slices.Clone(all[0].argv), "-bf16"), steps: n.steps})
	}
	if n.loop > 0 {
		all = append(all, &contestant{name: bareLoop, argv: []string{limit, n.name}, steps: n.steps})
	}
	if torch != nil {
		with := func(order string) []string {
			return append(slices.Clone(torch), "bench/train/pytorch.py", n.name, order)
		}
		all = append(all, &contestant{name: torchNCHW, argv: with("contiguous"), steps: n.torchSteps})
		if n.torch > 0 { // the head has no pictures
			all = append(all, &contestant{name: torchNHWC, argv: with("channels_last"), steps: n.torchSteps})
		}
	}
	return all
}

// bfloat16 tells whether this processor multiplies bfloat16 numbers.
func bfloat16() bool {
	b, err := onednn.New(onednn.Options{BFloat16: true})
	if err != nil {
		return false
	}
	defer b.Close()
	return b.BFloat16()
}

// start starts the process. OpenBLAS, which PyTorch uses beside oneDNN, is kept to one thread, because its others spin.
func (c *contestant) start() (err error) {
	c.cmd = exec.Command(c.argv[0], c.argv[1:]...)
	c.cmd.Env = append(os.Environ(), "OMP_WAIT_POLICY=passive", fmt.Sprintf("OMP_NUM_THREADS=%d", threads), "OPENBLAS_NUM_THREADS=1")
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	return nil
}

// round has it do that many steps.
func (c *contestant) round(steps int) (a answer, err error) {
	if _, err := fmt.Fprintln(c.in, steps); err != nil {
		return a, fmt.Errorf("ask %s for %d steps: %w", c.name, steps, err)
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return a, fmt.Errorf("read what %s answers: %w", c.name, err)
	}
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		return a, fmt.Errorf("read what %s answers: %w", c.name, err)
	}
	return a, nil
}

// stop ends the process.
func (c *contestant) stop() error {
	if c.cmd == nil || c.cmd.Process == nil {
		return nil
	}
	if err := errors.Join(c.in.Close(), c.cmd.Wait()); err != nil {
		return fmt.Errorf("end %s: %w", c.name, err)
	}
	return nil
}

// buildLimit compiles the loop with the compiler and the kernels that the engine is built with.
func buildLimit(to string) error {
	const dir = "train/engine/onednn"
	args := []string{"-O3", "-o", to, "bench/limit-train/limit.cc", "-I" + dir}
	for _, kernels := range []string{"element", "loss", "norm", "pool", "update"} {
		args = append(args, filepath.Join(dir, kernels+".cc"))
	}
	if msg, err := exec.Command("g++", append(args, "-ldnnl", "-lgomp")...).CombinedOutput(); err != nil {
		return fmt.Errorf("compile the loop: %w: %s", err, msg)
	}
	return nil
}

// findTorch is the command of a Python that has PyTorch: Debian's.
func findTorch() ([]string, error) {
	const python = "/usr/bin/python3"
	if msg, err := exec.Command(python, "-c", "import torch").CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(msg)), "\n")
		return nil, fmt.Errorf("%s (apt-get install python3-torch): %s", err, lines[len(lines)-1])
	}
	return []string{python}, nil
}
