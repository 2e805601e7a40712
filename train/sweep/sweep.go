package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"gleaner/train"
	"gleaner/train/checkpoint"
	"gleaner/train/eval"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// The files of a sweep's folder, beside the runs' folders.
const (
	File     = "sweep.json"
	PageFile = "sweep.html"
	lockFile = ".lock"
)

// How a run stands.
const (
	Waiting  = "waiting"
	Finished = "finished"
	Failed   = "failed"
)

// Sweep is a sweep as sweep.json has it.
type Sweep struct {
	Plan
	On   string `json:"on"`   // which pictures chose
	Runs []*Run `json:"runs"` // in the order of the plan
	// Best is the number of the run with the greatest accuracy; 0: none is finished.
	Best    int    `json:"best"`
	Command string `json:"command,omitempty"` // that trains the best once more, with its test pictures and its report

	dir   string
	setUp func(*recipe.Options)
	took  []float64 // seconds of the runs that this process finished
}

// Run is one combination.
type Run struct {
	Number int      `json:"number"` // from 1
	Dir    string   `json:"dir"`    // below the sweep's
	Set    []string `json:"set"`    // key=value, what is its own
	State  string   `json:"state"`
	Reason string   `json:"reason,omitempty"` // why it failed
	Final  bool     `json:"final,omitempty"`  // it would fail again
	// Figures are on the pictures that choose; nil where it is not finished.
	*runs.Figures
	Epoch int           `json:"epoch,omitempty"`    // whose weights are the best
	Loss  float64       `json:"val_loss,omitempty"` // of that epoch
	CPU   float64       `json:"cpu_seconds,omitempty"`
	Test  *runs.Figures `json:"test,omitempty"` // with Tested
	// Verdict is how it is beside the best on the same pictures; empty for the best itself.
	Verdict string `json:"verdict,omitempty"`

	read *runs.Run
}

// Progress is where a sweep is, after a run.
type Progress struct {
	Run  *Run
	Done int // runs that are finished or failed
	Of   int
	Best *Run          // so far; nil: none is finished
	Left time.Duration // by the runs that this process has finished; 0: not known
}

// Teller is told how a sweep goes, on its goroutine.
type Teller struct {
	Run   train.Reporter // of every run
	Begin func(r *Run, of int)
	End   func(p Progress)
}

// Open begins a sweep in the folder of its out=, or with resume goes on with the one that is there. All options of all runs are
// checked. setUp, if not nil, completes the options of each run. Errors are the fault of what was given.
func Open(p Plan, resume bool, setUp func(*recipe.Options)) (*Sweep, error) {
	dir := p.out()
	if dir == "" {
		return nil, errors.New("out= is missing: the folder for the runs of the sweep")
	}
	stored, err := stored(dir)
	switch {
	case err != nil:
		return nil, err
	case stored != nil && !resume:
		return nil, fmt.Errorf("out=%s: holds a sweep already: --resume goes on with it; or name another folder", dir)
	case stored == nil && resume && p.bare():
		return nil, fmt.Errorf("out=%s: there is no sweep to go on with", dir)
	case stored != nil && !p.bare() && !p.same(&stored.Plan):
		return nil, fmt.Errorf("out=%s: the sweep there was begun with other options, and a resumed sweep keeps them: give out= and --resume alone", dir)
	}
	s := stored
	if s == nil {
		s = &Sweep{Plan: p}
	}
	s.dir, s.setUp = dir, setUp
	return s, s.check()
}

// same tells whether two plans have the same runs.
func (p *Plan) same(o *Plan) bool {
	return slices.Equal(p.Args, o.Args) && slices.Equal(p.Try, o.Try) && p.Random == o.Random && p.Seed == o.Seed && p.Folds == o.Folds && p.Tested == o.Tested
}

// bare tells whether nothing but the folder is given.
func (p *Plan) bare() bool {
	return len(p.Args) == 1 && len(p.Try) == 0 && p.Random == 0 && p.Folds == 0 && !p.Tested
}

// stored is the sweep in a folder; nil where there is none.
func stored(dir string) (*Sweep, error) {
	path := filepath.Join(dir, File)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the sweep: %w", err)
	}
	s := &Sweep{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}

// check works out the runs and tells what is wrong with the options of any.
func (s *Sweep) check() error {
	if s.Folds == 1 || s.Folds < 0 {
		return fmt.Errorf("--folds %d: a cross-validation has at least 2", s.Folds)
	}
	if s.Folds > 0 && s.Tested {
		return errors.New("--tested does not go with --folds: a fold's test pictures are a part of data=")
	}
	trials, err := s.trials()
	if err != nil {
		return err
	}
	kept := s.Runs
	s.Runs = nil
	for i, t := range trials {
		r := &Run{Number: i + 1, Dir: fmt.Sprintf("%03d", i+1), Set: t, State: Waiting}
		if i < len(kept) && kept[i].Final && slices.Equal(kept[i].Set, t) {
			r.State, r.Reason, r.Final = Failed, kept[i].Reason, true
		}
		o, err := s.options(t, filepath.Join(s.dir, r.Dir), s.setUp)
		if err != nil {
			return fmt.Errorf("run %d of %d (%s): %w", i+1, len(trials), strings.Join(t, " "), err)
		}
		if share, ofAll := o.ValShare(); s.Folds == 0 && ofAll && share == 0 {
			return fmt.Errorf("val=%s: validation pictures choose the best run; set val=0.1, or let --folds 5 cross-validate", o.Val)
		}
		if _, err := os.Stat(o.Data); err != nil {
			return fmt.Errorf("data=%s: %w", o.Data, errors.Unwrap(err))
		}
		s.Runs = append(s.Runs, r)
	}
	s.On = "validation pictures"
	if s.Folds > 0 {
		s.On = fmt.Sprintf("all pictures, each answered by one of %d networks, that never saw it", s.Folds)
	}
	return nil
}

