package pack

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3"
)

// Set is a finished set, open to read. Examples stay in memory, about 300 bytes each; pixels are read when asked for. Its
// methods may be called by several goroutines; reads of pixels take turns.
type Set struct {
	Path     string
	Format   Format
	Identity [32]byte // see the package's comment
	Examples []Example
	Problems []Problem

	mu     sync.Mutex
	db     *sqlite3.Conn
	pixels *sqlite3.Stmt
}

// Open opens a finished set and checks that its examples are those of its identity; pixels are checked as they are read.
// Errors wrap ErrNotASet, ErrDamaged, ErrUnfinished or fs.ErrNotExist.
func Open(path string) (*Set, error) {
	if st, err := os.Stat(path + "-journal"); err == nil && st.Size() > 0 && marked(path) { // what it begins is not to be read
		return nil, fmt.Errorf("%s: %w", path, ErrUnfinished)
	}
	db, f, err := open(path, sqlite3.OPEN_READONLY)
	if err != nil {
		return nil, err
	}
	s := &Set{Path: path, Format: f, db: db}
	if err := s.load(); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *Set) load() (err error) {
	text, err := meta(s.db, "identity")
	if err != nil {
		return ErrUnfinished
	}
	if s.Examples, err = readExamples(s.db); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s.Identity = identity(s.Format, s.Examples)
	if hex.EncodeToString(s.Identity[:]) != text {
		return fmt.Errorf("%w: its examples give the sum %x, and %s was written down", ErrDamaged, s.Identity, text)
	}
	if s.Problems, err = readProblems(s.db); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s.pixels, _, err = s.db.Prepare("SELECT bgr FROM pixels WHERE id=?")
	return err
}

// Pixels reads example i, an index into Examples, into dst, which has Format.Bytes; an error wraps ErrDamaged when the pixels
// are not those that were stored.
func (s *Set) Pixels(i int, dst []byte) error {
	e := s.Examples[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.pixels.Reset()
	if err := s.pixels.BindInt64(1, e.ID); err != nil {
		return err
	}
	if !s.pixels.Step() {
		return fmt.Errorf("%s: example %d: %w: it has no pixels: %w", s.Path, e.ID, ErrDamaged, s.pixels.Err())
	}
	raw := s.pixels.ColumnRawBlob(0)
	if len(raw) != len(dst) || crc32.Checksum(raw, castagnoli) != e.CRC {
		return fmt.Errorf("%s: example %d: %w: its pixels do not have the sum %08x", s.Path, e.ID, ErrDamaged, e.CRC)
	}
	copy(dst, raw)
	return nil
}

// Misfit warns where the crops were made to fit in another way than fit, that of a network, and it shows: on those that are not
// square. Empty where all is well.
func (s *Set) Misfit(fit string) string {
	n := 0
	for _, e := range s.Examples {
		if b := e.Box; b[2]-b[0] != b[3]-b[1] {
			n++
		}
	}
	if n == 0 || s.Format.Fit == fit {
		return ""
	}
	return fmt.Sprintf("WARNING: the crops of %s were made to fit by %s, and those that the daemon shows the bundle are by %s: %d of %d are not square and look otherwise there; make the set anew with that fit, or train with fit=%s",
		filepath.Base(s.Path), s.Format.Fit, fit, n, len(s.Examples), s.Format.Fit)
}

// Verify reads every example's pixels.
func (s *Set) Verify() error {
	buf := make([]byte, s.Format.Bytes())
	for i := range s.Examples {
		if err := s.Pixels(i, buf); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (s *Set) Close() error {
	if s.pixels != nil {
		s.pixels.Close()
	}
	return s.db.Close()
}

func readExamples(db *sqlite3.Conn) ([]Example, error) {
	q, _, err := db.Prepare(`SELECT example.id, path, sha256, width, height, x0, y0, x1, y1, class, attributes, grp, crc
		FROM example JOIN source ON source.id = example.source ORDER BY example.id`)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var all []Example
	texts := map[string]string{} // one string for each class, group and path, however many examples have it
	intern := func(b []byte) string {
		t, ok := texts[string(b)]
		if !ok {
			t = string(b)
			texts[t] = t
		}
		return t
	}
	for q.Step() {
		e := Example{ID: q.ColumnInt64(0), Class: intern(q.ColumnRawText(9)), Group: intern(q.ColumnRawText(11)), CRC: uint32(q.ColumnInt64(12))}
		e.Source = Source{Path: intern(q.ColumnRawText(1)), Width: q.ColumnInt(3), Height: q.ColumnInt(4)}
		if n := copy(e.Source.SHA256[:], q.ColumnRawBlob(2)); n != len(e.Source.SHA256) {
			return nil, fmt.Errorf("the sum of %s has %d bytes", e.Source.Path, n)
		}
		for k := range e.Box {
			e.Box[k] = q.ColumnFloat(5 + k)
		}
		if b := q.ColumnRawText(10); len(b) > 0 {
			if err := json.Unmarshal(b, &e.Attributes); err != nil {
				return nil, fmt.Errorf("attributes of example %d: %w", e.ID, err)
			}
		}
		all = append(all, e)
	}
	return all, q.Err()
}

func readProblems(db *sqlite3.Conn) (all []Problem, err error) {
	q, _, err := db.Prepare("SELECT path, what, reason, mended FROM problem ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer q.Close()
	for q.Step() {
		all = append(all, Problem{q.ColumnText(0), q.ColumnText(1), q.ColumnText(2), q.ColumnBool(3)})
	}
	return all, q.Err()
}

var _ io.Closer = (*Set)(nil)
