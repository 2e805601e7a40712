package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"

	"gleaner/train/engine"
	"gleaner/train/engine/onednn"
	"gleaner/train/net"
)

// threads is how many each contestant works with.
const threads = 2

// answer is what a contestant says of a round.
type answer struct {
	Images  int     `json:"images"`
	Seconds float64 `json:"seconds"`
	CPUms   float64 `json:"cpu_ms"`
	RSS     float64 `json:"peak_rss_mb"`
	Garbage float64 `json:"garbage_bytes_per_step"` // ours only
	Loss    float64 `json:"loss"`                   // ours only
}

// work is our contestant: it reads numbers of steps from r, and answers each on w.
func work(n *network, o onednn.Options, r io.Reader, w io.Writer) (err error) {
	b, err := onednn.New(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	t, err := newTraining(n, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.runner.Close()) }()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var steps int
		if _, err := fmt.Sscan(lines.Text(), &steps); err != nil {
			return fmt.Errorf("read the number of steps: %w", err)
		}
		a, err := t.round(n, steps)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(w).Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

// training is a network that is trained on random pictures.
type training struct {
	p      *engine.Program
	runner engine.Runner
	in     [][]float32
	out    [][]float32
	steps  int
}

func newTraining(n *network, b engine.Backend) (*training, error) {
	network, err := n.make([]net.Head{{Name: "class", Classes: n.classes}})
	if err != nil {
		return nil, err
	}
	t := &training{}
	if t.p, err = network.Training(n.batch, net.TrainOptions{Optimiser: n.optimiser}); err != nil {
		return nil, err
	}
	if err := network.Load(b, network.First(1)); err != nil {
		return nil, err
	}
	if t.runner, err = b.Compile(t.p); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, v := range t.p.Inputs {
		d := make([]float32, v.Shape.Size())
		switch v.Input {
		case net.PictureInput:
			for i := range d {
				d[i] = float32(r.NormFloat64())
			}
		case net.LabelInput("class"):
			for i := range n.batch {
				d[i*n.classes+i%n.classes] = 1
			}
		case engine.RateInput:
			d[0] = map[string]float32{"adam": 1e-3, "sgd": 1e-3}[n.optimiser.Kind]
		}
		t.in = append(t.in, d)
	}
	t.out = make([][]float32, len(t.p.Outputs))
	t.out[0] = make([]float32, 1)
	return t, nil
}

// scalars are what a training loop tells the program of each step.
func (t *training) scalars() {
	for i, v := range t.p.Inputs {
		switch v.Input {
		case engine.StepInput:
			t.in[i][0] = float32(t.steps)
		case engine.Corr1Input:
			t.in[i][0] = float32(1 / (1 - math.Pow(0.9, float64(t.steps+1))))
		case engine.Corr2Input:
			t.in[i][0] = float32(1 / (1 - math.Pow(0.999, float64(t.steps+1))))
		}
	}
	t.steps++
}

func (t *training) round(n *network, steps int) (answer, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, _ := usage()
	begin := time.Now()
	for range steps {
		t.scalars()
		if err := engine.Run(t.runner, t.in, t.out); err != nil {
			return answer{}, err
		}
	}
	wall := time.Since(begin)
	done, rss := usage()
	runtime.ReadMemStats(&after)
	loss := float64(t.out[0][0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return answer{}, fmt.Errorf("the loss of %s is %g after %d steps", n.name, loss, t.steps)
	}
	return answer{Images: steps * n.batch, Seconds: wall.Seconds(), CPUms: float64((done - cpu).Microseconds()) / 1e3, RSS: rss,
		Garbage: float64(after.TotalAlloc-before.TotalAlloc) / float64(steps), Loss: loss}, nil
}

// usage is the CPU time of this process, and its greatest size in MB.
func usage() (cpu time.Duration, rss float64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // of valid arguments it does not fail
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), float64(r.Maxrss) / 1024
}
