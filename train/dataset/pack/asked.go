package pack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// Asked is one thing that an import was asked for, such as "folder" and its path.
type Asked struct{ Name, Value string }

// Asked writes down in a new set what its import was asked for, and is a *FormatError where an unfinished set was begun with
// anything else: its examples would be those of two imports. It stays there until Finish. An unfinished set that says nothing, as
// those of older versions do, is gone on with.
func (w *Writer) Asked(asked []Asked) error {
	text, err := meta(w.db, "asked")
	if errors.Is(err, fs.ErrNotExist) {
		return w.ask(asked)
	}
	var begun []Asked
	if err == nil {
		err = json.Unmarshal([]byte(text), &begun)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", w.path, ErrDamaged, err)
	}
	had, have := map[string]string{}, map[string]bool{}
	for _, a := range begun {
		had[a.Name] = a.Value
	}
	var other []string
	for _, a := range asked {
		if have[a.Name] = true; had[a.Name] != a.Value {
			other = append(other, fmt.Sprintf("%s %s, not %s", a.Name, worded(had[a.Name]), worded(a.Value)))
		}
	}
	for _, a := range begun {
		if !have[a.Name] {
			other = append(other, fmt.Sprintf("%s %s, not %s", a.Name, worded(a.Value), worded("")))
		}
	}
	if len(other) > 0 {
		return &FormatError{fmt.Sprintf("%s has an unfinished import of %s: delete it, or give the same", w.path, strings.Join(other, "; "))}
	}
	return nil
}

func worded(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// askedRoom is the least room of what an import was asked for, bytes: the finished file does not tell how long a path was.
const askedRoom = 2048

func (w *Writer) ask(asked []Asked) error {
	b, err := json.Marshal(asked)
	if err == nil {
		err = setMeta(w.db, "asked", fmt.Sprintf("%-*s", askedRoom, b))
	}
	if err != nil {
		err = fmt.Errorf("write %s: %w", w.path, full(w.path, err))
	}
	return err
}

// forget takes what an import was asked for out of a set; not one byte of it stays in the file.
func forget(db *sqlite3.Conn) error {
	return db.Exec("PRAGMA secure_delete=ON; DELETE FROM meta WHERE key='asked'")
}
