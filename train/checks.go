package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"gleaner/train/dataset"
	"gleaner/train/schedule"
)

// How many steps the checks before a run take, at most, and how many times as long a run must be for "auto".
const (
	overfitSteps = 60
	scanSteps    = 100
	longRun      = 8
)

// check tries the run out before it begins: can the network learn one batch, and which learning rates work? It says what it
// finds, and leaves the first weights behind, as they were.
func (r *run) check(ctx context.Context) error {
	steps := r.o.Epochs * r.perEpoch
	wanted := func(how string, cost int) bool { return how == "on" || how == "auto" && steps >= longRun*cost }
	for _, c := range []struct {
		on  bool
		try func(ctx context.Context) (string, error)
	}{{wanted(r.o.Overfit, overfitSteps), r.overfit}, {wanted(r.o.Scan, scanSteps), r.scan}} {
		if !c.on {
			continue
		}
		found, err := c.try(ctx)
		if err != nil {
			return err
		}
		r.tell.note(found)
		if err := r.start(); err != nil {
			return err
		}
	}
	return nil
}

// overfit trains on one batch alone. A network that cannot learn that cannot learn anything: its labels, its learning rate or
// its layers are wrong.
func (r *run) overfit(ctx context.Context) (string, error) {
	feed := r.plainFeed()
	defer feed.Close()
	b, err := feed.Next()
	if err != nil {
		return "", err
	}
	first, loss, share := 0.0, 0.0, 0.0
	step := 0
	for ; step < overfitSteps; step++ {
		if ctx.Err() != nil {
			return "", errEarly
		}
		rate := r.o.LR * min(1, float64(step+1)/5) // a few careful steps first
		if loss, err = r.one(b, step, rate); err != nil {
			return "", err
		}
		right, answers := r.train.Right(b)
		share = float64(right) / float64(max(1, answers))
		if step == 0 {
			first = loss
		}
		if !finite(loss) {
			return fmt.Sprintf("WARNING: trained on one batch alone, the loss is %g after %d steps: lr=%.3g is too high for this network", loss, step, r.o.LR), nil
		}
		if share == 1 && loss < 0.5*first {
			step++
			break
		}
	}
	if share < 0.9 && loss > 0.5*first {
		return fmt.Sprintf("WARNING: trained on one batch alone, the loss went only from %.3g to %.3g in %d steps, with %.0f %% right: "+
			"the learning rate is far too low, or the network or the labels are wrong", first, loss, step, 100*share), nil
	}
	return fmt.Sprintf("one batch alone is learnt: loss %.3g to %.3g in %d steps, %.0f %% right", first, loss, step, 100*share), nil
}

// plain is a set without random changes.
type plain struct{ dataset.Set }

func (p plain) Input(dst []float32, i int, _ *rand.Rand) error { return p.Set.Input(dst, i, nil) }

// plainFeed makes the batches of the first epoch out of pictures as they are, unchanged and unmixed.
func (r *run) plainFeed() *dataset.Feed {
	as := r.o.Feed()
	as.Epochs, as.Mix = 1, 0
	return dataset.NewFeed(plain{r.data.Train}, as)
}

// measureBatches is how many batches statistics and ranges are measured on.
const measureBatches = 30

// plainBatches yields the pictures of the first batches of plainFeed, and the error where one cannot be read.
func (r *run) plainBatches(yield func([]float32, error) bool) {
	feed := r.plainFeed()
	defer feed.Close()
	for range min(measureBatches, r.perEpoch) {
		b, err := feed.Next()
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(b.X, nil) {
			return
		}
		feed.Release(b)
	}
}

// one does one step and waits for it.
func (r *run) one(b *dataset.Batch, step int, rate float64) (float64, error) {
	if err := r.train.Start(b, step, rate); err != nil {
		return 0, err
	}
	return r.train.Finish()
}

// scan raises the learning rate from step to step, from a ten-millionth to ten, and watches the loss: the range test of Smith,
// "Cyclical Learning Rates for Training Neural Networks", 2017.
func (r *run) scan(ctx context.Context) (string, error) {
	as := r.o.Feed()
	as.Seed, as.Epochs = r.o.Seed+1, math.MaxInt
	feed := dataset.NewFeed(r.data.Train, as)
	defer feed.Close()
	var rates, losses []float64
	for step := range scanSteps {
		if ctx.Err() != nil {
			return "", errEarly
		}
		b, err := feed.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		rate := schedule.ScanLow * math.Pow(schedule.ScanHigh/schedule.ScanLow, float64(step)/(scanSteps-1))
		loss, err := r.one(b, step, rate)
		feed.Release(b)
		if err != nil {
			return "", err
		}
		rates, losses = append(rates, rate), append(losses, loss)
		if !finite(loss) || loss > 20*losses[0]+20 {
			break
		}
	}
	return schedule.ReadScan(rates, losses, r.o.LR), nil
}
