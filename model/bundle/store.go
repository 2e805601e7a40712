package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"
)

// Store is a folder of installed bundles, one of which is the current one. A bundle lies under its id, the name and the
// beginning of its sha256, and never changes; which one is current stands in a file that is replaced in one step. Any
// number of programs may use a Store at a time; those that change it wait for each other.
type Store struct{ dir string }

// stateFile names the current bundle and the one before it.
const stateFile = "current.json"

// lockFile is locked while the store is changed.
const lockFile = ".lock"

type state struct {
	Current  string `json:"current"`
	Previous string `json:"previous,omitempty"`
}

// Installed is one bundle of a store.
type Installed struct {
	ID        string    // its folder below the store, name-0123456789ab
	Dir       string    // where it lies
	Manifest  Manifest  // as stated; List does not verify the files
	SHA256    string    // of bundle.json: the bundle's identity
	Current   bool      // it is in use
	Previous  bool      // it was in use before
	Installed time.Time // when
	Err       error     // why its manifest cannot be read; nil for a sound one
}

// OpenStore opens the store in dir and makes the folder when it is missing.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &Error{Path: dir, Problem: "the folder of bundles cannot be made: " + plain(err), Err: err,
			Hint: "give the program a folder that it may write to"}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return &Store{dir: abs}, nil
}

// plain is an error without the operation and path that the os package puts before it.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// StatePath is the file that changes whenever another bundle becomes the current one; a daemon can watch it.
func (s *Store) StatePath() string { return filepath.Join(s.dir, stateFile) }

// lock waits until nobody else changes the store. The lock ends with the process, so that a crash leaves none.
func (s *Store) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, &Error{Path: s.dir, Problem: "the store cannot be changed: " + plain(err), Err: err,
			Hint: "run as the user that owns the folder"}
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock store %s: %w", s.dir, err)
	}
	return func() { f.Close() }, nil
}

func idOf(name, sha string) string { return name + "-" + sha[:12] }

// Install copies the bundle in srcDir into the store, verifies the copy, and returns its id. Installing a bundle that
// is there already changes nothing. It does not become the current one.
func (s *Store) Install(srcDir string) (string, error) {
	b, err := Open(srcDir)
	if err != nil {
		return "", err
	}
	files := map[string][]byte{}
	for _, name := range append(b.Manifest.fileNames(), ManifestFile) {
		if files[name], err = os.ReadFile(filepath.Join(srcDir, filepath.FromSlash(name))); err != nil {
			return "", fmt.Errorf("install bundle %s: %w", srcDir, err)
		}
	}
	if got := hexSum(files[ManifestFile]); got != b.SHA256 {
		return "", mismatch(filepath.Join(srcDir, ManifestFile), b.SHA256, got, "it changed while it was read; install it again")
	}
	return s.put(b.Manifest.Name, b.SHA256, files)
}

// Put writes a bundle straight into the store, as Write does, and returns its id.
func (s *Store) Put(m Manifest, files map[string][]byte) (string, error) {
	raw, m, err := encode(m, files)
	if err != nil {
		return "", err
	}
	all := map[string][]byte{ManifestFile: raw}
	for n, b := range files {
		all[n] = b
	}
	return s.put(m.Name, hexSum(raw), all)
}

func (s *Store) put(name, sha string, all map[string][]byte) (string, error) {
	unlock, err := s.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	id := idOf(name, sha)
	dir := filepath.Join(s.dir, id)
	if b, err := Open(dir); err == nil && b.SHA256 == sha {
		return id, nil
	}
	// What lies there is damaged: the id states the content. It goes, so that installing again repairs it.
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("install bundle %s: %w", id, err)
	}
	err = writeDir(dir, all, func(tmp string) error {
		_, err := Open(tmp)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("install bundle: %w", err)
	}
	return id, nil
}

var idRule = regexp.MustCompile(`^[a-z0-9._-]{1,64}-[0-9a-f]{12}$`)

// List is every installed bundle, by name and then newest first. A bundle whose manifest cannot be read is listed with
// the reason.
func (s *Store) List() ([]Installed, error) {
	st, err := s.state()
	if err != nil {
		return nil, err
	}
	return s.list(st)
}

func (s *Store) list(st state) ([]Installed, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list bundles: %w", err)
	}
	var out []Installed
	for _, e := range entries {
		if !e.IsDir() || !idRule.MatchString(e.Name()) {
			continue
		}
		in := Installed{ID: e.Name(), Dir: filepath.Join(s.dir, e.Name()), Current: e.Name() == st.Current,
			Previous: e.Name() == st.Previous}
		if info, err := e.Info(); err == nil {
			in.Installed = info.ModTime()
		}
		in.Manifest, in.SHA256, in.Err = readManifest(in.Dir)
		out = append(out, in)
	}
	sort.SliceStable(out, func(i, j int) bool {
		if a, b := out[i].name(), out[j].name(); a != b {
			return a < b
		}
		return out[i].Installed.After(out[j].Installed)
	})
	return out, nil
}

// name is the id without the sum.
func (in *Installed) name() string { return in.ID[:len(in.ID)-13] }

