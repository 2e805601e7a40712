package pack

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// Writer adds to a set. Its methods belong to one goroutine.
type Writer struct {
	path   string
	format Format
	lock   *os.File // held until the file is closed
	db     *sqlite3.Conn
	txn    *sqlite3.Txn
	failed error // after which nothing is written any more
	since  int   // bytes since the last commit
	done   map[string]bool
	source *sqlite3.Stmt
	insert *sqlite3.Stmt
	pixels *sqlite3.Stmt
	issue  *sqlite3.Stmt
}

// commitEvery is how much an interrupted import does again, in bytes.
const commitEvery = 32 << 20

// Create opens a set to write: a new one, or an unfinished one of the same format, which goes on where it stopped. A finished
// set is an error, fs.ErrExist, and one that another process writes ErrBusy.
func Create(path string, f Format) (*Writer, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	lock, err := lock(path)
	if errors.Is(err, syscall.EISDIR) { // open says what is wanted
		_, _, err = open(path, sqlite3.OPEN_READONLY)
	}
	if err != nil {
		return nil, err
	}
	w, err := newWriter(path, f)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	w.lock = lock
	return w, nil
}

// newWriter is Create for a file that no other process writes.
func newWriter(path string, f Format) (*Writer, error) {
	w := &Writer{path: path, format: f, done: map[string]bool{}}
	db, have, err := open(path, sqlite3.OPEN_READWRITE)
	st, absent := os.Stat(path)
	switch {
	case errors.Is(absent, fs.ErrNotExist), absent == nil && err != nil && st.Size() == 0: // cut short before anything was there
		db, err = create(path, f)
	case err == nil:
		if _, e := meta(db, "identity"); e == nil {
			err = fmt.Errorf("%s is finished already, and nothing is added to it: name another, or delete it: %w", path, fs.ErrExist)
		} else if have != f {
			err = &FormatError{fmt.Sprintf("%s has an unfinished import of %s, not of %s: delete it, or use its options", path, have, f)}
		}
		if err != nil {
			db.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	w.db = db
	if err := w.prepare(); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// prepare begins to write. What is added goes into new pages, of which a rollback journal keeps nothing: each byte is written
// once. A write-ahead log would write it twice, which costs as much as decoding a small picture.
func (w *Writer) prepare() error {
	if err := w.db.Exec("PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8192"); err != nil {
		return err
	}
	for stmt, sql := range map[**sqlite3.Stmt]string{
		&w.source: "INSERT INTO source (path, sha256, width, height) VALUES (?,?,?,?)",
		&w.insert: "INSERT INTO example (source, x0, y0, x1, y1, class, attributes, grp, crc) VALUES (?,?,?,?,?,?,?,?,?)",
		&w.pixels: "INSERT INTO pixels (id, bgr) VALUES (?,?)",
		&w.issue:  "INSERT INTO problem (path, what, reason, mended) VALUES (?,?,?,?)",
	} {
		s, _, err := w.db.Prepare(sql)
		if err != nil {
			return err
		}
		*stmt = s
	}
	s, _, err := w.db.Prepare("SELECT path FROM source UNION SELECT path FROM problem WHERE what='file'")
	if err != nil {
		return err
	}
	defer s.Close()
	for s.Step() {
		w.done[s.ColumnText(0)] = true
	}
	return s.Err()
}

// Done tells whether a source file was dealt with by an import that was interrupted.
func (w *Writer) Done(path string) bool { return w.done[path] }

// Crop is an example with its pixels.
type Crop struct {
	Example
	Pixels []byte // BGR, Format.Bytes
}

// Add stores all that came of one source file: its crops, and what was wrong with it. Either all of it is in the set or none, also
// after an interruption. A source whose every crop is unusable is given with the problem "file" alone. Crops that no set can have
// are an error that changes nothing. After any other error nothing more can be added: the set holds what was committed before,
// and a later Create goes on from there.
func (w *Writer) Add(src Source, crops []Crop, problems []Problem) error {
	if w.failed == nil {
		if err := w.check(src, crops); err != nil {
			return fmt.Errorf("write %s: %w", w.path, err)
		}
		if err := w.add(src, crops, problems); err != nil {
			w.fail(err)
		}
	}
	return w.failed
}

// check finds what would fail in the middle of a source: nothing but an error of the database can.
func (w *Writer) check(src Source, crops []Crop) error {
	if w.done[src.Path] {
		return fmt.Errorf("%s is in the set already", src.Path)
	}
	for _, c := range crops {
		if len(c.Pixels) != w.format.Bytes() {
			return fmt.Errorf("%s: a crop has %d bytes, and %d are wanted", src.Path, len(c.Pixels), w.format.Bytes())
		}
		if c.Class == "" {
			return fmt.Errorf("%s: a crop has no class", src.Path)
		}
		for _, v := range c.Box {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%s: a corner of a crop's box is no number", src.Path)
			}
		}
	}
	return nil
}

// fail takes back all since the last commit. SQLite does so itself after most errors; a savepoint around each source would keep more
// of it, but would copy every page that a source touches, for an error that ends the import.
func (w *Writer) fail(err error) {
	if full, ok := full(w.path, err).(*FullError); ok {
		w.failed = full
	} else {
		w.failed = fmt.Errorf("write %s: %w", w.path, err)
	}
	if w.txn != nil && !w.db.GetAutocommit() {
		w.failed = errors.Join(w.failed, w.txn.Rollback())
	}
	w.txn = nil
}

func (w *Writer) add(src Source, crops []Crop, problems []Problem) error {
	w.begin()
	for _, p := range problems {
		if err := run(w.issue, p.Path, p.What, p.Reason, p.Mended); err != nil {
			return err
		}
	}
	if len(crops) > 0 {
		if err := run(w.source, src.Path, src.SHA256[:], src.Width, src.Height); err != nil {
			return err
		}
		id := w.db.LastInsertRowID()
		for _, c := range crops {
			if err := w.crop(id, c); err != nil {
				return fmt.Errorf("%s: %w", src.Path, err)
			}
		}
	}
	w.done[src.Path] = true
	if w.since >= commitEvery {
		return w.commit()
	}
	return nil
}

func (w *Writer) crop(source int64, c Crop) error {
	var attributes any
	if len(c.Attributes) > 0 {
		b, err := json.Marshal(c.Attributes)
		if err != nil {
			return err
		}
		attributes = string(b)
	}
	crc := crc32.Checksum(c.Pixels, castagnoli)
	if err := run(w.insert, source, c.Box[0], c.Box[1], c.Box[2], c.Box[3], c.Class, attributes, c.Group, int64(crc)); err != nil {
		return err
	}
	w.since += len(c.Pixels)
	return run(w.pixels, w.db.LastInsertRowID(), c.Pixels)
}

func (w *Writer) begin() {
	if w.txn == nil {
		t := w.db.Begin()
		w.txn = &t
	}
}

func (w *Writer) commit() error {
	if w.txn == nil {
		return nil
	}
	if err := w.txn.Commit(); err != nil {
		return err
	}
	w.txn, w.since = nil, 0
	return nil
}

// run executes a statement with values.
func run(s *sqlite3.Stmt, values ...any) error {
	defer s.Reset()
	for i, v := range values {
		var err error
		switch v := v.(type) {
		case nil:
			err = s.BindNull(i + 1)
		case string:
			err = s.BindText(i+1, v)
		case []byte:
			err = s.BindBlob(i+1, v)
		case int:
			err = s.BindInt(i+1, v)
		case int64:
			err = s.BindInt64(i+1, v)
		case float64:
			err = s.BindFloat(i+1, v)
		case bool:
			err = s.BindBool(i+1, v)
		default:
			err = fmt.Errorf("cannot store a %T", v)
		}
		if err != nil {
			return err
		}
	}
	s.Step()
	return s.Err()
}

// Finish works out the set's identity, writes it down and closes the file. After an error of Add it closes the file, unfinished.
func (w *Writer) Finish() (sum [32]byte, err error) {
	if w.failed != nil {
		return sum, errors.Join(w.failed, w.close())
	}
	if err = w.commit(); err == nil {
		var examples []Example
		if examples, err = readExamples(w.db); err == nil {
			sum = identity(w.format, examples)
			err = w.seal(sum)
		}
	}
	err = errors.Join(err, w.close())
	if err != nil {
		err = fmt.Errorf("finish %s: %w", w.path, full(w.path, err))
	}
	return sum, err
}

// seal writes the identity down and takes away what the import was asked, which is the machine's.
func (w *Writer) seal(sum [32]byte) error {
	w.begin()
	err := errors.Join(forget(w.db), setMeta(w.db, "identity", hex.EncodeToString(sum[:])))
	if err == nil {
		err = w.commit()
	}
	return err
}

// Close ends without finishing; a later Create goes on.
func (w *Writer) Close() error { return errors.Join(w.commit(), w.close()) }

func (w *Writer) close() error {
	for _, s := range []*sqlite3.Stmt{w.source, w.insert, w.pixels, w.issue} {
		s.Close()
	}
	return errors.Join(w.db.Close(), w.lock.Close())
}
