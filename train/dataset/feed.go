package dataset

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
)

// Batch is examples side by side, as a network takes them.
type Batch struct {
	Epoch, Number int // which batch of which epoch, both from 0
	N             int // examples; rows behind them are zeros
	X             []float32
	Y             [][]float32 // by head: the wanted shares [batch classes], a row of zeros where the label is not known; mixed as X is
	Example       []int       // the N examples' numbers in the set
	Label         [][]int     // by head: the N examples' own classes, -1 where not known

	draws []int // by example: what its random changes are drawn by, see dealer.order
}

// FeedOptions say which batches a Feed makes.
type FeedOptions struct {
	Batch int // examples in a batch
	// Shuffle deals the examples anew each epoch, and draws what is random about them; otherwise they come as they are.
	Shuffle bool
	// Whole leaves the last batch of an epoch out when it is not full.
	Whole bool
	Seed  uint64
	// Balance and Mix, the a of mix-up's Beta(a, a) (0: none), apply where Shuffle does.
	Balance Balance
	Mix     float64
	// Epoch and Number are where it begins: after an interruption, where it was.
	Epoch, Number int
	Epochs        int // it ends before this epoch
	Workers       int // examples made at a time; 0 means 1
}

// Batches is how many batches an epoch of n examples has.
func (o FeedOptions) Batches(n int) int {
	if o.Whole {
		return n / o.Batch
	}
	return (n + o.Batch - 1) / o.Batch
}

// ahead is how many batches exist: two in use, where a device works on two steps, and two made ahead of them.
const ahead = 4

// Feed makes batches ahead of their use, in memory that is used again. Next, Release and Close belong to one goroutine.
type Feed struct {
	set    Set
	o      FeedOptions
	deal   *dealer
	mix    *mixer // nil: examples stay apart
	free   chan *Batch
	ready  chan made
	stop   chan struct{}
	wg     sync.WaitGroup
	failed error
}

type made struct {
	b   *Batch
	err error
}

// NewFeed starts a feed. Close ends its goroutine.
func NewFeed(set Set, o FeedOptions) *Feed {
	f := &Feed{set: set, o: o, free: make(chan *Batch, ahead), ready: make(chan made, ahead), stop: make(chan struct{})}
	if !o.Shuffle {
		o.Balance, o.Mix = Natural, 0
	}
	f.deal = newDealer(set, o.Balance, o.Seed)
	if o.Mix > 0 {
		f.mix = newMixer(o.Mix, o.Seed)
	}
	size := 1
	for _, d := range set.Shape() {
		size *= d
	}
	for range ahead {
		b := &Batch{X: make([]float32, o.Batch*size), Example: make([]int, 0, o.Batch), draws: make([]int, 0, o.Batch)}
		for _, h := range set.Heads() {
			b.Y = append(b.Y, make([]float32, o.Batch*len(h.Labels)))
			b.Label = append(b.Label, make([]int, 0, o.Batch))
		}
		f.free <- b
	}
	f.wg.Go(f.run)
	return f
}

// Next is the next batch, valid until Release; io.EOF after the last one. An example that cannot be read is an error, and so
// are all calls after it.
func (f *Feed) Next() (*Batch, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	m, ok := <-f.ready
	if !ok {
		return nil, io.EOF
	}
	f.failed = m.err
	return m.b, m.err
}

// Release gives a batch's memory back.
func (f *Feed) Release(b *Batch) { f.free <- b }

// Close ends the feed and waits for its goroutines.
func (f *Feed) Close() {
	close(f.stop)
	f.wg.Wait()
}

func (f *Feed) run() {
	defer close(f.ready)
	n := f.deal.drawn()
	for epoch, from := f.o.Epoch, f.o.Number; epoch < f.o.Epochs; epoch, from = epoch+1, 0 {
		var order []int
		if f.o.Shuffle {
			order = f.deal.order(epoch)
		}
		for number := from; number < f.o.Batches(n); number++ {
			var b *Batch
			select {
			case b = <-f.free:
			case <-f.stop:
				return
			}
			b.Epoch, b.Number = epoch, number
			b.Example, b.draws = b.Example[:0], b.draws[:0]
			for k := number * f.o.Batch; k < min((number+1)*f.o.Batch, n); k++ {
				v := k
				if order != nil {
					v = order[k]
				}
				b.Example, b.draws = append(b.Example, v%f.deal.n), append(b.draws, v)
			}
			err := f.fill(b)
			f.ready <- made{b, err} // has room for all batches there are
			if err != nil {
				return
			}
		}
	}
}

// fill makes a batch out of its examples.
func (f *Feed) fill(b *Batch) error {
	b.N = len(b.Example)
	size := len(b.X) / f.o.Batch
	clear(b.X[b.N*size:])
	for h, head := range f.set.Heads() {
		k := len(head.Labels)
		clear(b.Y[h])
		b.Label[h] = b.Label[h][:0]
		for row, i := range b.Example {
			l := f.set.Label(i, h)
			b.Label[h] = append(b.Label[h], l)
			if l >= 0 {
				b.Y[h][row*k+l] = 1
			}
		}
	}
	if err := f.inputs(b, size); err != nil {
		return err
	}
	if f.mix != nil {
		f.mix.batch(b, size)
	}
	return nil
}

// inputs makes a batch's rows, some at a time.
func (f *Feed) inputs(b *Batch, size int) error {
	workers := min(max(1, f.o.Workers), max(1, b.N))
	if workers == 1 {
		return f.rows(b, 0, 1, size)
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = f.rows(b, w, workers, size) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// rows makes every step'th row of a batch.
func (f *Feed) rows(b *Batch, first, step, size int) error {
	source := rand.NewPCG(0, 0)
	r := rand.New(source)
	if !f.o.Shuffle {
		r = nil
	}
	for row := first; row < b.N; row += step {
		draw(source, f.o.Seed, b.Epoch, b.draws[row])
		if err := f.set.Input(b.X[row*size:(row+1)*size], b.Example[row], r); err != nil {
			return fmt.Errorf("epoch %d: %w", b.Epoch+1, err)
		}
	}
	return nil
}
