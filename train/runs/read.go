package runs

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gleaner/train/eval"
	"gleaner/train/recipe"
)

// Run is what a run's folder says of it, or the folder of a cross-validation, whose folds are then one run.
type Run struct {
	Dir      string         `json:"dir"`
	Options  recipe.Options `json:"-"`
	Folds    int            `json:"folds,omitempty"`   // of a cross-validation, those that are there; 0: it is none
	Finished bool           `json:"finished"`          // it came to its end; of a cross-validation, every fold did
	Epochs   int            `json:"epochs"`            // that are done, of all folds
	History  []Row          `json:"history,omitempty"` // empty for a cross-validation
	// Best is the epoch whose weights the bundle has, Last the last one; nil where no epoch was finished, and for a cross-validation.
	Best *Row `json:"best,omitempty"`
	Last *Row `json:"last,omitempty"`
	// Validation and Test are the figures of the bundle's answers to those pictures; nil where none are kept. A cross-validation has the
	// test pictures of all its folds, each answered by a network that never saw it.
	Validation *Figures `json:"validation,omitempty"`
	Test       *Figures `json:"test,omitempty"`
	// CPU and Seconds are those of the epochs, as the log has them: processor time without validation, and time on the clock with it.
	CPU     float64 `json:"cpu_seconds"`
	Seconds float64 `json:"seconds"`

	answers map[string][]Answer
}

// Figures are what answers come to.
type Figures struct {
	Pictures int        `json:"pictures"`
	Accuracy eval.Share `json:"accuracy"` // Wilson
	MacroF1  eval.Share `json:"macro_f1"` // bootstrap
}

// NotRunError says that a folder is not, or not yet, what was asked for, and what to do.
type NotRunError struct{ Dir, Problem string }

func (e *NotRunError) Error() string { return fmt.Sprintf("%s: %s", e.Dir, e.Problem) }

// Read reads a run's folder, or that of a cross-validation. A folder that is neither is a *NotRunError.
func Read(dir string) (*Run, error) {
	if IsRun(dir) {
		return readRun(dir)
	}
	folds, _ := filepath.Glob(filepath.Join(escape(dir), "fold*", OptionsFile)) // its only error is a bad pattern
	if len(folds) > 0 {
		return readFolds(dir, folds)
	}
	switch st, err := os.Stat(dir); {
	case err != nil:
		return nil, &NotRunError{dir, fmt.Sprintf("no run's folder: %v", cause(err))}
	case !st.IsDir():
		return nil, &NotRunError{dir, "no run's folder, but a file"}
	}
	problem := fmt.Sprintf("no run's folder: it has no %s; name the out= of a gleaner train", OptionsFile)
	if inside, err := List(dir); err == nil && len(inside) > 0 {
		problem = fmt.Sprintf("no run's folder itself, but it has runs in it, such as %s: name those", inside[0])
	}
	return nil, &NotRunError{dir, problem}
}

// escape is a path as Glob takes it literally.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// IsRun tells whether a run was begun in a folder.
func IsRun(dir string) bool {
	st, err := os.Stat(filepath.Join(dir, OptionsFile))
	return err == nil && st.Mode().IsRegular()
}

// List finds the runs in a folder and up to three folders below it, in the order of their names. What is in a run is not looked into;
// a cross-validation counts as one.
func List(dir string) (found []string, err error) {
	return list(dir, 3)
}

func list(dir string, depth int) (found []string, err error) {
	if IsRun(dir) || IsRun(filepath.Join(dir, "fold1")) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &NotRunError{dir, fmt.Sprintf("cannot be read: %v", cause(err))}
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") || depth == 0 {
			continue
		}
		inside, err := list(filepath.Join(dir, e.Name()), depth-1)
		if err != nil {
			continue // of others' folders, one that may not be looked into holds nothing for us
		}
		found = append(found, inside...)
	}
	return found, nil
}

func readRun(dir string) (*Run, error) {
	r := &Run{Dir: dir}
	path := filepath.Join(dir, OptionsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the options of the run: %w", err)
	}
	if r.Options, err = recipe.Parse(text); err != nil {
		return nil, &NotRunError{dir, fmt.Sprintf("%s cannot be read: %v", OptionsFile, err)}
	}
	if err := r.readLog(); err != nil {
		return nil, err
	}
	if r.answers, err = readAnswers(dir); err != nil {
		return nil, err
	}
	if n := len(r.History); n > 0 {
		best := r.History[0]
		for _, row := range r.History[1:] {
			if Better(row, best, r.Options.Keep) {
				best = row
			}
		}
		r.Best, r.Last = &best, &r.History[n-1]
	}
	if r.Finished, err = r.ended(); err != nil {
		return nil, err
	}
	r.figures()
	return r, nil
}

