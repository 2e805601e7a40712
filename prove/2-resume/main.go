// Command 2-resume proves that a training run which is killed ten times at random moments, and goes on each time with --resume,
// ends as one that nobody disturbed: the same losses, and the same checkpoint, best weights and bundle, byte for byte.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"gleaner/capture/pictures"
)

const (
	kills  = 10
	bar    = "10 kills, and in the end the same losses, checkpoint, weights and bundle, byte for byte"
	images = 3000
)

// settings touch everything that a checkpoint must hold: batch norms, dropout, Adam's moments, a moving average, a schedule that
// listens to the validation loss, pictures changed at random, and checkpoints in the middle of epochs.
var settings = []string{"train", "data=garments", "out=run", "net=cnn-bn", "width=0.25", "epochs=5", "batch=32", "save=20", "average=0.99",
	"schedule=plateau", "wait=0", "flip=true", "shift=2", "cutout=6", "clip=5", "smoothing=0.1", "seed=11", "overfit=off", "scan=off"}

func main() {
	figure, err := prove()
	if err != nil {
		fmt.Printf("FIGURE %s BAR %s FAIL\n", strings.ReplaceAll(err.Error(), "\n", "; "), bar)
		os.Exit(1)
	}
	fmt.Printf("FIGURE %s BAR %s PASS\n", figure, bar)
}

func prove() (string, error) {
	gleaner, err := filepath.Abs("bin/gleaner")
	if err != nil {
		return "", err
	}
	root, err := os.MkdirTemp("", "prove-resume")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	calm, killed := filepath.Join(root, "calm"), filepath.Join(root, "killed")
	for _, dir := range []string{calm, killed} {
		if err := garments(filepath.Join(dir, "garments")); err != nil {
			return "", err
		}
	}
	began := time.Now()
	if err := run(gleaner, calm, nil); err != nil {
		return "", fmt.Errorf("the undisturbed run: %w", err)
	}
	whole := time.Since(began)
	fmt.Printf("undisturbed: %.1f s\n", whole.Seconds())
	done, tries, err := disturb(gleaner, killed, whole)
	if err != nil {
		return "", err
	}
	if done < kills {
		return "", fmt.Errorf("the run was over after %d kills", done)
	}
	if err := compare(calm, killed); err != nil {
		return "", err
	}
	return fmt.Sprintf("killed %d times in %d starts of a run of %.0f s: nothing differs", done, tries, whole.Seconds()), nil
}

// disturb runs until it was killed often enough, and then to the end. Each time it lets a few checkpoints be written, or none, and
// kills at a random moment up to a few steps later: in the start, in a step, in a validation, in a write.
func disturb(gleaner, dir string, whole time.Duration) (done, tries int, err error) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	fmt.Printf("seed of the moments: %d\n", seed)
	for done < kills {
		m := &moment{checkpoints: r.IntN(3), after: time.Duration(r.Float64() * float64(whole) / 30)}
		tries++
		err := run(gleaner, dir, m, resume(tries)...)
		switch {
		case errors.Is(err, errKilled):
			done++
			fmt.Printf("killed %.3f s after checkpoint %d of this start, %s\n", m.after.Seconds(), m.checkpoints, where(dir))
		case err == nil:
			return done, tries, nil
		default:
			return done, tries, err
		}
	}
	tries++
	return done, tries, run(gleaner, dir, nil, resume(tries)...)
}

func resume(try int) []string {
	if try == 1 {
		return nil
	}
	return []string{"--resume"}
}

var errKilled = errors.New("killed")

// moment is when a process is killed: so long after it has written so many checkpoints.
type moment struct {
	checkpoints int
	after       time.Duration
}

// await returns at the moment, or when over is closed.
func (m *moment) await(dir string, over <-chan struct{}) {
	path := filepath.Join(dir, "run", "checkpoint.safetensors")
	written := func() (t time.Time) {
		if st, err := os.Stat(path); err == nil {
			t = st.ModTime()
		}
		return t
	}
	last, left := written(), m.checkpoints
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for left > 0 {
		select {
		case <-over:
			return
		case <-tick.C:
			if now := written(); !now.Equal(last) {
				last, left = now, left-1
			}
		}
	}
	select {
	case <-over:
	case <-time.After(m.after):
	}
}

// run trains in dir, and kills the process at a moment; nil: never.
func run(gleaner, dir string, m *moment, more ...string) error {
	c := exec.Command(gleaner, append(slices.Clone(settings), more...)...)
	c.Dir = dir
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		return err
	}
	over := make(chan struct{})
	var watch sync.WaitGroup
	if m != nil {
		watch.Go(func() {
			m.await(dir, over)
			_ = c.Process.Kill()
		})
	}
	err := c.Wait()
	close(over)
	watch.Wait()
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGKILL {
		return errKilled
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, said.String())
	}
	return nil
}

// where says how far a killed run had come, as its folder tells.
func where(dir string) string {
	epochs := 0
	if rows, err := rows(dir); err == nil {
		epochs = len(rows) - 1
	}
	half, _ := filepath.Glob(filepath.Join(dir, "run", ".*.safetensors*"))
	if len(half) > 0 {
		return fmt.Sprintf("%d epochs, while it wrote %s", epochs, filepath.Base(half[0]))
	}
	return fmt.Sprintf("%d epochs", epochs)
}

// rows are the log's, without the times.
func rows(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, "run", "log.csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	var out []string
	for _, r := range all {
		out = append(out, strings.Join(r[:7], ","))
	}
	return out, err
}

func compare(calm, killed string) error {
	a, errA := rows(calm)
	b, errB := rows(killed)
	if err := errors.Join(errA, errB); err != nil {
		return err
	}
	if !slices.Equal(a, b) {
		return fmt.Errorf("the losses differ: %q and %q", a, b)
	}
	fmt.Println(strings.Join(b, "\n"))
	for _, name := range []string{"options.json", "checkpoint.safetensors", "best.safetensors", "bundle/bundle.json", "bundle/model.tflite"} {
		x, errX := os.ReadFile(filepath.Join(calm, "run", name))
		y, errY := os.ReadFile(filepath.Join(killed, "run", name))
		if err := errors.Join(errX, errY); err != nil {
			return err
		}
		if !bytes.Equal(x, y) {
			return fmt.Errorf("%s differs", name)
		}
		fmt.Printf("%-24s %8d bytes, the same\n", name, len(x))
	}
	return nil
}

// garments writes an idx folder of the first of Debian's Fashion-MNIST training pictures.
func garments(dir string) error {
	s, err := pictures.Open("fashion-mnist:train")
	if err != nil {
		return err
	}
	pix, labels := []byte{0, 0, 8, 3}, binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, images)
	for _, d := range []uint32{images, 28, 28} {
		pix = binary.BigEndian.AppendUint32(pix, d)
	}
	for i := range images {
		im, err := s.Image(i)
		if err != nil {
			return err
		}
		for p := range 28 * 28 {
			pix = append(pix, im.Pix[3*p])
		}
		labels = append(labels, byte(s.Label(i)))
	}
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "train-images-idx3-ubyte"), pix, 0o644),
		os.WriteFile(filepath.Join(dir, "train-labels-idx1-ubyte"), labels, 0o644))
}
