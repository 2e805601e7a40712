package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/train/recipe"
)

// Resumable tells what is wrong with going on in the folder of options that were given: there is no run in it and nothing is said of
// what to train, or there is a cross-validation, of so many folds, 0 where none were asked for. A folder where a run never got as far as
// to write its options passes with all that it takes to begin it.
func Resumable(o recipe.Options, folds int) error {
	if _, err := os.Lstat(filepath.Join(o.Out, OptionsFile)); o.Out == "" || err == nil && folds == 0 {
		return nil // what is not said is missing, which Check tells
	}
	if b, err := os.ReadFile(filepath.Join(o.Out, FoldDir(1), OptionsFile)); err == nil && (folds == 0 || o.Data == "") {
		of := "N"
		if was, err := recipe.Parse(b); err == nil {
			if _, parts, ok := strings.Cut(was.Fold, "/"); ok {
				of = parts
			}
		}
		return &UsedError{o.Out, fmt.Sprintf("holds a cross-validation: to go on with it, give the command that began it again, with --folds %s and --resume", of)}
	}
	if o.Data == "" {
		return &UsedError{o.Out, "there is no run in it to go on with"}
	}
	return nil
}

// Apart tells whether a folder holds the other kind: a cross-validation where a run is to begin, of no folds, or a run where a
// cross-validation is. Beside each other in one folder, the run alone would be seen.
func Apart(dir string, folds int) error {
	switch {
	case dir == "": // what is missing, Check tells
	case folds > 0 && IsRun(dir):
		return &UsedError{dir, "holds a run, and a cross-validation has a folder of its own: name another folder"}
	case folds == 0 && IsRun(filepath.Join(dir, FoldDir(1))):
		return &UsedError{dir, "holds a cross-validation, and a run has a folder of its own: name another folder"}
	}
	return nil
}

// FoldDir is the name of the folder of a cross-validation's fold, from 1, below the folder of them all.
func FoldDir(fold int) string { return fmt.Sprintf("fold%d", fold) }
