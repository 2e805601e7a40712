package garments

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
)

// Side is the width and height of a garment's picture in pixels, that of Fashion-MNIST.
const Side = 28

// SetOptions says which pictures of garments are written.
type SetOptions struct {
	Stills   int // training pictures as they are, at most 60,000
	OnBelt   int // training pictures on the drawn belt, from the set's end, in one frame each
	TestBelt int // test pictures on the belt, one crop each: what the training set is measured on
	Workers  int // belts that are drawn at a time
	// Progress, if not nil, is told now and then how many pictures of how many are done, from several goroutines.
	Progress func(done, total int)
}

// DefaultSetOptions is the set that the shipped classifier learnt from.
func DefaultSetOptions() SetOptions {
	return SetOptions{Stills: 30000, OnBelt: 60000, TestBelt: 5000, Workers: 2}
}

// Written is how many pictures were written.
type Written struct{ Train, Test int }

// WriteSet draws garments on the belt, crops them as the daemon's camera would, and writes the crops, and pictures of Fashion-MNIST as
// they are, into dir as a folder of IDX files (training and test set, 28×28 grey), which `gleaner train data=` takes. Options decide
// all that is drawn by lot. It takes minutes.
func WriteSet(ctx context.Context, dir string, o SetOptions) (Written, error) {
	n, err := writeSet(ctx, dir, o)
	if err != nil {
		return n, fmt.Errorf("garments: %w", err)
	}
	return n, nil
}

func writeSet(ctx context.Context, dir string, o SetOptions) (n Written, err error) {
	train, err := pictures.Open("fashion-mnist:train")
	if err != nil {
		return n, err
	}
	test, err := pictures.Open("fashion-mnist:test")
	if err != nil {
		return n, err
	}
	all := train.Len()
	if min(o.Stills, o.OnBelt, o.TestBelt) < 0 || max(o.Stills, o.OnBelt) > all || o.TestBelt > test.Len() || o.Stills+o.OnBelt == 0 || o.TestBelt == 0 {
		return n, fmt.Errorf("%d pictures as they are and %d on the belt, and %d to be tried on: there are %d and %d, and some of both are needed",
			o.Stills, o.OnBelt, o.TestBelt, all, test.Len())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return n, err
	}
	if err := os.WriteFile(filepath.Join(dir, pictures.LabelsFile), []byte(strings.Join(train.Labels(), "\n")+"\n"), 0o644); err != nil {
		return n, err
	}
	p := painter{o: o, total: o.Stills + o.OnBelt + o.TestBelt}
	if n.Train, err = p.write(ctx, filepath.Join(dir, "train"), append(stills(train, o.Stills), belts(train, all-o.OnBelt, all, 1)...)); err != nil {
		return n, err
	}
	n.Test, err = p.write(ctx, filepath.Join(dir, "t10k"), belts(test, 0, o.TestBelt, 2))
	return n, err
}

// job shows some pictures, one after the other.
type job func(ctx context.Context, show func(im capture.Image, class int) error) error

func stills(p *pictures.Set, n int) (out []job) {
	for a := 0; a < n; a += stretchOfBelt {
		out = append(out, func(ctx context.Context, show func(capture.Image, int) error) error {
			for i := a; i < min(a+stretchOfBelt, n); i++ {
				im, err := p.Image(i)
				if err := errors.Join(err, ctx.Err()); err != nil {
					return err
				}
				if err := show(im, p.Label(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out
}

func belts(p *pictures.Set, from, to int, seed uint64) (out []job) {
	for a := from; a < to; a += stretchOfBelt {
		out = append(out, func(ctx context.Context, show func(capture.Image, int) error) error {
			return beltCrops(ctx, p, a, min(a+stretchOfBelt, to), seed, classify.DefaultOptions(), show)
		})
	}
	return out
}

// painter does jobs and writes what they show.
type painter struct {
	o     SetOptions
	total int

	mu   sync.Mutex
	done int
}

// part is what a job showed.
type part struct{ pix, labels []byte }

// write does the jobs and writes name-images-idx3-ubyte and name-labels-idx1-ubyte, in the order of the jobs. It returns how many
// pictures they showed.
func (p *painter) write(ctx context.Context, name string, jobs []job) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts, next := make([]part, len(jobs)), make(chan int, len(jobs))
	for i := range jobs {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range max(1, p.o.Workers) {
		wg.Go(func() {
			for i := range next {
				if err := p.paint(ctx, jobs[i], &parts[i]); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	var all part
	for _, q := range parts {
		all.pix, all.labels = append(all.pix, q.pix...), append(all.labels, q.labels...)
	}
	return len(all.labels), errors.Join(os.WriteFile(name+"-images-idx3-ubyte", append(header(len(all.labels), Side, Side), all.pix...), 0o644),
		os.WriteFile(name+"-labels-idx1-ubyte", append(header(len(all.labels)), all.labels...), 0o644))
}

// header begins an IDX file of bytes.
func header(dims ...int) []byte {
	h := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		h = binary.BigEndian.AppendUint32(h, uint32(d))
	}
	return h
}

// paint does one job. Pictures become grey ones of Side pixels as they do on their way into the network.
func (p *painter) paint(ctx context.Context, j job, out *part) error {
	small, err := prep.New(bundle.Input{Prep: prep.Linear, Width: Side, Height: Side, Colour: "gray", Mean: []float32{0}, Std: []float32{1}, Fit: "letterbox"},
		model.Tensor{Type: model.UInt8, Shape: []int{1, Side, Side, 1}, Scale: 1})
	if err != nil {
		return err
	}
	if err := j(ctx, func(im capture.Image, class int) error {
		at := len(out.pix)
		out.pix = append(out.pix, make([]byte, Side*Side)...)
		small.Fill(out.pix[at:], im)
		out.labels = append(out.labels, byte(class))
		return ctx.Err()
	}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += len(out.labels)
	if p.o.Progress != nil {
		p.o.Progress(p.done, p.total)
	}
	return nil
}
