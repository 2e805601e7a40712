// Package runs is a training run's folder: who may write there, the exact options, the log with a row per epoch, what it came
// to, and where the checkpoint, the best weights and the bundle are; and several such folders side by side. What stands in those is not its business.
package runs

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"gleaner/train/checkpoint"
	"gleaner/train/recipe"
)

// The files of a run's folder.
const (
	OptionsFile    = "options.json"
	LogFile        = "log.csv"
	CheckpointFile = "checkpoint.safetensors"
	BestFile       = "best.safetensors"
	SkippedFile    = "skipped.csv"
	BundleDir      = "bundle"
	lockFile       = ".lock"
)

// Row is what an epoch came to. Losses are means over pictures, accuracies shares of the right among the answers of all heads.
type Row struct {
	Epoch     int     `json:"epoch"` // from 1
	Step      int     `json:"step"`  // steps since the beginning
	LR        float64 `json:"lr"`    // learning rate of the epoch's last step
	TrainLoss float64 `json:"train_loss"`
	TrainAcc  float64 `json:"train_acc"`
	ValLoss   float64 `json:"val_loss"` // cross-entropy, without smoothing; 0 without validation pictures
	ValAcc    float64 `json:"val_acc"`
}

// UsedError says that a run's folder cannot be used, and what to do.
type UsedError struct{ Dir, Problem string }

func (e *UsedError) Error() string { return fmt.Sprintf("out=%s: %s", e.Dir, e.Problem) }

// Folder is a run's folder, held by one process at a time.
type Folder struct {
	Dir  string
	lock *os.File
	made bool // by Open
}

// Options is the path of the exact options.
func (f *Folder) Options() string { return filepath.Join(f.Dir, OptionsFile) }

// Log is the path of the log.
func (f *Folder) Log() string { return filepath.Join(f.Dir, LogFile) }

// Checkpoint is the path of the checkpoint.
func (f *Folder) Checkpoint() string { return filepath.Join(f.Dir, CheckpointFile) }

// Skipped is the path of the list of files that were left out.
func (f *Folder) Skipped() string { return filepath.Join(f.Dir, SkippedFile) }

// HasCheckpoint tells whether there is one, sound or not.
func (f *Folder) HasCheckpoint() bool {
	_, err := os.Lstat(f.Checkpoint())
	return err == nil
}

// Bundle is the path of the bundle.
func (f *Folder) Bundle() string { return filepath.Join(f.Dir, BundleDir) }

// Best is the path of the best weights.
func (f *Folder) Best() string { return filepath.Join(f.Dir, BestFile) }

// candidateFile begins the name of a file with weights that an ensemble may be made of.
const candidateFile = "candidate-"

// Candidate is the path of the weights of an epoch that an ensemble may be made of; epoch 0: those that the run began with.
func (f *Folder) Candidate(epoch int) string {
	return filepath.Join(f.Dir, fmt.Sprintf("%s%04d.safetensors", candidateFile, epoch))
}

// Missing is the path of the first candidate, of the epochs of these rows, that is not there; empty: none is missing.
func (f *Folder) Missing(candidates []Row) string {
	for _, r := range candidates {
		if _, err := os.Lstat(f.Candidate(r.Epoch)); err != nil {
			return f.Candidate(r.Epoch)
		}
	}
	return ""
}

// KeepCandidates removes all candidates but those of the epochs of these rows.
func (f *Folder) KeepCandidates(candidates []Row) error {
	there, err := os.ReadDir(f.Dir)
	if err != nil {
		return fmt.Errorf("remove candidates: %w", cause(err))
	}
	for _, e := range there {
		path := filepath.Join(f.Dir, e.Name())
		if !strings.HasPrefix(e.Name(), candidateFile) || slices.ContainsFunc(candidates, func(r Row) bool { return f.Candidate(r.Epoch) == path }) {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove a candidate: %w", err)
		}
	}
	return nil
}