// ended tells whether the run came to its end. Runs that left no result are told by their log and their bundle.
func (r *Run) ended() (bool, error) {
	text, err := os.ReadFile(filepath.Join(r.Dir, ResultFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err := os.Stat(filepath.Join(r.Dir, BundleDir))
		all := len(r.History) >= r.Options.Epochs && r.Options.Epochs > 0
		early := r.Options.Patience > 0 && r.Best != nil && len(r.History)-r.Best.Epoch >= r.Options.Patience
		return err == nil && (all || early), nil
	case err != nil:
		return false, fmt.Errorf("read the result of the run: %w", err)
	}
	var result struct {
		Best Row `json:"best"`
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return false, &NotRunError{r.Dir, fmt.Sprintf("%s cannot be read: %v", ResultFile, err)}
	}
	r.Best = &result.Best // epoch 0: the probe was the best
	return true, nil
}

// Better tells whether an epoch is better than the best so far by what keep= says; of equally accurate ones that with the lower loss.
func Better(row, best Row, keep string) bool {
	switch {
	case keep == "last":
		return true
	case keep == "loss" || row.ValAcc == best.ValAcc:
		return row.ValLoss < best.ValLoss
	}
	return row.ValAcc > best.ValAcc
}

func (r *Run) figures() {
	of := func(kind string) *Figures {
		s := summary(r.answers[kind])
		if s == nil {
			return nil
		}
		return &Figures{s.Pictures, s.Accuracy, s.MacroF1}
	}
	r.Validation, r.Test = of(Validation), of(Test)
}

// readLog reads the log's rows and adds up what they took. A run that was killed before its first epoch has none.
func (r *Run) readLog() error {
	path := filepath.Join(r.Dir, LogFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer f.Close()
	c := csv.NewReader(f)
	c.FieldsPerRecord = -1
	rows, err := c.ReadAll()
	if err != nil || len(rows) == 0 || !slices.Equal(rows[0], logHeader) {
		return &NotRunError{r.Dir, fmt.Sprintf("%s cannot be read: it does not begin with %s", LogFile, strings.Join(logHeader, ","))}
	}
	before := 0
	for n, cells := range rows[1:] {
		row, t, err := parseRow(cells)
		if err != nil {
			if n == len(rows)-2 {
				break // a kill cut the last row off; the run writes it anew
			}
			return &NotRunError{r.Dir, fmt.Sprintf("%s cannot be read: line %d: %v", LogFile, n+2, err)}
		}
		r.History = append(r.History, row)
		r.CPU += t.CPU / 1000 * float64((row.Step-before)*r.Options.Batch)
		r.Seconds += t.Seconds
		before = row.Step
	}
	r.Epochs = len(r.History)
	return nil
}

// parseRow is a line of the log; cells that are empty are 0.
func parseRow(cells []string) (r Row, t Timing, err error) {
	if len(cells) != len(logHeader) {
		return r, t, fmt.Errorf("%d cells, not %d", len(cells), len(logHeader))
	}
	number := func(text string) float64 {
		if text == "" {
			return 0
		}
		v, e := strconv.ParseFloat(text, 64)
		err = errors.Join(err, e)
		return v
	}
	r = Row{Epoch: int(number(cells[0])), Step: int(number(cells[1])), LR: number(cells[2]), TrainLoss: number(cells[3]), TrainAcc: number(cells[4]),
		ValLoss: number(cells[5]), ValAcc: number(cells[6])}
	t = Timing{Rate: number(cells[7]), CPU: number(cells[8]), Seconds: number(cells[9])}
	return r, t, err
}

// readFolds reads the folds of a cross-validation as one run: the test pictures of all of them together.
func readFolds(dir string, folds []string) (*Run, error) {
	all := &Run{Dir: dir, Folds: len(folds), Finished: true, answers: map[string][]Answer{}}
	var first *Run
	for i, path := range folds {
		r, err := readRun(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first, all.Options = r, r.Options
		}
		if err := sameFolds(dir, first, r); err != nil {
			return nil, err
		}
		_, of, _ := strings.Cut(r.Options.Fold, "/")
		all.Finished = all.Finished && r.Finished && of == strconv.Itoa(len(folds))
		all.Epochs, all.CPU, all.Seconds = all.Epochs+r.Epochs, all.CPU+r.CPU, all.Seconds+r.Seconds
		all.answers[Test] = append(all.answers[Test], r.answers[Test]...)
	}
	all.Options.Out, all.Options.Fold = dir, ""
	all.figures()
	return all, nil
}

// sameFolds tells whether two folds were trained in the same way, each on its own part. A batch that holds all training pictures is as
// large as there are such, which folds may differ in.
func sameFolds(dir string, a, b *Run) error {
	as := b.Options
	as.Fold = a.Options.Fold
	if a.whole() && b.whole() {
		as.Batch = a.Options.Batch
	}
	if key := differs(a.Options, as); key != "" {
		const problem = "its folds do not count as one run: %s has %s=%s and %s has %s=%s; train them anew, in another folder"
		return &NotRunError{dir, fmt.Sprintf(problem, filepath.Base(a.Dir), key, a.Options.Value(key),
			filepath.Base(b.Dir), key, as.Value(key))}
	}
	return nil
}

// whole tells whether no epoch has more than one step.
func (r *Run) whole() bool {
	return len(r.History) == 0 || r.History[len(r.History)-1].Step <= len(r.History)
}
