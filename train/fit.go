package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"gleaner/train/checkpoint"
	"gleaner/train/dataset"
	"gleaner/train/device"
	"gleaner/train/ensemble"
	"gleaner/train/net"
	"gleaner/train/recipe"
	"gleaner/train/runs"
	"gleaner/train/schedule"
	"gleaner/train/step"
	"gleaner/train/weights"
)

// run is a training run under way.
type run struct {
	o        recipe.Options
	tell     Reporter
	folder   *runs.Folder
	backend  *device.Opened
	data     *recipe.Data
	net      *net.Net
	schedule schedule.Rate
	perEpoch int // steps

	train *step.Stepper
	val   *step.Judge // nil without validation pictures

	goesOn bool        // from a checkpoint
	first  net.Weights // that it begins with, unless it goes on from a checkpoint

	state  state
	best   net.Weights      // of state.Best
	voters []ensemble.Voter // whose mean answers the bundle gives; since the export began
	saved  int              // step of the checkpoint that is there; -1: none
	told   time.Time        // when Reporter.Step was called last
}

// Fit trains a network as the options say, or goes on with the run in the options' folder, and leaves the best weights there
// and a bundle of them. When ctx ends, it finishes the step, saves, leaves a bundle of the best weights so far, and returns the
// result with an error that wraps ErrInterrupted. An *InputError says that nothing was trained because of what was given; a
// *DivergedError that numbers became NaN.
func Fit(ctx context.Context, o recipe.Options, resume bool, tell Reporter) (*Result, error) {
	return fitOn(ctx, o, resume, tell, device.Open)
}

// fitOn is Fit on a device that open opens.
func fitOn(ctx context.Context, o recipe.Options, resume bool, tell Reporter, open func(*recipe.Options, func(string)) (*device.Opened, error)) (*Result, error) {
	// The folder that keeps the run, for this process alone.
	if err := o.Check(); err != nil {
		return nil, &InputError{err}
	}
	folder, err := runs.Open(o.Out, resume)
	if err != nil {
		return nil, &InputError{err}
	}
	defer folder.Close()

	// The device, the pictures, the network, and the programs that the device runs.
	opened, err := open(&o, tell.note)
	if err != nil {
		return nil, &InputError{err}
	}
	defer opened.Close()
	r := &run{o: o, tell: tell, folder: folder, backend: opened, state: newState(), best: net.Weights{}, saved: -1}
	if r.data, err = recipe.Open(ctx, &o, tell.Decoded); err != nil {
		if ctx.Err() != nil {
			return nil, errEarly
		}
		return nil, &InputError{err}
	}
	if r.goesOn = resume && folder.HasCheckpoint(); resume && !r.goesOn {
		tell.note("there is no checkpoint yet: it begins anew")
	}
	if err := r.compile(); err != nil {
		return nil, &InputError{err}
	}
	defer r.close()
	if err := r.tellSkipped(); err != nil {
		return nil, err
	}

	// Where it begins: at a checkpoint, or with the first weights, which are tried out before a long run.
	if err := r.begin(ctx); err != nil {
		return nil, err
	}

	// The epochs.
	for !r.done() {
		began := runs.NewStopwatch()
		err := r.epoch(ctx, began)
		if err == nil {
			err = r.endEpoch(began)
		}
		if errors.Is(err, ErrInterrupted) {
			return r.stop(ctx)
		}
		if err != nil {
			return nil, r.advise(err)
		}
	}
	return r.finish(ctx)
}

// compile makes the network and the programs, and works out the schedule.
func (r *run) compile() error {
	drawn := r.o.Feed().Balance.Drawn(r.data.Train)
	if drawn < r.o.Batch {
		r.tell.note(fmt.Sprintf("batch=%d is more than the %d training pictures: it is %d", r.o.Batch, drawn, drawn))
		r.o.Batch = drawn
	}
	r.perEpoch = drawn / r.o.Batch
	steps := func(epochs float64) int { return int(math.Round(epochs * float64(r.perEpoch))) }
	r.schedule = schedule.Rate{Kind: r.o.Schedule, Top: r.o.LR, Warmup: steps(r.o.Warmup), Total: r.o.Epochs * r.perEpoch,
		Every: max(1, steps(r.o.Every)), Factor: r.o.Factor, Final: r.o.Final}
	if err := r.schedule.Check(); r.o.Epochs > 0 && err != nil {
		return err
	}
	var err error
	named := r.o
	if r.goesOn {
		named.Start = "" // those weights are in the checkpoint
	}
	if r.net, r.first, err = recipe.Network(&named, r.data.Train.Shape(), r.data.Heads()); err != nil {
		return err
	}
	if r.train, err = step.New(r.backend, r.net, &r.o, r.o.ClassWeights(r.data)); err != nil {
		return err
	}
	if r.data.Val != nil {
		r.val, err = step.NewJudge(r.backend, r.net, r.data.Val, &r.o, r.o.Average > 0)
	}
	return err
}

