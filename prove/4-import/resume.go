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
	began := time.Now()
	calm, err := bring(root, filepath.Join(dir, "calm.set"))
	if err != nil {
		return 0, 0, err
	}
	took := time.Since(began)
	path := filepath.Join(dir, "killed.set")
	for n < kills {
		before := kept
		c := exec.Command("bin/gleaner", "data", "import", root, "-o", path, "--json")
		if err := c.Start(); err != nil {
			return n, kept, err
		}
		// Long enough for a commit or two, and not for what is left.
		time.Sleep(time.Duration(float64(took) * min(0.35, 0.6*(1-float64(kept)/float64(calm.Pictures)))))
		err := c.Process.Kill()
		if c.Wait() == nil || err != nil {
			return n, kept, fmt.Errorf("it was done before it could be killed, after %d kills: %w", n, err)
		}
		n++
		if kept, err = keeps(root, path); err != nil {
			return n, kept, err
		}
		fmt.Printf("kill %d: %d of %d pictures are kept\n", n, kept, calm.Pictures)
		if kept < before {
			return n, kept, fmt.Errorf("%d pictures were kept, and then %d", before, kept)
		}
	}
	last, err := bring(root, path)
	if err == nil && (last.Identity != calm.Identity || last.Examples != calm.Examples || last.LeftOut != calm.LeftOut) {
		err = fmt.Errorf("killed: %+v, undisturbed: %+v", last, calm)
	}
	return n, kept, errors.Join(err, same(path, calm.Set))
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
	if _, err := os.Stat(a + "-wal"); err == nil {
		return fmt.Errorf("%s-wal was left", a)
	}
	return nil
}
