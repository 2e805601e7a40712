package pack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// FullError says that there is no room for a set. What was stored before stays.
type FullError struct {
	Path string
	Err  error // the system's: ENOSPC, EDQUOT or EFBIG
}

func (e *FullError) Error() string {
	what := "the disk is full: make room"
	if errors.Is(e.Err, syscall.EFBIG) {
		what = "the limit on the size of files is reached: raise it"
	}
	if name, ok := strings.CutSuffix(e.Path, merging); ok {
		return fmt.Sprintf("write %s: %s, and merge again", name, what)
	}
	return fmt.Sprintf("write %s: %s, and run the import again, and it goes on", e.Path, what)
}

// Unwrap gives the system's error.
func (e *FullError) Unwrap() error { return e.Err }

// full finds out whether an error of writing means that there is no room: SQLite says no more than that writing failed.
func full(path string, err error) error {
	if !errors.Is(err, sqlite3.IOERR) && !errors.Is(err, sqlite3.FULL) {
		return err
	}
	size := int64(0)
	for _, end := range []string{"", "-wal", "-journal"} {
		if st, err := os.Stat(path + end); err == nil {
			size = max(size, st.Size())
		}
	}
	f, e := os.CreateTemp(filepath.Dir(path), ".room-*")
	if e == nil {
		_, e = f.WriteAt(make([]byte, 1<<20), size) // with a hole before it, which takes no room
		e = errors.Join(e, f.Close(), os.Remove(f.Name()))
	}
	if errors.Is(e, syscall.ENOSPC) || errors.Is(e, syscall.EDQUOT) || errors.Is(e, syscall.EFBIG) {
		return &FullError{path, e}
	}
	return err
}