// begin sets the variables' first values: those of the checkpoint when a run goes on, else the network's.
func (r *run) begin(ctx context.Context) error {
	if r.goesOn {
		f, err := checkpoint.Read(r.folder.Checkpoint())
		if err != nil {
			return &InputError{err}
		}
		if err := r.restore(f); err != nil {
			return &InputError{err}
		}
		if r.done() {
			r.tell.note(fmt.Sprintf("the run is finished, with epoch %d: only its bundle is made again", r.state.Epoch))
		} else {
			r.tell.note(fmt.Sprintf("goes on from step %d of %d (epoch %d)", r.state.Step, r.o.Epochs*r.perEpoch, r.state.Epoch+1))
		}
		return errors.Join(r.folder.WriteOptions(&r.o), r.folder.CutLog(r.state.History, r.val != nil)) // what may differ is now of the run
	}
	if err := r.folder.WriteOptions(&r.o); err != nil {
		return err
	}
	for name, d := range r.net.First(r.o.Seed) {
		if r.first[name] == nil {
			r.first[name] = d
		}
	}
	if r.o.Probe > 0 {
		if err := r.probe(ctx); err != nil {
			return err
		}
	}
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	if r.o.Probe > 0 {
		if err := r.judgeProbe(); err != nil {
			return err
		}
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.first = nil
	return r.folder.CutLog(nil, r.val != nil)
}

// prepare completes the first weights with what only pictures tell: the statistics of fresh normalisations, and the ranges of
// activations that go through int8. Neither changes the answers; the probe comes before it, so that what it sees depends on no
// choice of training pictures and all folds share one cache. Where no epoch follows, fresh norms stay as the file's layers answer.
func (r *run) prepare() (err error) {
	if r.o.Norms && r.o.Epochs > 0 {
		r.first, err = r.net.FitNorms(r.backend, r.first, r.o.Batch, r.plainBatches)
	}
	if err == nil && r.o.Quantise != 0 {
		r.first, err = r.net.Calibrate(r.backend, r.first, r.o.Batch, r.plainBatches)
	}
	return err
}

// start puts the first weights, and the optimiser's and the averages' first values, into the backend.
func (r *run) start() error {
	if err := r.net.Load(r.backend, r.first); err != nil {
		return err
	}
	states := r.net.StartStates(r.first)
	for _, v := range r.net.States() {
		if err := r.backend.Write(v, states[v.Name]); err != nil {
			return fmt.Errorf("write %s: %w", v.Name, err)
		}
	}
	return nil
}

// done tells whether the run is at its end.
func (r *run) done() bool { return r.state.Epoch >= r.o.Epochs || r.early() }

func (r *run) early() bool { return r.o.Patience > 0 && r.state.Since >= r.o.Patience }

// epoch does the steps of an epoch that are left. Several may be under way on the device; a checkpoint waits for them.
func (r *run) epoch(ctx context.Context, began *runs.Stopwatch) error {
	as := r.o.Feed()
	as.Epoch, as.Number, as.Epochs = r.state.Epoch, r.state.Batch, r.state.Epoch+1
	feed := dataset.NewFeed(r.data.Train, as)
	defer feed.Close()
	s := &r.state
	var under []*dataset.Batch // those whose steps are under way
	for {
		started := s.Step + len(under)
		all := s.Batch+len(under) == r.perEpoch
		saves := r.o.Save > 0 && started%r.o.Save == 0 && started != r.saved
		switch {
		case len(under) > 0 && (len(under) == r.backend.Depth || all || saves || ctx.Err() != nil):
			b := under[0]
			under = append(under[:0], under[1:]...)
			if err := r.account(b, len(under)); err != nil {
				return err
			}
			began.Pictures += b.N
			feed.Release(b)
			r.progress(began)
		case ctx.Err() != nil:
			return ErrInterrupted
		case all:
			return nil
		case saves && s.Step > 0:
			if err := r.save(); err != nil {
				return err
			}
		default:
			b, err := feed.Next()
			if err != nil {
				return err
			}
			if err := r.train.Start(b, started, r.rate(started)); err != nil {
				return err
			}
			under = append(under, b)
		}
	}
}

// account waits for a step, behind which others are under way, and adds it up.
func (r *run) account(b *dataset.Batch, others int) error {
	loss, err := r.train.Finish()
	if err != nil {
		return fmt.Errorf("step %d: %w", r.state.Step+1, err)
	}
	if !finite(loss) {
		for range others {
			_, _ = r.train.Finish() // nothing of them counts
		}
		return r.badLoss(loss, b)
	}
	right, answers := r.train.Right(b)
	s := &r.state
	s.Step, s.Batch = s.Step+1, s.Batch+1
	s.Loss += loss
	s.Right, s.Answers = s.Right+right, s.Answers+answers
	return nil
}

// endEpoch validates, decides whether these weights are the best, and writes all of it down: the best weights, the log, and
// last the checkpoint, so that a kill in between only does the end of the epoch again.
func (r *run) endEpoch(began *runs.Stopwatch) error {
	trained := began.Lap()
	s := &r.state
	row := runs.Row{Epoch: s.Epoch + 1, Step: s.Step, LR: r.rate(s.Step - 1), TrainLoss: s.Loss / float64(r.perEpoch),
		TrainAcc: float64(s.Right) / float64(max(1, s.Answers))}
	if r.o.Settle && (r.val != nil || s.Epoch+1 == r.o.Epochs) {
		if err := r.net.SettleNorms(r.backend, r.o.Average > 0, r.o.Batch, r.plainBatches); err != nil {
			return err
		}
	}
	if r.val != nil {
		var err error
		if row.ValLoss, row.ValAcc, err = r.val.Score(); err != nil {
			return fmt.Errorf("validation: %w", err)
		}
		if !finite(row.ValLoss) {
			return r.badValidation(row.ValLoss)
		}
	}
	better := len(r.best) == 0 || runs.Better(row, s.Best, r.o.Keep)
	if err := r.candidate(row); err != nil {
		return err
	}
	s.Since++
	if better {
		w, err := r.bestNow(r.best)
		if err != nil {
			return err
		}
		r.best, s.Best, s.Since = w, row, 0
		if err := weights.Save(r.folder.Best(), r.net, r.data.Heads(), w, row); err != nil {
			return err
		}
	}
	s.Epoch, s.Batch, s.Loss, s.Right, s.Answers = s.Epoch+1, 0, 0, 0, 0
	s.History = append(s.History, row)
	if r.o.Schedule == "plateau" && s.Plateau.Observe(row.ValLoss, r.o.Wait, r.o.Factor) {
		r.tell.note(fmt.Sprintf("the validation loss has not fallen for %d epochs: lr is now %.3g", r.o.Wait+1, r.rate(s.Step)))
	}
	t := trained
	t.Seconds = began.Seconds()
	if err := r.folder.AppendLog(row, r.val != nil, t); err != nil {
		return err
	}
	if err := r.save(); err != nil {
		return err
	}
	if r.tell.Epoch != nil {
		r.tell.Epoch(row, t, better)
	}
	return nil
}

// stop saves where the run is and leaves a bundle of the best weights so far, or of the present ones where there are none yet.
func (r *run) stop(ctx context.Context) (result *Result, err error) {
	if r.saved != r.state.Step {
		if err := r.save(); err != nil {
			return nil, r.advise(err)
		}
	}
	where := fmt.Errorf("%w in epoch %d of %d, after step %d; saved: --resume goes on from there", ErrInterrupted, r.state.Epoch+1, r.o.Epochs, r.state.Step)
	unsettled := len(r.best) == 0 || r.val == nil // no epoch has ended that settles the norms
	if len(r.best) == 0 {
		if r.best, err = r.bestNow(r.best); err != nil {
			return nil, err
		}
	}
	if r.o.Settle && unsettled {
		if r.best, err = r.net.Settle(r.backend, r.best, r.o.Batch, r.plainBatches); err != nil {
			return nil, err
		}
	}
	if result, err = r.export(ctx); err != nil {
		return nil, fmt.Errorf("%w; but there is no bundle: %w", where, err)
	}
	return result, where
}

// finish measures the best weights on the test pictures and leaves a bundle of them.
func (r *run) finish(ctx context.Context) (*Result, error) {
	result, err := r.export(ctx)
	if err != nil {
		return nil, err
	}
	result.Early = r.early() && r.state.Epoch < r.o.Epochs
	return result, r.keep(result)
}

// close ends what compile began.
func (r *run) close() {
	if r.val != nil {
		r.val.Close()
	}
	_ = r.train.Run.Close()
}
