package pack

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// application marks the files of this package (SQLite's application_id): "GLDS".
const application = 0x474c4453

// version is that of the tables below. A reader takes its own version alone.
const version = 1

const tables = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE source (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, sha256 BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL) STRICT;
CREATE TABLE example (id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source(id), x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL,
	y1 REAL NOT NULL, class TEXT NOT NULL, attributes TEXT, grp TEXT NOT NULL, crc INTEGER NOT NULL) STRICT;
CREATE TABLE pixels (id INTEGER PRIMARY KEY REFERENCES example(id), bgr BLOB NOT NULL) STRICT;
CREATE TABLE problem (id INTEGER PRIMARY KEY, path TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL, mended INTEGER NOT NULL) STRICT;
`

// ErrNotASet says that a file is something else.
var ErrNotASet = errors.New("not a data set of gleaner")

// ErrDamaged says that a set does not hold what it says.
var ErrDamaged = errors.New("damaged data set")

// ErrUnfinished says that the import that writes a set was interrupted; run it again, and it resumes.
var ErrUnfinished = errors.New("unfinished data set: run the import again, and it goes on where it stopped")

// ErrVersion says that another version of the program wrote a set.
var ErrVersion = errors.New("import the pictures again")

// ErrBusy says that another process writes a set.
var ErrBusy = errors.New("another process writes it: wait for it to end")

// FormatError says that sets, or a set and what is wanted of it, were cut with different options.
type FormatError struct{ text string }

func (e *FormatError) Error() string { return e.text }

// marked tells whether a file begins as a set's does, however damaged the rest is: with SQLite's name, and this package's mark at
// byte 68 (sqlite.org/fileformat.html, 1.3).
func marked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [72]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:16]) == "SQLite format 3\x00" && binary.BigEndian.Uint32(head[68:]) == application
}

// open opens an existing set's database and reads its format.
func open(path string, flags sqlite3.OpenFlag) (db *sqlite3.Conn, f Format, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, f, err
	}
	if st.IsDir() {
		return nil, f, fmt.Errorf("%s is a folder, %w: gleaner data import makes one of pictures", path, ErrNotASet)
	}
	if db, err = sqlite3.OpenFlags(path, flags); err != nil {
		return nil, f, fmt.Errorf("%s: %w", path, err)
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	id, err := number(db, "PRAGMA application_id")
	switch {
	case errors.Is(err, sqlite3.BUSY):
		return nil, f, fmt.Errorf("%s: %w", path, ErrBusy)
	case err != nil && marked(path):
		return nil, f, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	case err != nil || id != application:
		return nil, f, fmt.Errorf("%s: %w", path, ErrNotASet)
	}
	if v, err := number(db, "PRAGMA user_version"); err != nil || v != version {
		return nil, f, fmt.Errorf("%s is of version %d, and this program reads version %d: %w", path, v, version, ErrVersion)
	}
	text, err := meta(db, "format")
	if err == nil {
		err = json.Unmarshal([]byte(text), &f)
	}
	if err == nil {
		err = f.Check()
	}
	if err != nil {
		return nil, f, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return db, f, nil
}

// lock keeps other writers off a set, and makes an empty file where there is none. SQLite's own locks are free between two commits: a
// second import would begin to write there, after it has read what was done before, and both would fail.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|syscall.O_NONBLOCK, 0o644) // a pipe is not waited for
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrBusy), f.Close())
	} // any other error: a network's file system may lock no file that is opened to read, and has SQLite's own locks at least
	return f, nil
}

// create makes an empty set.
func create(path string, f Format) (*sqlite3.Conn, error) {
	format, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	db, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	// Large pages suit large blobs. All is there at once, or, where it is cut short, nothing.
	err = db.Exec(fmt.Sprintf("PRAGMA page_size=16384; BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d;", application, version) + tables)
	if err == nil {
		err = errors.Join(setMeta(db, "format", string(format)), db.Exec("COMMIT"))
	}
	if err != nil {
		db.Close()
		err = full(path, err)
		os.Remove(path) // there is nothing in it
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return db, nil
}

func number(db *sqlite3.Conn, sql string) (n int64, err error) {
	s, _, err := db.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if s.Step() {
		n = s.ColumnInt64(0)
	}
	return n, s.Err()
}

// meta is a value of the meta table; fs.ErrNotExist if it is not there.
func meta(db *sqlite3.Conn, key string) (string, error) {
	s, _, err := db.Prepare("SELECT value FROM meta WHERE key=?")
	if err != nil {
		return "", err
	}
	defer s.Close()
	if err := s.BindText(1, key); err != nil {
		return "", err
	}
	if !s.Step() {
		if s.Err() != nil {
			return "", s.Err()
		}
		return "", fs.ErrNotExist
	}
	return s.ColumnText(0), nil
}

func setMeta(db *sqlite3.Conn, key, value string) error {
	s, _, err := db.Prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer s.Close()
	if err := errors.Join(s.BindText(1, key), s.BindText(2, value)); err != nil {
		return err
	}
	return s.Exec()
}
