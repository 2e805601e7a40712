package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gleaner/model"
	"gleaner/model/tflite"
)

// tolerance is how far the outputs may be from the plain kernels', as |a-b|/|b| (Euclidean). Float kernels differ by
// rounding only; where a network computes in 8 bits the kernels round at other places, layer after layer.
func tolerance(kind string) float64 {
	if strings.HasPrefix(kind, "float") {
		return 0.001
	}
	return 0.1
}

// difference computes the same noise on r and on the plain kernels and gives the largest distance of an output.
func difference(path string, r model.Runner) (float64, error) {
	o := tflite.DefaultOptions()
	o.Rung = "cpu"
	plain, err := tflite.Open(path, o)
	if err != nil {
		return 0, err
	}
	defer plain.Close()
	for i, in := range r.Inputs() {
		noise(in)
		copy(plain.Inputs()[i].Data, in.Data)
	}
	for _, x := range []model.Runner{r, plain} {
		if err := x.Invoke(); err != nil {
			return 0, err
		}
	}
	worst := 0.0
	for i, out := range r.Outputs() {
		a, b := values(out), values(plain.Outputs()[i])
		var apart, size float64
		for j := range a {
			apart += (a[j] - b[j]) * (a[j] - b[j])
			size += b[j] * b[j]
		}
		if apart > 0 {
			worst = max(worst, math.Sqrt(apart/size))
		}
	}
	return worst, nil
}

// noise fills an input with a fixed sequence: floats from -1 to 1, bytes from 0 to 255.
func noise(t model.Tensor) {
	x := uint32(1)
	step := 1
	if t.Type == model.Float32 {
		step = 4
	}
	for i := 0; i+step <= len(t.Data); i += step {
		x = x*1664525 + 1013904223 // Numerical Recipes, section 7.1
		if step == 1 {
			t.Data[i] = byte(x >> 24)
			continue
		}
		binary.NativeEndian.PutUint32(t.Data[i:], math.Float32bits(float32(x>>8)/(1<<23)-1))
	}
}

// values are a tensor's elements as real numbers.
func values(t model.Tensor) []float64 {
	var v []float64
	switch t.Type {
	case model.Float32:
		for i := 0; i+4 <= len(t.Data); i += 4 {
			v = append(v, float64(math.Float32frombits(binary.NativeEndian.Uint32(t.Data[i:]))))
		}
	case model.Int8, model.UInt8:
		for _, b := range t.Data {
			q := int(b)
			if t.Type == model.Int8 {
				q = int(int8(b))
			}
			v = append(v, float64(t.Scale)*float64(q-t.Zero))
		}
	}
	return v
}

// costArg has the program measure one network on one rung, whose path and name follow.
const costArg = "cost"

// measure prints what each rung costs, each in a process of its own, since memory that one network gave back serves the
// next.
func measure(models string) {
	fmt.Printf("\n%-26s %-17s %10s %10s %14s\n", "network", "rung", "ms, best", "CPU-ms", "MB, one more")
	for _, n := range networks {
		for i, rung := range []string{"xnnpack+qs8+qu8", "xnnpack", "cpu"} {
			if []string{n.top, n.mid, n.low}[i] != runs {
				continue
			}
			out, err := exec.Command("/proc/self/exe", costArg, filepath.Join(models, n.file+".tflite"), rung).Output()
			if err != nil {
				out = []byte(err.Error())
			}
			fmt.Printf("%-26s %-17s %s\n", n.kind, rung, bytes.TrimRight(out, "\n"))
		}
	}
	fmt.Println()
}

// cost prints the time of a run, the best of up to 30 by the clock and the mean in CPU time, and by how much the resident memory grows with each of three more
// interpreters.
func cost(path, rung string) error {
	o := tflite.DefaultOptions()
	o.Rung = rung
	r, err := tflite.Open(path, o)
	if err != nil {
		return err
	}
	defer r.Close()
	runtime.LockOSThread() // the CPU time is the thread's
	best, n, cpu, begin := math.Inf(1), 0, threadMS(), time.Now()
	for ; n < 30 && (n < 3 || time.Since(begin) < 2*time.Second); n++ {
		start := time.Now()
		if err := r.Invoke(); err != nil {
			return err
		}
		best = min(best, float64(time.Since(start))/1e6)
	}
	cpu = (threadMS() - cpu) / float64(n)
	const more = 3
	before := resident()
	for range more {
		another, err := tflite.Open(path, o)
		if err != nil {
			return err
		}
		defer another.Close()
	}
	fmt.Printf("%10.2f %10.2f %14.1f\n", best, cpu, (resident()-before)/more)
	return nil
}

// threadMS is the calling thread's CPU time in milliseconds.
func threadMS() float64 {
	const rusageThread = 1 // RUSAGE_THREAD of getrusage(2), which syscall has no name for
	var u syscall.Rusage
	if syscall.Getrusage(rusageThread, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

// resident is the process's resident memory in megabytes, from statm of proc(5); 0 where there is none.
func resident() float64 {
	debug.FreeOSMemory() // files that were read to be checked are no cost of an interpreter
	b, err := os.ReadFile("/proc/self/statm")
	f := bytes.Fields(b)
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, err := strconv.Atoi(string(f[1]))
	if err != nil {
		return 0
	}
	return float64(pages) * float64(os.Getpagesize()) / 1e6
}