// Open makes or takes the folder. Without resume a folder that holds a run already is refused.
func Open(dir string, resume bool) (*Folder, error) {
	made := !Begun(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &UsedError{dir, fmt.Sprintf("cannot be made: %v", cause(err))}
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, &UsedError{dir, fmt.Sprintf("cannot be written: %v", cause(err))}
	}
	f := &Folder{dir, lock, made}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, &UsedError{dir, "another process trains there"}
	}
	if !resume {
		for _, name := range []string{OptionsFile, CheckpointFile, BestFile, BundleDir} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				f.Close()
				return nil, &UsedError{dir, "holds a run already: --resume goes on with it; or name another folder"}
			}
		}
	}
	if err := f.sweep(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// TryFile begins the name of a file that a bundle's network is tried in.
const TryFile = ".try-"

// sweep removes what a process that was killed left half done.
func (f *Folder) sweep() error {
	for _, name := range []string{OptionsFile, LogFile, CheckpointFile, BestFile, SkippedFile, AnswersFile, ResultFile} {
		if err := checkpoint.Sweep(filepath.Join(f.Dir, name)); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return fmt.Errorf("sweep %s: %w", f.Dir, cause(err))
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, TryFile) || strings.HasPrefix(name, "."+candidateFile) || strings.HasPrefix(name, ".new-") { // the latter a bundle's
			if err := os.RemoveAll(filepath.Join(f.Dir, name)); err != nil {
				return fmt.Errorf("sweep %s: %w", f.Dir, cause(err))
			}
		}
	}
	return nil
}

// Begun tells whether a folder is there, with a run or not yet.
func Begun(dir string) bool {
	st, err := os.Stat(dir)
	return err == nil && st.IsDir()
}

// Close lets another process have the folder. One that Open made, and that nothing was written to, goes.
func (f *Folder) Close() {
	if there, err := os.ReadDir(f.Dir); f.made && err == nil && len(there) == 1 && there[0].Name() == lockFile {
		_ = os.Remove(f.lock.Name()) // what stays is an empty folder, which harms nobody
		_ = os.Remove(f.Dir)
	}
	_ = f.lock.Close() // and with it the lock
}

// cause is a file error without the path, which the caller names.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Stored are the options of the run in a folder, for going on with it; ok is false where none was begun. Options that were
// given again must be those of the run, as Same has it; setUp, if not nil, completes them as it did those that the run was begun with.
// A larger batch passes: a run with fewer pictures takes the lower again, and where it does not, its checkpoint says so.
func Stored(dir string, given []string, setUp func(*recipe.Options)) (o recipe.Options, ok bool, err error) {
	path := filepath.Join(dir, OptionsFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return o, false, nil
	}
	if err != nil {
		return o, false, fmt.Errorf("read the options of the run: %w", err)
	}
	if o, err = recipe.Parse(b); err != nil {
		return o, false, fmt.Errorf("read %s: %w", path, err)
	}
	was := o
	if err := o.SetAll(given); err != nil {
		return o, false, err
	}
	if setUp != nil {
		setUp(&o)
	}
	was.Batch = max(was.Batch, o.Batch)
	if err := Same(was, o); err != nil {
		return o, false, err
	}
	o.Out = dir
	return o, true, nil
}

// Same tells whether a run that was begun with some options may go on with others: what differs may not change its numbers, which where
// its files are, how it is computed and how its file holds the numbers do not. The error names the first key that does.
func Same(was, is recipe.Options) error {
	key := differs(was, is)
	if key == "" {
		return nil
	}
	return fmt.Errorf("%s=%s: the run was begun with %s=%s, and a resumed run keeps its options: give that again, or another folder as out=",
		key, is.Value(key), key, was.Value(key))
}

// SameText is Same for options as options.json and a checkpoint have them.
func SameText(was string, is recipe.Options) error {
	o, err := recipe.Parse([]byte(was))
	if err != nil {
		return fmt.Errorf("its options cannot be read: %w", err)
	}
	return Same(o, is)
}

