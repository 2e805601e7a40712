// Command 4-noise proves that data look finds wrong labels: of photos of waste some labels are changed by lot, and those must be
// among the first of the list that a user gets by default. Nothing but the list is read, and nothing is chosen by the answer.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"gleaner/capture/cv"
	"gleaner/internal/shared"
	"gleaner/prove/internal/proof"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/pack"
)

const (
	seeds   = 5
	flipped = 0.05 // share of the labels that are changed
	first   = 0.10 // share of the list that is looked at
	want    = 0.80 // share of the changed ones that must be there, the mean over the seeds
	bar     = "with 5 % of the labels changed, at least 80 % of those among the first 10 %, by the default backbone"
)

// others are backbones that not every user has; their figures are printed beside the one that counts.
var others = []string{"models/models/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"}

func main() {
	proof.Main(bar, func(_ context.Context, dir string) (string, error) {
		figure, ok, err := run(dir)
		if err == nil && !ok {
			err = proof.ErrShort
		}
		return figure, err
	})
}

func run(dir string) (figure string, ok bool, err error) {
	root := shared.Root()
	if root == "" {
		return "", false, errors.New("no test material: set GLEANER_SHARED")
	}
	// Features are computed once, here, and not left among the user's.
	if err := os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")); err != nil {
		return "", false, err
	}
	path := filepath.Join(dir, "waste.set")
	list, err := labels.Open(filepath.Join(root, "data/trashnet"), labels.Options{})
	if err != nil {
		return "", false, err
	}
	// The options are those of data import.
	_, err = importer.Import(context.Background(), path, list, importer.Options{Size: 160, NewDecoder: func() importer.Decoder { return cv.NewDecoder() }})
	if err != nil {
		return "", false, err
	}
	f, err := measure(path, dir)
	if err != nil {
		return "", false, err
	}
	figure = fmt.Sprintf("by the default backbone (the registry's SSD) %s", f)
	ok = f.mean() >= want
	for _, o := range others {
		g, err := measure(path, dir, "--backbone="+filepath.Join(root, o))
		if err != nil {
			return "", false, err
		}
		figure += fmt.Sprintf("; by %s, which is not fetched by default, %s", filepath.Base(o), g)
	}
	return figure, ok, nil
}

// shares are the shares found, by seed.
type shares []float64

func (s shares) mean() (m float64) {
	for _, v := range s {
		m += v / float64(len(s))
	}
	return m
}

func (s shares) String() string {
	return fmt.Sprintf("%.1f %% of %d seeds' changed labels (%.1f to %.1f)", 100*s.mean(), len(s), 100*slices.Min(s), 100*slices.Max(s))
}

// measure changes labels, seed after seed, and looks for them.
func measure(path, dir string, more ...string) (all shares, err error) {
	for seed := range uint64(seeds) {
		to := filepath.Join(dir, "changed.set")
		changed, err := change(path, to, seed)
		if err != nil {
			return nil, err
		}
		found, n, err := look(to, changed, more...)
		if err != nil {
			return nil, err
		}
		fmt.Printf("%v seed %d: %d of %d changed labels among the first %d\n", more, seed, found, len(changed), n)
		all = append(all, float64(found)/float64(len(changed)))
		if err := os.Remove(to); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// change copies a set with some labels changed to another class, each alike likely, and tells of which pictures.
func change(from, to string, seed uint64) (changed map[string]bool, err error) {
	s, err := pack.Open(from)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	w, err := pack.Create(to, s.Format)
	if err != nil {
		return nil, err
	}
	names, _ := pack.Classes(s.Examples)
	r := rand.New(rand.NewPCG(seed, 0x0e15e))
	changed = map[string]bool{}
	n := int(flipped*float64(len(s.Examples)) + 0.5)
	for _, i := range r.Perm(len(s.Examples))[:n] {
		e := &s.Examples[i]
		changed[e.Source.Path] = true
		e.Class = names[(slices.Index(names, e.Class)+1+r.IntN(len(names)-1))%len(names)]
	}
	for i, e := range s.Examples {
		c := pack.Crop{Example: e, Pixels: make([]byte, s.Format.Bytes())}
		if err := s.Pixels(i, c.Pixels); err != nil {
			return nil, errors.Join(err, w.Close())
		}
		if err := w.Add(e.Source, []pack.Crop{c}, nil); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	_, err = w.Finish()
	return changed, err
}

// look runs data look and counts the changed ones among the first n of its list.
func look(path string, changed map[string]bool, more ...string) (found, n int, err error) {
	out, err := exec.Command("bin/gleaner", append([]string{"data", "look", path, "--json"}, more...)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return 0, 0, fmt.Errorf("data look: %s", exit.Stderr)
	}
	var r struct {
		Examples int
		Labels   []struct{ Path string }
	}
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		return 0, 0, err
	}
	if len(r.Labels) != r.Examples || r.Examples == 0 {
		return 0, 0, fmt.Errorf("a list of %d labels for %d examples", len(r.Labels), r.Examples)
	}
	n = int(first * float64(r.Examples))
	for _, l := range r.Labels[:n] {
		if changed[l.Path] {
			found++
		}
	}
	return found, n, nil
}
