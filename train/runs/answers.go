package runs

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/google/renameio/v2"

	"gleaner/train/eval"
)

// The files that a run leaves when it is at its end.
const (
	ResultFile  = "result.json" // it is written last: a folder with it holds a finished run
	AnswersFile = "answers.csv"
)

// Which pictures an answer is to.
const (
	Validation = "validation" // they chose the weights
	Test       = "test"       // they chose nothing
)

// Answer is what a run's bundle answers to a picture that it did not learn from, for the first head.
type Answer struct {
	Picture string // its name, such as its file
	Truth   string
	Answer  string
	P       float64 // of Answer, 0 to 1
}

// Right tells whether the answer is the truth.
func (a *Answer) Right() bool { return a.Answer == a.Truth }

// End writes down what the run came to: what its bundle answers to the validation and the test pictures, either of which may be nil,
// and last the result. name names the pictures of a kind.
func (f *Folder) End(result any, validation, test *eval.Answers, name func(kind string, i int) string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(answersHeader)
	for _, s := range []struct {
		kind string
		a    *eval.Answers
	}{{Validation, validation}, {Test, test}} {
		if s.a == nil {
			continue
		}
		for i, k := range s.a.Best() {
			if t := s.a.Truth[i]; t >= 0 {
				_ = w.Write([]string{s.kind, name(s.kind, i), s.a.Labels[t], s.a.Labels[k], strconv.FormatFloat(float64(s.a.P[i][k]), 'g', 6, 64)})
			}
		}
	}
	w.Flush()
	if err := renameio.WriteFile(filepath.Join(f.Dir, AnswersFile), b.Bytes(), 0o644, renameio.WithTempDir(f.Dir)); err != nil {
		return fmt.Errorf("write the answers: %w", err)
	}
	text, err := json.MarshalIndent(result, "", "  ")
	if err == nil {
		err = renameio.WriteFile(filepath.Join(f.Dir, ResultFile), append(text, '\n'), 0o644, renameio.WithTempDir(f.Dir))
	}
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

var answersHeader = []string{"set", "picture", "truth", "answer", "p"}

// readAnswers reads answers.csv, by kind; a folder without one has none.
func readAnswers(dir string) (map[string][]Answer, error) {
	all := map[string][]Answer{}
	path := filepath.Join(dir, AnswersFile)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the answers: %w", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], answersHeader) {
		return nil, fmt.Errorf("read %s: its first line is not %v", path, answersHeader)
	}
	for n, r := range rows[1:] {
		p, err := strconv.ParseFloat(r[4], 64)
		if err != nil || !(p >= 0 && p <= 1) {
			return nil, fmt.Errorf("read %s: line %d: %q is no probability", path, n+2, r[4])
		}
		all[r[0]] = append(all[r[0]], Answer{r[1], r[2], r[3], p})
	}
	return all, nil
}

// summary is the figures of answers; nil for none.
func summary(all []Answer) *eval.Summary {
	if len(all) == 0 {
		return nil
	}
	var labels []string
	at := map[string]int{}
	index := func(label string) int {
		k, ok := at[label]
		if !ok {
			k = len(labels)
			at[label], labels = k, append(labels, label)
		}
		return k
	}
	truth, answers := make([]int, len(all)), make([]int, len(all))
	for i, a := range all {
		truth[i], answers[i] = index(a.Truth), index(a.Answer)
	}
	return eval.SummariseAnswers(labels, truth, answers)
}
