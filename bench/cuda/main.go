// Command cuda measures the training of ResNet-50 on a CUDA card: this project's program through XLA, beside PyTorch eager and
// torch.compile (torch.py), on pictures of 128² and 224², batches of 256, TF32 and bfloat16, all on one card in one run, and
// writes the table into BENCHMARKS.md. Each measurement is a process of its own, so that each has the card's whole memory.
//
// It needs no Go where it runs: `go build -o bin/bench-cuda ./bench/cuda`, then bin/bench-cuda. Without a card it says so and exits
// with 2. Our batches cross from the host to the card in every step; PyTorch's lie on the card already.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gleaner/train/engine/xla"
)

//go:embed torch.py
var torch []byte

const target = 0.9 // of torch.compile's pictures per second

// options are the flags.
type options struct {
	plugin, python, out string
	batch, steps        int
	one                 string // measure this alone, in this process: such as 128,tf32
}

func main() {
	xla.ProbeChild()
	var o options
	flag.StringVar(&o.plugin, "plugin", "", "the PJRT plug-in's file; found by itself if not given")
	flag.StringVar(&o.python, "python", "python3", "the Python that has PyTorch")
	flag.StringVar(&o.out, "out", "BENCHMARKS.md", "file whose section on CUDA is replaced")
	flag.IntVar(&o.batch, "batch", 256, "pictures in a batch")
	flag.IntVar(&o.steps, "steps", 40, "steps that are timed")
	flag.StringVar(&o.one, "one", "", "measure one size and precision in this process, such as 128,tf32")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-cuda:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.one != "" {
		f, err := measure(o)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(f)
	}
	cards, err := xla.Probe(context.Background(), o.plugin)
	if err != nil {
		fmt.Printf("no card was at hand: %v\n", err)
		os.Exit(2)
	}
	rows, err := o.all()
	if err != nil {
		return err
	}
	text := table(cards[0].Name, o, rows)
	fmt.Println(text)
	return replaceSection(o.out, text)
}

// figure is what one process measured.
type figure struct {
	Rate    float64 `json:"images_per_s"`
	Step    float64 `json:"step_ms"`
	Compile float64 `json:"compile_s"` // until the first step was done
	Loss    float64 `json:"loss"`      // of the last step
	Version string  `json:"version"`
	Err     string  `json:"-"`
}

// row is one size and precision.
type row struct {
	size                  int
	precision             string
	ours, eager, compiled figure
}

var precisions = []string{"tf32", "bf16"}

// all measures everything. What fails is a cell that says why: the other figures stand.
func (o options) all() (rows []row, err error) {
	dir, err := os.MkdirTemp("", "bench-cuda")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "torch.py")
	if err := os.WriteFile(script, torch, 0o600); err != nil {
		return nil, err
	}
	for _, size := range []int{128, 224} {
		for _, p := range precisions {
			r := row{size: size, precision: p}
			r.ours = read(o.self("-one", fmt.Sprintf("%d,%s", size, p)))
			for mode, f := range map[string]*figure{"eager": &r.eager, "compile": &r.compiled} {
				*f = read(output(exec.Command(o.python, script, mode, fmt.Sprint(size), p, fmt.Sprint(o.batch), fmt.Sprint(o.steps))))
			}
			fmt.Fprintf(os.Stderr, "%d² %s: ours %.0f, eager %.0f, compiled %.0f pictures/s\n", size, p, r.ours.Rate, r.eager.Rate, r.compiled.Rate)
			rows = append(rows, r)
		}
	}
	if !slices.ContainsFunc(rows, func(r row) bool { return r.ours.Rate > 0 }) {
		return nil, fmt.Errorf("nothing ran: %s", rows[0].ours.Err)
	}
	return rows, nil
}

// self runs this program again and gives what it printed.
func (o options) self(args ...string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	args = append([]string{"-plugin", o.plugin, "-batch", fmt.Sprint(o.batch), "-steps", fmt.Sprint(o.steps)}, args...)
	return output(exec.Command(exe, args...))
}

// output runs a command; its last line on standard error is why it failed.
func output(c *exec.Cmd) (string, error) {
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		return "", fmt.Errorf("%s", strings.TrimPrefix(cmp.Or(lines[len(lines)-1], err.Error()), "bench-cuda: "))
	}
	return string(out), nil
}

func read(out string, err error) (f figure) {
	if err == nil {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		err = json.Unmarshal([]byte(lines[len(lines)-1]), &f)
	}
	if err != nil {
		f.Err = err.Error()
	}
	return f
}

// table is the section of BENCHMARKS.md.
func table(card string, o options, rows []row) string {
	var b strings.Builder
	version := ""
	for _, r := range rows {
		if r.eager.Version != "" {
			version = ", PyTorch " + r.eager.Version
		}
	}
	fmt.Fprintf(&b, "%s\n\n%s, %s%s. A training step of ResNet-50 (SGD with momentum) on batches of %d, %d steps after the first five,\n"+
		"in pictures per second. Ours copies each batch to the card while the last one is worked on; PyTorch's (channels-last) lies there.\n"+
		"The target is %.1f of torch.compile.\n\n", begin, time.Now().Format(time.DateOnly), card, version, o.batch, o.steps, target)
	b.WriteString("| pictures | precision | ours | PyTorch eager | torch.compile | ours/eager | ours/compile | first step, s |\n|---|---|---|---|---|---|---|---|\n")
	var notes []string
	cell := func(f figure, what string, r row) string {
		if f.Err != "" {
			notes = append(notes, fmt.Sprintf("%d² %s, %s: %s", r.size, r.precision, what, f.Err))
			return "–"
		}
		return fmt.Sprintf("%.0f", f.Rate)
	}
	ratio := func(a, b figure) string {
		if a.Rate == 0 || b.Rate == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f", a.Rate/b.Rate)
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "| %d² | %s | %s | %s | %s | %s | %s | %.0f |\n", r.size, r.precision, cell(r.ours, "ours", r), cell(r.eager, "eager", r),
			cell(r.compiled, "torch.compile", r), ratio(r.ours, r.eager), ratio(r.ours, r.compiled), r.ours.Compile)
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "\nNot measured: %s.\n", n)
	}
	fmt.Fprintf(&b, "\n%s\n", end)
	return b.String()
}

const (
	begin = "<!-- cuda: written by make bench-cuda -->"
	end   = "<!-- end of cuda -->"
)

// replaceSection puts text in place of the section in the file, or at its end.
func replaceSection(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	s := string(old)
	if i, j := strings.Index(s, begin), strings.Index(s, end); i >= 0 && j > i {
		s = s[:i] + text + strings.TrimPrefix(s[j+len(end):], "\n")
	} else {
		s = strings.TrimLeft(strings.TrimRight(s, "\n")+"\n\n"+text, "\n")
	}
	return os.WriteFile(path, []byte(s), 0o644)
}
