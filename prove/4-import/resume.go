package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gleaner/train/dataset/pack"
)

const kills = 5

// killed imports a folder undisturbed, and then once more while it is killed again and again, as a power cut does: no signal that
// it could catch. Each start goes on with what the one before had kept, and the end is the same.
func killed(root, dir string) (n, kept int, err error) {
	calm, err := bring(root, filepath.Join(dir, "calm.set"))
	if err != nil {
		return 0, 0, err
	}
	path := filepath.Join(dir, "killed.set")
	for had := int64(0); n < kills; had = size(path) {
		before := kept
		c := exec.Command("bin/gleaner", "data", "import", root, "-o", path, "--json")
		if err := c.Start(); err != nil {
			return n, kept, err
		}
		// A commit comes every 32 MB, and what is not committed is undone when it goes on; the last time there is none.
		more := int64(45 << 20)
		if n == kills-1 {
			more = 10 << 20
		}
		for began := time.Now(); size(path) < had+more && time.Since(began) < time.Minute; {
			time.Sleep(time.Millisecond)
		}
		err := c.Process.Kill()
		if c.Wait() == nil || err != nil {
			return n, kept, fmt.Errorf("it was done before it could be killed, after %d kills: %w", n, err)
		}
		n++
		if kept, err = keeps(root, path); err != nil {
			return n, kept, err
		}
		fmt.Printf("kill %d: %d of %d pictures are kept\n", n, kept, calm.Pictures)
		if kept < before || kept == before && n < kills {
			return n, kept, fmt.Errorf("%d pictures were kept, and then %d", before, kept)
		}
	}
	last, err := bring(root, path)
	if err == nil && (last.Identity != calm.Identity || last.Examples != calm.Examples || last.LeftOut != calm.LeftOut) {
		err = fmt.Errorf("killed: %+v, undisturbed: %+v", last, calm)
	}
	return n, kept, errors.Join(err, same(path, calm.Set))
}

// size is that of a file, 0 if there is none.
func size(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// early is how often an import is killed while it makes its file.
const early = 20

// killedEarly kills imports from the moment on that there is a file, each some time later than the one before, and runs each again.
func killedEarly(root, dir string) error {
	calm, err := bring(root, filepath.Join(dir, "calm at once.set"))
	if err != nil {
		return err
	}
	for i := range early {
		path := filepath.Join(dir, fmt.Sprintf("early %d.set", i))
		c := exec.Command("bin/gleaner", "data", "import", root, "-o", path, "--json")
		if err := c.Start(); err != nil {
			return err
		}
		for range 100_000 {
			if _, err := os.Stat(path); err == nil {
				break
			}
			time.Sleep(50 * time.Microsecond)
		}
		time.Sleep(time.Duration(i) * 300 * time.Microsecond)
		_ = c.Process.Kill() // it may be done by now
		_ = c.Wait()
		if w, err := pack.Open(path); err == nil {
			w.Close()
			continue
		}
		again, err := bring(root, path)
		if err == nil && again.Identity != calm.Identity {
			err = fmt.Errorf("another set: %+v", again)
		}
		if err != nil {
			return fmt.Errorf("killed %d µs after the file was there: %w", 300*i, err)
		}
	}
	return nil
}

// keeps counts the pictures that an unfinished set has.
func keeps(root, path string) (n int, err error) {
	w, err := pack.Create(path, pack.Format{Width: 160, Height: 160, Fit: "letterbox"})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer w.Close()
	return n, filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		rel, e := filepath.Rel(root, p)
		if err == nil && e == nil && w.Done(filepath.ToSlash(rel)) {
			n++
		}
		return errors.Join(err, e)
	})
}

// same compares the pixels of two sets, example by example.
func same(a, b string) error {
	var sets [2]*pack.Set
	var pix [2][]byte
	for i, path := range []string{a, b} {
		s, err := pack.Open(path)
		if err != nil {
			return err
		}
		defer s.Close()
		sets[i], pix[i] = s, make([]byte, s.Format.Bytes())
	}
	for i := range sets[0].Examples {
		for k, s := range sets {
			if err := s.Pixels(i, pix[k]); err != nil {
				return err
			}
		}
		if sets[0].Examples[i].Source.Path != sets[1].Examples[i].Source.Path || !bytes.Equal(pix[0], pix[1]) {
			return fmt.Errorf("example %d differs", i)
		}
	}
	if _, err := os.Stat(a + "-journal"); err == nil {
		return fmt.Errorf("%s-journal was left", a)
	}
	return nil
}