func readManifest(dir string) (m Manifest, sha string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, "", notFound(dir, err, "")
	}
	defer root.Close()
	path := filepath.Join(dir, ManifestFile)
	raw, err := readIn(root, ManifestFile, maxManifest)
	if err != nil {
		return m, "", notFound(path, err, "")
	}
	if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), &m); err != nil {
		return m, hexSum(raw), invalid(path, "", "not a manifest: %v", err)
	}
	if err := m.Check(); err != nil {
		return m, hexSum(raw), invalid(path, "", "%v", err)
	}
	return m, hexSum(raw), nil
}

func (s *Store) state() (state, error) {
	var st state
	f, err := os.Open(s.StatePath())
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return st, fmt.Errorf("read store: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return st, fmt.Errorf("read store: %w", err)
	}
	if err := json.Unmarshal(raw, &st); err != nil {
		return st, invalid(s.StatePath(), "choose a bundle anew with gleaner models use", "not readable: %v", err)
	}
	for _, id := range []string{st.Current, st.Previous} {
		if id != "" && !idRule.MatchString(id) {
			return state{}, invalid(s.StatePath(), "choose a bundle anew with gleaner models use", "%q is not a bundle's id", id)
		}
	}
	return st, nil
}

// Use makes an installed bundle the current one and remembers the one before; ref is an id, a name, or "previous" to
// go back. The bundle is verified first: one that cannot be opened changes nothing.
func (s *Store) Use(ref string) (*Bundle, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	st, err := s.state()
	if err != nil && (ref == "current" || ref == "previous") {
		return nil, err
	} // any other unreadable choice is what Use repairs
	dir, err := s.find(ref, st)
	if err != nil {
		return nil, err
	}
	b, err := Open(dir)
	if err != nil {
		return nil, err
	}
	if id := filepath.Base(dir); id != st.Current {
		st = state{Current: id, Previous: st.Current}
	}
	raw, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := replaceFile(s.StatePath(), append(raw, '\n')); err != nil {
		return nil, fmt.Errorf("use bundle %s: %w", ref, err)
	}
	return b, nil
}

// Current is the id of the bundle in use; an error that wraps ErrNotFound where none was chosen.
func (s *Store) Current() (string, error) { return s.chosen("current") }

// Previous is the id of the bundle that was in use before.
func (s *Store) Previous() (string, error) { return s.chosen("previous") }

func (s *Store) chosen(which string) (string, error) {
	st, err := s.state()
	if err != nil {
		return "", err
	}
	return s.pick(which, st)
}

func (s *Store) pick(which string, st state) (string, error) {
	id := st.Current
	if which == "previous" {
		id = st.Previous
	}
	if id == "" {
		return "", &Error{Path: s.dir, Problem: "no bundle is the " + which + " one", Err: ErrNotFound,
			Hint: "choose one with gleaner models use"}
	}
	return id, nil
}

// Resolve is the folder that ref means: "current", "previous", the id or the name of an installed bundle (of several
// with one name the current one, otherwise the newest), or the path of a folder, which has a slash in it or holds a
// bundle. The folder is not verified; Open does that.
func (s *Store) Resolve(ref string) (string, error) {
	if strings.ContainsRune(ref, filepath.Separator) || ref == "." || ref == ".." {
		return ref, nil
	}
	st, err := s.state()
	if err != nil {
		return "", err
	}
	dir, err := s.find(ref, st)
	if err != nil {
		if _, e := os.Stat(filepath.Join(ref, ManifestFile)); e == nil && ref != "" {
			return ref, nil
		}
	}
	return dir, err
}

// find is Resolve for installed bundles alone.
func (s *Store) find(ref string, st state) (string, error) {
	if ref == "current" || ref == "previous" {
		id, err := s.pick(ref, st)
		if err != nil {
			return "", err
		}
		ref = id
	}
	list, err := s.list(st)
	if err != nil {
		return "", err
	}
	at, names := -1, []string{}
	for i, in := range list {
		names = append(names, in.name())
		if in.ID == ref {
			at = i
			break
		}
		if in.name() == ref && in.Err == nil && (at < 0 || in.Current) {
			at = i
		}
	}
	if at < 0 {
		hint := "nothing is installed; gleaner models list shows what can be pulled"
		if len(names) > 0 {
			hint = "installed are " + strings.Join(slices.Compact(names), ", ") // in order of names
		}
		return "", &Error{Path: s.dir, Problem: fmt.Sprintf("no bundle %q is installed", ref), Hint: hint, Err: ErrNotFound}
	}
	return list[at].Dir, nil
}

// Prune removes what crashed writers left behind and, of each name, all bundles but the newest keep (at least 1). The
// current and the previous bundle always stay. It returns the ids that went.
func (s *Store) Prune(keep int) ([]string, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("prune store: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) { // we hold the lock: nobody is writing it
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return nil, fmt.Errorf("prune store: %w", err)
			}
		}
	}
	list, err := s.List()
	if err != nil {
		return nil, err
	}
	seen, gone := map[string]int{}, []string{}
	for _, in := range list {
		if seen[in.name()]++; seen[in.name()] <= max(1, keep) || in.Current || in.Previous {
			continue
		}
		// The rename comes first: a bundle is never seen half removed.
		away := filepath.Join(s.dir, tempPrefix+in.ID)
		if err := errors.Join(os.Rename(in.Dir, away), os.RemoveAll(away)); err != nil {
			return gone, fmt.Errorf("prune store: %w", err)
		}
		gone = append(gone, in.ID)
	}
	return gone, syncDir(s.dir)
}