// differs is the first key that decides a run's numbers and has not the same value; empty: there is none. The batch comes last: where
// there are fewer pictures, other keys decide how many.
func differs(was, is recipe.Options) (key string) {
	was.Complete()
	is.Complete()
	for i, k := range is.Keys() {
		switch k.Name {
		case "out", "data", "test", "device", "threads", "workers", "cache", "save", "export", "maylose":
			continue
		case "val": // pictures of its own may have moved, a share decides which they are
			a, share := was.ValShare()
			if b, also := is.ValShare(); share == also && (!share || a == b) {
				continue
			}
		}
		switch {
		case k.Value == was.Keys()[i].Value:
		case k.Name == "batch":
			key = k.Name
		default:
			return k.Name
		}
	}
	return key
}

// Timing is what an epoch took. It stands in the log alone: no two runs have the same.
type Timing struct {
	Rate    float64 `json:"images_per_s"`     // pictures trained on per second
	CPU     float64 `json:"cpu_ms_per_image"` // processor time of this process per picture trained on
	Seconds float64 `json:"seconds"`          // the epoch, validation included, on the clock
}

var logHeader = []string{"epoch", "step", "lr", "train_loss", "train_acc", "val_loss", "val_acc", "images_per_s", "cpu_ms_per_image", "seconds"}

// cells are a row of the log; fields that do not apply stay empty.
func (r Row) cells(validated bool, t *Timing) []string {
	number := func(v float64, digits int) string { return strconv.FormatFloat(v, 'g', digits, 64) }
	c := []string{strconv.Itoa(r.Epoch), strconv.Itoa(r.Step), number(r.LR, 9), number(r.TrainLoss, 9), number(r.TrainAcc, 9), "", "", "", "", ""}
	if validated {
		c[5], c[6] = number(r.ValLoss, 9), number(r.ValAcc, 9)
	}
	if t != nil {
		c[7], c[8], c[9] = number(t.Rate, 4), number(t.CPU, 4), strconv.FormatFloat(math.Round(t.Seconds*100)/100, 'f', -1, 64)
	}
	return c
}

// CutLog brings the log to the epochs of the history: rows of epochs that a kill threw back are taken off, rows that are
// missing are written anew, without their times. It begins a log that is not there.
func (f *Folder) CutLog(history []Row, validated bool) error {
	old, err := os.ReadFile(f.Log())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the log: %w", err)
	}
	r := csv.NewReader(bytes.NewReader(old))
	r.FieldsPerRecord = -1
	rows, _ := r.ReadAll() // what comes after a row that is cut off is written anew
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(logHeader)
	for i, h := range history {
		cells := h.cells(validated, nil)
		if i+1 < len(rows) && len(rows[i+1]) == len(cells) && strings.Join(rows[i+1][:7], ",") == strings.Join(cells[:7], ",") {
			cells = rows[i+1]
		}
		_ = w.Write(cells)
	}
	w.Flush()
	if bytes.Equal(b.Bytes(), old) {
		return nil
	}
	if err := renameio.WriteFile(f.Log(), b.Bytes(), 0o644, renameio.WithTempDir(f.Dir)); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

// AppendLog adds an epoch to the log, on the disk before the checkpoint that counts it.
func (f *Folder) AppendLog(r Row, validated bool, t Timing) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(r.cells(validated, &t))
	w.Flush()
	l, err := os.OpenFile(f.Log(), os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	_, err = l.Write(b.Bytes())
	if err := errors.Join(err, l.Sync(), l.Close()); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

// WriteOptions writes the exact options.
func (f *Folder) WriteOptions(o *recipe.Options) error {
	if err := renameio.WriteFile(f.Options(), o.JSON(), 0o644, renameio.WithTempDir(f.Dir)); err != nil {
		return fmt.Errorf("write the options: %w", err)
	}
	return nil
}

// WriteSkipped lists files that were left out: path and reason.
func (f *Folder) WriteSkipped(rows [][]string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"path", "reason"})
	_ = w.WriteAll(rows)
	if err := renameio.WriteFile(f.Skipped(), b.Bytes(), 0o644, renameio.WithTempDir(f.Dir)); err != nil {
		return fmt.Errorf("list the files that were left out: %w", err)
	}
	return nil
}