// Run trains what is not finished yet, one run after the other. A run that fails is noted and the next one begins. When ctx ends, it
// returns an error that wraps train.ErrInterrupted; opening it anew with resume goes on from there. That no run succeeded is an
// error as well.
func (s *Sweep) Run(ctx context.Context, tell Teller) error {
	unlock, err := lock(s.dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.write(); err != nil {
		return err
	}
	for _, r := range s.Runs {
		if r.Final || s.take(r) {
			continue
		}
		if tell.Begin != nil {
			tell.Begin(r, len(s.Runs))
		}
		began := time.Now()
		err := s.one(ctx, r, tell.Run)
		if errors.Is(err, train.ErrInterrupted) || ctx.Err() != nil {
			return fmt.Errorf("%w in run %d of %d; --resume goes on from there", train.ErrInterrupted, r.Number, len(s.Runs))
		}
		if err == nil && !s.take(r) {
			err = errors.New("it left no answers to pictures that could be judged")
		}
		if err != nil {
			var d *train.DivergedError
			r.State, r.Reason, r.Final = Failed, strings.Join(strings.Fields(err.Error()), " "), errors.As(err, &d)
		}
		s.took = append(s.took, time.Since(began).Seconds())
		if err := s.write(); err != nil {
			return err
		}
		if tell.End != nil {
			tell.End(s.progress(r))
		}
	}
	return s.end()
}

// one trains one run, or goes on with it.
func (s *Sweep) one(ctx context.Context, r *Run, tell train.Reporter) error {
	dir := filepath.Join(s.dir, r.Dir)
	o, err := s.options(r.Set, dir, s.setUp)
	if err != nil {
		return err
	}
	_, err = os.Stat(dir)
	if there := err == nil; s.Folds > 0 {
		_, err = train.CrossValidate(ctx, o, s.Folds, there, tell)
	} else {
		_, err = train.Fit(ctx, o, there, tell)
	}
	return err
}

// take reads the figures of a run that is finished, and tells whether it is.
func (s *Sweep) take(r *Run) bool {
	read, err := runs.Read(filepath.Join(s.dir, r.Dir))
	if err != nil || !read.Finished || read.Folds != s.Folds {
		return false
	}
	r.Figures = read.Validation
	if s.Folds > 0 {
		r.Figures = read.Test
	} else {
		r.Test = read.Test
	}
	if r.Figures == nil {
		return false
	}
	r.read, r.State, r.Reason, r.CPU = read, Finished, "", read.CPU
	if b := read.Best; b != nil {
		r.Epoch, r.Loss = b.Epoch, b.ValLoss
	}
	return true
}

// Sorted is the runs, the best first, and those that failed or wait last.
func (s *Sweep) Sorted() []*Run {
	all := slices.Clone(s.Runs)
	slices.SortStableFunc(all, func(a, b *Run) int {
		switch {
		case a.Figures == nil && b.Figures == nil:
			return 0
		case a.Figures == nil:
			return 1
		case b.Figures == nil:
			return -1
		}
		return cmp.Or(cmp.Compare(b.Accuracy.Value, a.Accuracy.Value), cmp.Compare(a.Loss, b.Loss))
	})
	return all
}

func (s *Sweep) best() *Run {
	if b := s.Sorted()[0]; b.Figures != nil {
		return b
	}
	return nil
}

func (s *Sweep) progress(r *Run) Progress {
	p := Progress{Run: r, Of: len(s.Runs), Best: s.best()}
	sum := 0.0
	for _, t := range s.took {
		sum += t / float64(len(s.took))
	}
	for _, o := range s.Runs {
		if o.State != Waiting {
			p.Done++
		}
	}
	p.Left = time.Duration(sum * float64(p.Of-p.Done) * float64(time.Second)).Round(time.Second)
	return p
}

// end says which run is the best, what the others are beside it, and draws the page.
func (s *Sweep) end() error {
	best := s.best()
	if best == nil {
		return fmt.Errorf("none of %d runs came to an end; the first: %s", len(s.Runs), s.Runs[0].Reason)
	}
	s.Best, s.Command = best.Number, s.command(best)
	for _, r := range s.Runs {
		r.Verdict = ""
		if r.read != nil && r != best {
			r.Verdict = beside(r, best, s.Folds > 0)
		}
	}
	if err := s.write(); err != nil {
		return err
	}
	return s.writePage()
}

// beside is how a run is beside the best one, on the pictures that choose.
func beside(r, best *Run, folds bool) string {
	kind := runs.Validation
	if folds {
		kind = runs.Test
	}
	var c *eval.Comparison
	if c = runs.Paired(r.read, best.read, kind); c == nil {
		return "cannot tell: they were judged on different pictures"
	}
	return c.String()
}

// write replaces sweep.json.
func (s *Sweep) write() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = renameio.WriteFile(filepath.Join(s.dir, File), append(text, '\n'), 0o644, renameio.WithTempDir(s.dir))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", File, err)
	}
	return nil
}

// lock makes and takes the folder, for this process alone, and removes what a process that was killed left half written there.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &runs.UsedError{Dir: dir, Problem: fmt.Sprintf("cannot be made: %v", errors.Unwrap(err))}
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, &runs.UsedError{Dir: dir, Problem: fmt.Sprintf("cannot be written: %v", errors.Unwrap(err))}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, &runs.UsedError{Dir: dir, Problem: "another process sweeps there"}
	}
	for _, name := range []string{File, PageFile} {
		if err := checkpoint.Sweep(filepath.Join(dir, name)); err != nil {
			f.Close()
			return nil, err
		}
	}
	return func() { _ = f.Close() }, nil
}
