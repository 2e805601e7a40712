package crop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Box is one thing that a detector found. Rectangles are x0, y0, x1, y1 in pixels of the picture as it is stored.
type Box struct {
	Box    [4]float64 `json:"box"`
	Class  string     `json:"class"` // the detector's
	Score  float64    `json:"score"` // 0 to 1
	Kept   bool       `json:"kept"`  // it is in the set
	Doubts []string   `json:"doubts,omitempty"`
}

// Mark is one thing that people labelled and the detector has a class for.
type Mark struct {
	Box   [4]float64 `json:"box"` // as Box.Box
	Class string     `json:"class"`
	By    int        `json:"by"` // which of the record's boxes finds it; -1: none
}

// Record is all that was found in one picture: a line of the file beside the set.
type Record struct {
	Picture     string `json:"picture"`     // path below the root of the pictures, slash-separated
	Width       int    `json:"width"`       // as stored, pixels
	Height      int    `json:"height"`      // the same
	Orientation int    `json:"orientation"` // EXIF, 1 to 8
	Tiles       int    `json:"tiles"`       // that it was looked at in, besides the whole
	Boxes       []Box  `json:"boxes"`       // by falling score
	Marks       []Mark `json:"marks,omitempty"`
}

// kept is how many boxes of a picture are in the set.
func (r *Record) kept() (n int) {
	for _, b := range r.Boxes {
		if b.Kept {
			n++
		}
	}
	return n
}

// doubted is how many boxes are doubtful.
func (r *Record) doubted() (n int) {
	for _, b := range r.Boxes {
		if len(b.Doubts) > 0 {
			n++
		}
	}
	return n
}

// head is the first line of the file: an interrupted run goes on with the same options only.
type head struct {
	Detector string   `json:"detector"` // the sha256 of its bundle or file
	Labels   []string `json:"labels"`   // those wanted; null: all
	Options  string   `json:"options"`  // in words
}

// journal is the file beside a set with one Record per line. Each is written before its crops are stored, so that it misses none
// of a set's pictures after an interruption; a picture may be in it twice, and the last line counts.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

// openJournal begins a file, or goes on with it where fresh is false.
func openJournal(path string, h head, fresh bool) (*journal, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if !fresh {
		have, err := firstLine(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s is missing, and the crop that was interrupted cannot go on without it: delete the unfinished set", path)
		case err != nil:
			return nil, err
		case have != string(line):
			return nil, fmt.Errorf("%s was begun with other options or another detector: delete the unfinished set, or use those: %s", path, have)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
		if err == nil {
			_, err = f.WriteString("\n") // ends a line that was cut off
		}
		return &journal{file: f}, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(append(line, '\n')); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &journal{file: f}, nil
}

func firstLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	s.Scan()
	return s.Text(), s.Err()
}

// add writes one record; workers call it.
func (j *journal) add(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.file.Write(append(line, '\n'))
	return err
}

func (j *journal) close() error { return j.file.Close() }

// readJournal gives each picture's last record. A line that an interruption cut off is passed over: its picture was done again.
func readJournal(path string) (map[string]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := map[string]Record{}
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<26)
	for first := true; s.Scan(); first = false {
		var r Record
		if !first && json.Unmarshal(s.Bytes(), &r) == nil && r.Picture != "" {
			all[r.Picture] = r
		}
	}
	return all, s.Err()
}
