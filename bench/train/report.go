package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// measured is what the rounds of one network gave.
type measured struct {
	network *network
	rounds  []map[string]answer // by the name of the contestant
}

// median of what pick makes of each round.
func (m *measured) median(pick func(r map[string]answer) float64) float64 {
	var v []float64
	for _, r := range m.rounds {
		v = append(v, pick(r))
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func (m *measured) took(name string) bool {
	_, ok := m.rounds[0][name]
	return ok
}

// cpu is CPU-milliseconds per image, speed images per second.
func (m *measured) cpu(name string) float64 {
	return m.median(func(r map[string]answer) float64 { return r[name].CPUms / float64(r[name].Images) })
}

func (m *measured) speed(name string) float64 {
	return m.median(func(r map[string]answer) float64 { return float64(r[name].Images) / r[name].Seconds })
}

// ratio is how much more CPU time another takes for an image than we do.
func (m *measured) ratio(name string) float64 {
	return m.median(func(r map[string]answer) float64 {
		return r[name].CPUms / float64(r[name].Images) / (r[ours].CPUms / float64(r[ours].Images))
	})
}

func (m *measured) most(pick func(a answer) float64) (most float64) {
	for _, r := range m.rounds {
		most = max(most, pick(r[ours]))
	}
	return most
}

// torch is PyTorch's faster variant; empty if it took no part.
func (m *measured) torch() string {
	switch {
	case !m.took(torchNCHW):
		return ""
	case m.took(torchNHWC) && m.cpu(torchNHWC) < m.cpu(torchNCHW):
		return torchNHWC
	}
	return torchNCHW
}

// line tells how a network went, as soon as it is done.
func (m *measured) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s", m.network.name)
	for _, name := range []string{ours, narrow, bareLoop, torchNCHW, torchNHWC} {
		if m.took(name) {
			fmt.Fprintf(&b, "  %s %.3f CPU-ms, %.0f images/s", name, m.cpu(name), m.speed(name))
		}
	}
	return b.String()
}

// report is all that was measured.
type report struct {
	torch bool // PyTorch was there
	all   []*measured
}

// text is the section of BENCHMARKS.md.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Training on the processor, %s, %s, %d processors, %s. CPU-milliseconds per image (images per second), %d threads,\n",
		time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), runtime.Version(), threads)
	fmt.Fprintf(&b, "medians of rounds in turn. The bare C++ loop is bench/limit-train, PyTorch is Debian's python3-torch, the faster of contiguous\n")
	fmt.Fprintf(&b, "and channels last%s; bf16 is gleaner with numbers=bf16. Ratios are of CPU times within a round; only they travel to other machines.\n\n", map[bool]string{
		true: "", false: "; it is not installed here"}[r.torch])
	fmt.Fprintf(&b, "| network, batch | gleaner | bf16 | C++ loop | PyTorch | loop / gleaner | PyTorch / gleaner |\n|---|---|---|---|---|---|---|\n")
	for _, m := range r.all {
		cells := []string{fmt.Sprintf("%s, %d", m.network.what, m.network.batch), m.cell(ours), m.cell(narrow), m.cell(bareLoop), m.cell(m.torch()), "–", "–"}
		if m.took(bareLoop) {
			cells[5] = fmt.Sprintf("%.2f", m.ratio(bareLoop))
		}
		if m.torch() != "" {
			cells[6] = fmt.Sprintf("%.2f", m.ratio(m.torch()))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n")
	for _, f := range r.facts() {
		fmt.Fprintf(&b, "- %s: %s (at most %s)\n", f.what, f.figure, f.bar)
	}
	return b.String()
}

func (m *measured) cell(name string) string {
	if name == "" || !m.took(name) {
		return "–"
	}
	digits := 1
	if m.cpu(name) < 2 {
		digits = 3
	}
	return fmt.Sprintf("%.*f (%.0f)", digits, m.cpu(name), m.speed(name))
}

// fact is a figure with an upper bar.
type fact struct {
	what, figure, bar string
	ok                bool
}

func (r *report) facts() (facts []fact) {
	garbage := 0.0
	for _, m := range r.all {
		garbage = max(garbage, m.most(func(a answer) float64 { return a.Garbage }))
		switch m.network.name {
		case "head":
			s := m.median(func(a map[string]answer) float64 { return a[ours].Seconds })
			facts = append(facts, fact{"head, 50 epochs on 2,500 samples", fmt.Sprintf("%.2f s", s), fmt.Sprintf("%d s", headSeconds), s <= headSeconds})
		case "resnet50":
			mb := m.most(func(a answer) float64 { return a.RSS })
			facts = append(facts, fact{"resident memory of ResNet-50's training at batch 8", fmt.Sprintf("%.0f MB", mb),
				fmt.Sprintf("%d MB", resnetMemory), mb <= resnetMemory})
		}
	}
	return append(facts, fact{"garbage of Go per step", fmt.Sprintf("%.4f MB", garbage/1e6), "0.1 MB", garbage <= mostGarbage})
}

// verdict is the line that prove reads.
func (r *report) verdict() (line string, pass bool) {
	pass = true
	var parts []string
	for _, m := range r.all {
		if n := m.network; n.loop > 0 {
			parts = append(parts, fmt.Sprintf("%s loop %.2f", n.name, m.ratio(bareLoop)))
			pass = pass && m.ratio(bareLoop) >= n.loop
		}
		if n := m.network; n.torch > 0 && m.torch() != "" {
			parts = append(parts, fmt.Sprintf("%s PyTorch %.2f", n.name, m.ratio(m.torch())))
			pass = pass && m.ratio(m.torch()) >= n.torch
		}
	}
	if !r.torch {
		parts = append(parts, "PyTorch is not installed")
	}
	for _, f := range r.facts() {
		parts = append(parts, f.what+" "+f.figure)
		pass = pass && f.ok
	}
	return fmt.Sprintf("FIGURE %s BAR %s %s", strings.Join(parts, ", "), bar, map[bool]string{true: "PASS", false: "FAIL"}[pass]), pass
}

// processor is what Linux calls it.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
